"""Nearest neighbours among vectors, by number; FAISS, in :mod:`galleries.native`, says who may be near.

Candidates come from FAISS, their distances are then computed here from the vectors themselves: so a vector is at
distance 0 from itself, copies are at exactly equal distances, a query gets the same answer alone and in a batch, and
ties go to the lower number. A search never answers "no neighbour".
"""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from galleries import ranking
from galleries.stored_vectors import Numbers, StoredVectors
from galleries.vectors import Vectors, check_k, usable

_REACH = {"ivfpq": 64}  # candidates for each neighbour wanted, where the candidates' order is only roughly right
_WIDER = 16  # by which the candidates of an undecided border grow once, before every vector is compared


class VectorIndex(StoredVectors):
    """Vectors by number, and the search for the nearest."""

    def search(self, queries: Vectors, k: int, candidates: Optional[Numbers] = None) -> Tuple[Vectors, Numbers]:
        """The k nearest vectors of each query; exact for ``flat``.

        Args:
            queries: (B, D); B may be 0.
            k: 1 … N.
            candidates: int64 (B, :data:`galleries.ranking.SPARE` + k or more, or all N), positions of the nearest but
                for the rounding of a matrix product in float32, if the caller has compared all; None asks FAISS.

        Returns:
            Distances float32 (B, k), nearest first, and positions int64 (B, k). Equal distances come in ascending
            position.

        Raises:
            GalleryError: Queries that are not numbers or of a wrong shape, or a k out of range.
        """
        check_k(k, len(self))
        ready = usable(queries, self.metric, self.dim)
        if len(ready) == 1 and candidates is None:
            near, places = zip(*self._nearest(ready, k))
            return self._distances(np.array([near], np.float32)), np.array([places], np.int64)
        if not len(ready):
            return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        wide = self._wide(k)
        squares, positions, open_rows = self._candidates(ready, k, wide, candidates)
        if len(open_rows) and wide < len(self):
            wider = min(len(self), wide * _WIDER)
            again, found, still = self._candidates(ready[open_rows], k, wider)
            squares[open_rows], positions[open_rows] = again[:, :wide], found[:, :wide]
            open_rows = open_rows[still]
        for row in open_rows:
            squares[row, :k], positions[row, :k] = ranking.compare_all(self._stored(), ready[row], k)
        return self._distances(squares[:, :k]), positions[:, :k]

    def nearest_to(self, query: Vectors, k: int) -> Tuple[List[float], List[int]]:
        """:meth:`search` of one query (1, D), as lists: distances and positions. Quicker, as little of numpy is called.

        Raises:
            GalleryError: As :meth:`search`.
        """
        check_k(k, len(self))
        nearest = self._nearest(usable(query, self.metric, self.dim), k)
        if self.metric == "cosine":  # as _distances does
            distances = [min(square / 2, 2.0) for square, _ in nearest]
        else:
            distances = self._distances(np.array([square for square, _ in nearest], np.float32)).tolist()
        return distances, [position for _, position in nearest]

    def _nearest(self, ready: Vectors, k: int) -> ranking.Ranking:
        """Squared distances and positions of the k nearest of one query (1, D)."""
        rows, query, wide = self._stored(), ready[0], self._wide(k)
        length = 1.0 if self.metric == "cosine" else float(np.dot(query, query))
        for width in sorted({wide, min(len(self), wide * _WIDER)}):
            found = ranking.ranked_alone(rows, query, self._native.nearest(ready, width, self.numbers)[0])
            if not ranking.is_border_open(found, k, length, self._knows_the_nearest(width)):
                return found[:k]
        squares, positions = ranking.compare_all(rows, query, k)
        return list(zip(squares.tolist(), positions.tolist()))

    def _wide(self, k: int) -> int:
        """How many candidates are looked at for k neighbours."""
        return min(len(self), k * _REACH.get(self.kind, 1) + ranking.SPARE)

    def within(self, query: Vectors, radius: float) -> Tuple[Vectors, Numbers]:
        """Every vector at most ``radius`` away, nearest first; exact for every kind.

        Args:
            query: (D,).
            radius: Greatest distance.

        Returns:
            Distances float32 (M,) and positions int64 (M,).
        """
        ready = usable(np.asarray(query)[None], self.metric, self.dim)
        squares, positions = ranking.compare_all(self._stored(), ready[0], len(self))
        distances = self._distances(squares)
        near = distances <= np.float32(radius)
        return distances[near], positions[near]

    def exact(self, queries: Vectors, k: int) -> Vectors:
        """Distances to the k nearest by comparing every vector, for every kind; as :meth:`search`, float32 (B, k)."""
        check_k(k, len(self))
        ready = usable(queries, self.metric, self.dim)
        return self._distances(ranking.exact_squares(self._stored(), ready, k))

    def _candidates(
        self, ready: Vectors, k: int, wide: int, found: Optional[Numbers] = None
    ) -> Tuple[Vectors, Numbers, Numbers]:
        """FAISS's ``wide`` nearest, put in order: squared distances, positions, and rows where the border is open."""
        if found is None:
            found = self._native.nearest(ready, wide, self.numbers)  # (B, wide or more), -1 where there is no more
        squares, positions = ranking.ranked(self._stored(), ready, found)
        squares, positions = squares[:, :wide], positions[:, :wide]
        return squares, positions, ranking.open_borders(ready, squares, k, self._knows_the_nearest(wide))

    def _knows_the_nearest(self, wide: int) -> bool:
        """Whether FAISS compares every vector, and this many candidates are not all of them."""
        return self.kind == "flat" and wide < len(self)

    def _distances(self, squares: Vectors) -> Vectors:
        # between unit vectors |a - b|² = 2 (1 - cos)
        return np.minimum(squares / 2, np.float32(2)) if self.metric == "cosine" else np.sqrt(squares)
