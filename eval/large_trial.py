"""One kind of index on many vectors, in a process of its own: built by bare FAISS, built as a gallery, and asked."""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import faiss
import numpy as np
from numpy.typing import NDArray

from eval.peak_memory import peak_memory
from eval.timing import take_turns
from galleries.building import GalleryBuilder
from galleries.content import forget, map_file
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.native import code_bytes, list_count, training_sample
from galleries.rows import Rows
from galleries.tower_card import TowerCard

Vectors = NDArray[np.float32]

NEIGHBORS = 5
"""Neighbours whose recall is told."""

BLOCK = 10_000
"""Vectors that are given to either side at a time."""

_ROUNDS = 5
_EMOTIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


@dataclass(frozen=True)
class Built:
    """Building in a process of its own.

    Attributes:
        seconds: From the vectors on the disk to the finished index or gallery on the disk.
        peak: Bytes that the process held at most, or None.
        base: Bytes that it held before it began, its libraries loaded, or None.
        disk: Bytes of what was written.
    """

    seconds: float
    peak: Optional[int]
    base: Optional[int]
    disk: int


@dataclass(frozen=True)
class Asked:
    """Asking in a process of its own.

    Attributes:
        opening: Seconds to open the gallery, every byte checked.
        peak: Bytes that the process held at most with the gallery alone, or None.
        recall: Share of the true five nearest that the gallery finds, 0-1.
        bare_recall: Share that plain FAISS finds with the same index.
        single: Queries a second, one at a time.
        bare_single: The same of plain FAISS.
        single_ratio: Queries a second, the gallery / plain FAISS, median of the rounds in which they took turns.
        batch: Queries a second, 256 at once.
        bare_batch: The same of plain FAISS.
        batch_ratio: As ``single_ratio``, 256 at once.
    """

    opening: float
    peak: Optional[int]
    recall: float
    bare_recall: float
    single: float
    bare_single: float
    single_ratio: float
    batch: float
    bare_batch: float
    batch_ratio: float


