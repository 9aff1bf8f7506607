"""What galleries of very many vectors cost: building, memory, asking, recall; each kind beside bare FAISS."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Type, TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from eval.gallery_sizes import LARGEST, repeat
from eval.large_trial import NEIGHBORS, Asked, Built, read_blocks
from eval.table import Table
from galleries.errors import ConfigError, DataError, GalleryError
from galleries.records import read_record

Vectors = NDArray[np.float32]
R = TypeVar("R")

_QUERIES = 256
_LEAST = 100
_LAID = 100_000  # vectors that are made at a time


@dataclass(frozen=True)
class LargeGallery:
    """A kind of index on so many vectors; every number measured in the same run.

    Attributes:
        kind: ``"flat"``, ``"ivf"``, ``"hnsw"`` or ``"ivfpq"``.
        bare: Plain FAISS, built with the same parameters.
        own: The gallery, built.
        asked: Both, asked.
    """

    kind: str
    bare: Built
    own: Built
    asked: Asked

    @property
    def build_ratio(self) -> float:
        """Seconds to build, the gallery / plain FAISS."""
        return self.own.seconds / self.bare.seconds

    @property
    def peak_ratio(self) -> Optional[float]:
        """Peak memory of building, the gallery / plain FAISS; None where the system does not tell."""
        return None if self.own.peak is None or self.bare.peak is None else self.own.peak / self.bare.peak

    def to_json(self) -> Dict[str, Any]:
        """All numbers and ratios as a plain dict."""
        return {**asdict(self), "build_ratio": self.build_ratio, "peak_ratio": self.peak_ratio}


def time_large(
    vectors: Vectors,
    metric: str,
    size: int,
    kinds: Sequence[str],
    folder: Path,
    seconds: float = 2.0,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> List[LargeGallery]:
    """Build and ask galleries of real vectors, repeated with noise, each in processes of its own.

    Args:
        vectors: float32 (N, D), a gallery's own.
        metric: ``"cosine"`` or ``"euclidean"``.
        size: Vectors in each gallery, 100 to ten million.
        kinds: Indexes to compare.
        folder: Where the vectors, and one gallery and one bare index at a time, are kept meanwhile; on a disk.
        seconds: For each comparison of speed.
        seed: Of the noise.
        progress: Called with (done, total) steps.

    Raises:
        ConfigError: A size out of range.
        GalleryError: A process failed; its last words are told.
    """
    if not _LEAST <= size <= LARGEST:
        raise ConfigError(f"A gallery of {size!r} vectors was asked for; give {_LEAST} to {LARGEST:,}.")
    total, done = 3 * len(kinds) + 1, 0

    def next_step() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    task: Dict[str, Any] = {
        "vectors": str(folder / "vectors.f32"), "queries": str(folder / "queries.npy"),
        "truth": str(folder / "truth.npy"), "bare": str(folder / "bare.faiss"), "size": size,
        "dim": int(vectors.shape[1]), "metric": metric, "seconds": seconds,
    }  # fmt: skip
    _lay_out(vectors, task, np.random.default_rng([seed, size]))
    next_step()
    found = []
    for kind in kinds:
        own = {**task, "kind": kind, "gallery": str(folder / kind)}
        measured: List[Any] = []
        for step, record in (("bare", Built), ("gallery", Built), ("ask", Asked)):
            measured.append(_in_child(step, own, record))
            next_step()
        found.append(LargeGallery(kind, *measured))
        _remove(Path(own["gallery"]))
    return found


def exact_neighbors(blocks: Iterable[Vectors], queries: Vectors, k: int, metric: str) -> NDArray[np.int64]:
    """The true nearest by plain FAISS, block by block: int64 (Q, k).

    Args:
        blocks: float32 (b, D), to be gone through once.
        queries: float32 (Q, D).
        k: How many, at most the number of vectors.
        metric: ``"cosine"`` or ``"euclidean"``.
    """
    measure = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
    sign = -1 if metric == "cosine" else 1
    best, places, first = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64), 0
    for block in blocks:
        ready = block / np.linalg.norm(block, axis=1, keepdims=True) if metric == "cosine" else block
        far, found = faiss.knn(queries, np.ascontiguousarray(ready), min(k, len(block)), metric=measure)
        best, places = np.concatenate([best, sign * far], axis=1), np.concatenate([places, found + first], axis=1)
        order = np.argsort(best, axis=1, kind="stable")[:, :k]
        best, places = np.take_along_axis(best, order, axis=1), np.take_along_axis(places, order, axis=1)
        first += len(block)
    return places


def _lay_out(vectors: Vectors, task: Dict[str, Any], rng: np.random.Generator) -> None:
    """Write the vectors, the queries and the true nearest."""
    with Path(task["vectors"]).open("wb") as file:
        for start in range(0, task["size"], _LAID):
            made = repeat(vectors, min(_LAID, task["size"] - start), rng)
            file.write(np.ascontiguousarray(made, "<f4").tobytes())
    queries = repeat(vectors, _QUERIES, rng)
    np.save(task["queries"], queries, allow_pickle=False)
    truth = exact_neighbors(read_blocks(task), queries, NEIGHBORS, task["metric"])
    np.save(task["truth"], truth, allow_pickle=False)


def _in_child(step: str, task: Dict[str, Any], record: Type[R]) -> R:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\nfrom eval.large_trial import main\nmain()"
    )
    request = json.dumps({"step": step, "task": task})
    done = subprocess.run([sys.executable, "-c", code], input=request, capture_output=True, text=True, check=False)
    try:
        return read_record(record, json.loads(done.stdout))
    except (ValueError, DataError) as error:
        told = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise GalleryError(
            f"A gallery of {task['size']:,} vectors with the index {task['kind']} could not be measured ({told}); "
            "give a smaller --size or a --scratch with more room."
        ) from error


def _remove(gallery: Path) -> None:
    for path in gallery.iterdir():
        path.unlink()
    gallery.rmdir()


def tables(measured: Sequence[LargeGallery]) -> List[Table]:
    """What was measured as tables; ratios to plain FAISS stand in brackets."""
    built = [
        [
            one.kind,
            f"{one.own.seconds:.1f} ({one.build_ratio:.2f})",
            _size(one.own.peak, one.peak_ratio),
            f"{one.own.disk / 2**20:,.0f} ({one.own.disk / one.bare.disk:.2f})",
        ]
        for one in measured
    ]
    asked = [
        [
            one.kind,
            f"{one.asked.single:,.0f} ({one.asked.single_ratio:.2f})",
            f"{one.asked.batch:,.0f} ({one.asked.batch_ratio:.2f})",
            f"{one.asked.recall:.3f} ({one.asked.recall / max(one.asked.bare_recall, 1e-9):.2f})",
            f"{one.asked.opening:.2f}",
            _size(one.asked.peak, None),
        ]
        for one in measured
    ]
    return [
        Table("building", ("index", "seconds", "peak MiB", "disk MiB"), built, "peak: libraries included."),
        Table(
            "asking",
            ("index", "queries/s", "256 at once", "recall@5", "open s", "peak MiB"),
            asked,
            "peak: what was read of mapped files counts, though the system can take that memory back.",
        ),
    ]


def _size(count: Optional[int], ratio: Optional[float]) -> str:
    told = "unknown" if count is None else f"{count / 2**20:,.0f}"
    return told if ratio is None else f"{told} ({ratio:.2f})"
