"""Nearest references with some left out: oneself, one's copies, or one's own person."""

from __future__ import annotations

from typing import Callable, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError

Search = Callable[[NDArray[np.float32], int], Tuple[NDArray[np.float32], NDArray[np.int64]]]
"""``search(vectors, k)`` → distances and indices (B, k), nearest first, the lower index first among equals: as
``Gallery.kneighbors`` and ``VectorIndex.search``."""

Progress = Callable[[int, int], None]

_BLOCK = 1024  # vectors that are searched for together
_CELLS = 1 << 21  # neighbours that are looked at together
_WIDER = 4  # by which the search grows for those whose nearest are nearly all left out


def nearest_outside(
    search: Search,
    vectors: NDArray[np.float32],
    own: NDArray[np.int64],
    groups: NDArray[np.int64],
    n_neighbors: int,
    progress: Optional[Progress] = None,
) -> Tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The nearest references that are not of a vector's own group.

    A reference is left out for the group it is of, wherever it stands among the neighbours: copies at distance 0 stand
    before or after oneself, and many of them may crowd oneself out. For leave-one-out every reference is a group of its
    own: ``own`` are the positions asked about, ``groups`` is ``arange(N)``.

    Args:
        search: Finds the nearest of N references.
        vectors: float32 (B, D).
        own: int64 (B,), the group that each vector leaves out; -1 leaves out nothing.
        groups: int64 (N,), the group of each reference; -1 is in none.
        n_neighbors: How many are wanted, from 1.
        progress: Called with (done, total).

    Returns:
        Distances float32 (B, k), nearest first, and indices int64 (B, k), k being ``n_neighbors`` or N if that is less.
        Where fewer references are left the last places hold infinity and -1.

    Raises:
        ConfigError: Fewer than one is wanted.
    """
    if n_neighbors < 1:
        raise ConfigError(f"{n_neighbors} neighbours were asked for; give a whole number from 1.")
    total, size = len(vectors), len(groups)
    k = min(n_neighbors, size)
    distances, indices = np.full((total, k), np.inf, np.float32), np.full((total, k), -1, np.int64)
    rows, width, done = np.arange(total), min(size, k + 1), 0
    while len(rows):
        step = max(1, min(_BLOCK, _CELLS // width))
        short = []
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            far, found = search(vectors[some], width)  # (b, width)
            counts = (groups[found] != own[some, None]) | (own[some, None] < 0)
            enough = (counts.sum(axis=1) >= k) | (width == size)
            places = np.argsort(~counts, axis=1, kind="stable")[:, :k]  # the first k that count, in their order
            kept = np.take_along_axis(counts, places, axis=1)
            distances[some] = np.where(kept, np.take_along_axis(far, places, axis=1), np.inf)
            indices[some] = np.where(kept, np.take_along_axis(found, places, axis=1), -1)
            short.append(some[~enough])
            done += int(enough.sum())
            if progress is not None:
                progress(done, total)
        rows, width = np.concatenate(short), min(size, _WIDER * width)
    return distances, indices
