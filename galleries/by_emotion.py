"""The nearest references of every emotion, apart: what a calibrated gallery's answer rests on."""

from __future__ import annotations

import math
from typing import List

import numpy as np
from numpy.typing import NDArray

from galleries.native import squares_to_each
from galleries.ranking import SPARE, exact_squares
from galleries.rows import Rows
from galleries.vectors import Vectors, squared_distances
from galleries.voting import numpy_sum


class ByEmotion:
    """References in the order of their emotions.

    Args:
        rows: N ≥ 1 vectors as :func:`galleries.vectors.usable` gives them.
        labels: int64 (N,), 0 … C - 1, each of which occurs.
        metric: ``"cosine"`` or ``"euclidean"``.
    """

    def __init__(self, rows: Rows, labels: NDArray[np.int64], metric: str) -> None:
        self._is_cosine = metric == "cosine"
        self._vectors = rows.take(np.argsort(labels, kind="stable"))
        ends = np.cumsum(np.bincount(labels)).tolist()
        self._parts = list(zip([0, *ends], ends))

    def mean_distances(self, ready: Vectors, nearest: int) -> NDArray[np.float64]:
        """Mean distance of queries to the nearest references of each emotion, found by comparing all.

        Args:
            ready: float32 (B, D) as :func:`galleries.vectors.usable` gives them.
            nearest: How many references of an emotion, from 1; all of one that has fewer.

        Returns:
            float64 (B, C), columns in the order of the labels. The same for a query alone and among others.
        """
        if len(ready) == 1:
            return np.array([[self._mean_alone(squares) for squares in self._nearest_alone(ready[0], nearest)]])
        columns = []
        for start, stop in self._parts:
            n = min(nearest, stop - start)
            squares = exact_squares(Rows(self._vectors[start:stop]), ready, n).astype(np.float64)
            distances = np.minimum(squares / 2, 2.0) if self._is_cosine else np.sqrt(squares)
            columns.append(distances.sum(axis=1) / n)
        return np.stack(columns, axis=1)

    def _nearest_alone(self, query: Vectors, nearest: int) -> List[List[float]]:
        """Squared distances of one query (D,) to the nearest of each emotion, rising: one pass, little of numpy."""
        roughly = squares_to_each(query, self._vectors)  # (N,)
        wide = nearest + SPARE
        chosen = [
            np.argpartition(roughly[start:stop], wide)[:wide] + start if stop - start > wide else np.arange(start, stop)
            for start, stop in self._parts
        ]
        squares = squared_distances(self._vectors[np.concatenate(chosen)], query).tolist()
        found, done = [], 0
        for places in chosen:
            found.append(sorted(squares[done : done + len(places)])[:nearest])
            done += len(places)
        return found

    def _mean_alone(self, squares: List[float]) -> float:
        """The mean of distances whose squares are given."""
        # between unit vectors |a - b|² = 2 (1 - cos)
        distances = [min(square / 2, 2.0) if self._is_cosine else math.sqrt(square) for square in squares]
        return numpy_sum(distances) / len(distances)