def build_bare(task: Dict[str, Any]) -> Built:
    """Plain FAISS with the parameters of a gallery's index, in blocks; the file it writes is ``bare``.

    Args:
        task: ``vectors`` (raw float32), ``size``, ``dim``, ``metric``, ``kind``, ``bare``.
    """
    size, dim, kind, cosine = task["size"], task["dim"], task["kind"], task["metric"] == "cosine"
    base, began = peak_memory(), time.perf_counter()
    measure = faiss.METRIC_INNER_PRODUCT if cosine else faiss.METRIC_L2
    lists = list_count(size)
    index: Any
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, 32, measure)
        index.hnsw.efConstruction, index.hnsw.efSearch = 80, 64
    elif kind == "flat":
        index = faiss.IndexFlat(dim, measure)
    else:
        coarse = faiss.IndexFlat(dim, measure)
        if kind == "ivf":
            index = faiss.IndexIVFFlat(coarse, dim, lists, measure)
        else:
            index = faiss.IndexIVFPQ(coarse, dim, lists, code_bytes(dim), 8, measure)
            index.by_residual = cosine
            index.pq.cp.min_points_per_centroid = 1
            index.pq.cp.max_points_per_centroid, index.pq.cp.niter = 100, 10
        index.nprobe = max(1, -(-lists // 8))
        index.cp.min_points_per_centroid = 1
        with Path(task["vectors"]).open("rb") as file:
            view = map_file(file.fileno(), 4 * size * dim)
        rows = Rows(np.frombuffer(view, "<f4").reshape(size, dim), source=view)
        sample = training_sample(rows, lists, 256)
        forget(view)
        index.train(_unit(sample) if cosine else sample)
        del sample
    for block in read_blocks(task):
        index.add(_unit(block) if cosine else block)
    faiss.write_index(index, task["bare"])
    seconds = time.perf_counter() - began
    return Built(seconds, peak_memory(), base, Path(task["bare"]).stat().st_size)


def build_gallery(task: Dict[str, Any]) -> Built:
    """A gallery by its builder, with a reference of its own for each vector, saved in ``gallery``.

    Args:
        task: As of :func:`build_bare`, and ``gallery``.
    """
    folder = Path(task["gallery"])
    base, began = peak_memory(), time.perf_counter()
    tower = TowerCard("benchmark", "ab" * 16, InputSpec(48, 48, 1), task["dim"])
    with GalleryBuilder(tower, metric=task["metric"], scratch=folder.parent) as builder:
        for block in read_blocks(task):
            first = len(builder)
            names = [_EMOTIONS[(first + i) % len(_EMOTIONS)] for i in range(len(block))]
            builder.add_block(block, names, sources=[f"train/{first + i:08d}.png" for i in range(len(block))])
        gallery = builder.finish(task["kind"], recall=False)
    gallery.save(folder)
    seconds = time.perf_counter() - began
    return Built(seconds, peak_memory(), base, sum(path.stat().st_size for path in folder.iterdir()))


def ask(task: Dict[str, Any]) -> Asked:
    """Open the gallery and ask it, then plain FAISS in turns with it.

    Args:
        task: As of :func:`build_gallery`, and ``queries`` (.npy), ``truth`` (.npy, int64 (Q, 5)), ``seconds``.
    """
    queries, truth = np.load(task["queries"], allow_pickle=False), np.load(task["truth"], allow_pickle=False)
    began = time.perf_counter()
    gallery = Gallery.load(task["gallery"])
    opening = time.perf_counter() - began
    found = gallery.kneighbors(queries, NEIGHBORS)[1]
    for query in queries[:32]:
        gallery.kneighbors(query[None], NEIGHBORS)
    peak = peak_memory()
    bare = faiss.read_index(task["bare"])
    ready = _unit(queries) if task["metric"] == "cosine" else queries
    singles = _compare(
        _turning(queries, lambda rows: gallery.kneighbors(rows, NEIGHBORS)),
        _turning(ready, lambda rows: bare.search(rows, NEIGHBORS)),
        task["seconds"],
    )
    batches = _compare(
        lambda: gallery.kneighbors(queries, NEIGHBORS), lambda: bare.search(ready, NEIGHBORS), task["seconds"]
    )
    many = len(queries)
    return Asked(
        opening, peak, share_found(found, truth), share_found(bare.search(ready, NEIGHBORS)[1], truth),
        singles[0], singles[1], singles[2], many * batches[0], many * batches[1], batches[2],
    )  # fmt: skip


def share_found(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Share of the true nearest, int64 (Q, k), that are among those found, int64 (Q, k)."""
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), truth.tolist())]))


def read_blocks(task: Dict[str, Any]) -> Iterator[Vectors]:
    """The task's vectors, some thousands at a time: float32 (b, D)."""
    with Path(task["vectors"]).open("rb") as file:
        while True:
            block = np.frombuffer(file.read(4 * task["dim"] * BLOCK), "<f4").reshape(-1, task["dim"])
            if not len(block):
                return
            yield block


def _unit(vectors: Vectors) -> Vectors:
    made: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made


def _turning(queries: Vectors, search: Callable[[Vectors], object]) -> Callable[[], object]:
    """Asks one query after another."""
    turn = 0

    def one() -> object:
        nonlocal turn
        turn = (turn + 1) % len(queries)
        return search(queries[turn : turn + 1])

    return one


def _compare(own: Callable[[], object], bare: Callable[[], object], seconds: float) -> Tuple[float, float, float]:
    """Runs a second of both, which take turns, and the median of the rounds' ratios."""
    sides: List[List[float]] = take_turns([own, bare], _ROUNDS, 2 * seconds)
    ratios = [theirs / mine for mine, theirs in zip(*sides)]
    return 1 / statistics.median(sides[0]), 1 / statistics.median(sides[1]), statistics.median(ratios)


STEPS: Dict[str, Callable[[Dict[str, Any]], Any]] = {"bare": build_bare, "gallery": build_gallery, "ask": ask}
"""What a process may be started for."""


def main() -> None:
    """Do the step and task that standard input names as JSON, and write what was measured to standard output."""
    given = json.load(sys.stdin)
    json.dump(asdict(STEPS[given["step"]](given["task"])), sys.stdout)
