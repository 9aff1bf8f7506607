"""Candidates put in order by their own distances, computed from the vectors: of many queries, or quickly of one."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.native import nearest_in_block
from galleries.rows import Rows
from galleries.vectors import Vectors, squared_distances

Numbers = NDArray[np.int64]
Ranking = List[Tuple[float, int]]

SPARE = 8
"""Candidates beyond those wanted, so that ties at the border are seen."""

_DOUBT = 2.0**-21  # relative error of a squared distance computed by matrix product in float32
_BLOCK = 1 << 22  # floats of a temporary array


def squares_to(rows: Rows, ready: Vectors, positions: Numbers) -> Vectors:
    """Squared distances of queries (B, D) to the vectors at positions (B, w): float32 (B, w)."""
    squares = np.empty(positions.shape, np.float32)
    step = max(1, _BLOCK // (positions.shape[1] * rows.dim))
    for start in range(0, len(ready), step):
        some = slice(start, start + step)
        squares[some] = squared_distances(rows.take(positions[some]), ready[some, None])  # (b, w, D) -> (b, w)
    return squares


def ranked(rows: Rows, ready: Vectors, candidates: Numbers) -> Tuple[Vectors, Numbers]:
    """Candidates by distance, at equal distance by position; those that are none come last.

    Args:
        rows: The vectors.
        ready: float32 (B, D), queries as :func:`galleries.vectors.usable` gives them.
        candidates: int64 (B, w), positions in ``rows``; -1 is none.

    Returns:
        Squared distances float32 (B, w), infinite for none, and positions int64 (B, w).
    """
    absent = candidates < 0
    has_gaps = bool(absent.any())
    positions = np.where(absent, 0, candidates) if has_gaps else candidates
    squares = squares_to(rows, ready, positions)
    if has_gaps:
        squares[absent] = np.inf
    order = np.lexsort((positions, squares), axis=1)
    at = np.arange(len(positions))[:, None], order
    return squares[at], positions[at]


def ranked_alone(rows: Rows, query: Vectors, candidates: Numbers) -> Ranking:
    """:func:`ranked` of one query (D,) and its candidates (w,): the same numbers, with few of numpy's calls.

    Returns:
        Squared distance and position of each candidate, in order; those that are none are left out.
    """
    positions = candidates.tolist()
    if min(positions) < 0:
        positions = [position for position in positions if position >= 0]
        candidates = np.array(positions, np.int64)
    squares = squared_distances(rows.take(candidates), query)  # (w, D) -> (w,)
    return sorted(zip(squares.tolist(), positions))


def open_borders(ready: Vectors, squares: Vectors, k: int, is_exhaustive: bool) -> Numbers:
    """Queries whose k nearest may not be among their candidates.

    Args:
        ready: float32 (B, D).
        squares: float32 (B, w) of :func:`ranked`, w ≥ k.
        k: How many are wanted.
        is_exhaustive: Whether the candidates are, but for rounding, the nearest of all: then vectors just outside may
            be as near as the k-th where the last candidate is hardly farther.

    Returns:
        Rows of ``ready``, int64.
    """
    is_open = squares[:, k - 1] == np.inf
    if is_exhaustive:
        scale = np.einsum("bd,bd->b", ready, ready) + squares[:, k - 1]
        is_open |= squares[:, -1] - squares[:, k - 1] <= _DOUBT * 4 * scale
    return np.flatnonzero(is_open)


def is_border_open(ranking: Ranking, k: int, length: float, is_exhaustive: bool) -> bool:
    """:func:`open_borders` of one query, whose squared length is given."""
    if len(ranking) < k:
        return True
    farthest = ranking[k - 1][0]
    return is_exhaustive and ranking[-1][0] - farthest <= _DOUBT * 4 * (length + farthest)


def compare_all(rows: Rows, query: Vectors, k: int) -> Tuple[Vectors, Numbers]:
    """The k nearest of one query (D,) by comparing every vector: squared distances and positions (k,)."""
    blocks = rows.blocks(max(1, _BLOCK // rows.dim))
    squares = np.concatenate([squared_distances(block, query[None]) for block in blocks])
    order = np.argsort(squares, kind="stable")[:k].astype(np.int64)
    return squares[order], order


def exact_squares(rows: Rows, ready: Vectors, k: int) -> Vectors:
    """Squared distances of queries (B, D) to their k nearest by comparing every vector, block by block: (B, k)."""
    best = np.full((len(ready), k), np.inf, np.float32)
    for block in rows.blocks():
        found = nearest_in_block(ready, block, min(len(block), k + SPARE))  # (B, c)
        squares = squares_to(Rows(block), ready, found)
        best = np.sort(np.concatenate([best, squares], axis=1), axis=1)[:, :k]
    return best
