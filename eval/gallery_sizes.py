"""How a search grows with the gallery: exact and approximate, beside plain FAISS, and how many neighbours are right."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

import faiss
import numpy as np
from numpy.typing import NDArray

from eval.timing import Timing, measure, take_turns
from galleries.errors import ConfigError
from galleries.index import VectorIndex

Vectors = NDArray[np.float32]

LARGEST = 10_000_000
NEIGHBORS = 5
"""Neighbours whose recall is told."""

_QUERIES = 256
_ROUNDS = 5
_SAMPLE = 500
_COPIES = 8  # of the vectors, that are held at once while an index is made and measured


@dataclass(frozen=True)
class SizeSpeed:
    """Searching a gallery of some size.

    Attributes:
        size: Vectors in it.
        kind: ``"flat"`` (exact), ``"ivf"``, ``"hnsw"`` or ``"ivfpq"``.
        build: Seconds to make the index.
        single: One query at a time.
        batch: Queries a second, 256 at once.
        recall: Share of the true five nearest that are found, 0-1; exact is 1.
        bare: Median milliseconds of one query to plain ``faiss`` with the same index.
        ratio: One query through the gallery's index / plain ``faiss``, median of the rounds.
        ratios: The least and the greatest of the rounds.
    """

    size: int
    kind: str
    build: float
    single: Timing
    batch: float
    recall: float
    bare: float
    ratio: float
    ratios: Tuple[float, float]


def time_sizes(
    vectors: Vectors,
    metric: str,
    sizes: Sequence[int],
    kinds: Sequence[str] = ("flat", "ivf", "hnsw"),
    seconds: float = 1.0,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> List[SizeSpeed]:
    """Time searches in galleries made of real vectors, repeated with noise.

    Args:
        vectors: float32 (N, D), a gallery's own.
        metric: ``"cosine"`` or ``"euclidean"``.
        sizes: Vectors in each gallery, 10 to ten million.
        kinds: Indexes to compare.
        seconds: For each measurement.
        seed: Of the noise.
        progress: Called with what is next.

    Raises:
        ConfigError: A size out of range, or an unknown kind.
    """
    check_sizes(sizes, vectors.shape[1], None)
    measured = []
    for size in sizes:
        rng = np.random.default_rng([seed, size])
        held, queries = repeat(vectors, size, rng), repeat(vectors, _QUERIES, rng)
        truth = VectorIndex.build(held, np.arange(size, dtype=np.int64), metric=metric).search(queries, NEIGHBORS)[1]
        for kind in kinds:
            progress(f"{size:,} vectors, {kind}")
            measured.append(_time_one(held, queries, truth, metric, kind, seconds))
    return measured


def check_sizes(sizes: Sequence[int], dim: int, available: Optional[int]) -> None:
    """Refuse sizes that are out of range, or too large for the memory that is free.

    Args:
        sizes: Vectors in each gallery.
        dim: Length of the vectors.
        available: Bytes that are free; None where it cannot be told.

    Raises:
        ConfigError: Naming the size.
    """
    for size in sizes:
        if not 10 <= size <= LARGEST:
            raise ConfigError(f"A gallery of {size!r} vectors was asked for; give 10 to {LARGEST:,}.")
        needed = _COPIES * 4 * dim * size
        if available is not None and needed > available:
            raise ConfigError(
                f"A gallery of {size:,} vectors needs about {needed / 2**30:.1f} GiB here, and {available / 2**30:.1f} "
                "GiB are free; give smaller --sizes."
            )


def repeat(vectors: Vectors, size: int, rng: np.random.Generator) -> Vectors:
    """As many vectors as wanted, each a real one plus noise about half as long as the way to its nearest neighbour.

    Args:
        vectors: float32 (N, D).
        size: M.
        rng: Where chance comes from.

    Returns:
        float32 (M, D); the first N in a shuffled order, then again from the start.
    """
    some = vectors[rng.permutation(len(vectors))[:_SAMPLE]].astype(np.float64)
    gaps = np.linalg.norm(some[:, None] - some[None], axis=2) if len(some) > 1 else np.ones((1, 1))  # (S, S)
    np.fill_diagonal(gaps, np.inf)
    nearest = gaps.min(axis=1)
    usual = float(np.median(nearest[np.isfinite(nearest)])) if np.isfinite(nearest).any() else 1.0
    order = np.resize(rng.permutation(len(vectors)), size)
    noise = rng.standard_normal((size, vectors.shape[1]), np.float32)
    scale = np.float32(0.5 * max(usual, 1e-6) / np.sqrt(vectors.shape[1]))
    made: Vectors = vectors[order] + scale * noise
    return made


def _time_one(
    held: Vectors, queries: Vectors, truth: NDArray[np.int64], metric: str, kind: str, seconds: float
) -> SizeSpeed:
    began = time.perf_counter()
    index = VectorIndex.build(held, np.arange(len(held), dtype=np.int64), metric=metric, kind=kind)
    build = time.perf_counter() - began
    plain = faiss.deserialize_index(np.frombuffer(index.to_bytes(), np.uint8))
    ready = queries / np.linalg.norm(queries, axis=1, keepdims=True) if metric == "cosine" else queries
    ready = np.ascontiguousarray(ready, np.float32)
    turn = [0, 0]

    def one(place: int, rows: Vectors, search: Callable[[Vectors, int], object]) -> None:
        turn[place] = (turn[place] + 1) % len(rows)
        search(rows[turn[place] : turn[place] + 1], NEIGHBORS)

    found = index.search(queries, NEIGHBORS)[1]
    right = [len(set(a) & set(b)) / NEIGHBORS for a, b in zip(found.tolist(), truth.tolist())]
    single = measure(lambda: one(0, queries, index.search), seconds)
    batch = measure(lambda: index.search(queries, NEIGHBORS), seconds, len(queries), 3)
    sides = take_turns(
        [lambda: one(0, queries, index.search), lambda: one(1, ready, plain.search)], _ROUNDS, 2 * seconds
    )
    ratios = [own / bare for own, bare in zip(*sides)]
    return SizeSpeed(
        len(held),
        kind,
        build,
        single,
        batch.per_second,
        statistics.mean(right),
        1000 * statistics.median(sides[1]),
        statistics.median(ratios),
        (min(ratios), max(ratios)),
    )
