"""Nearest neighbours among vectors, by number; FAISS, in :mod:`galleries.native`, says who may be near.

Every vector has a number, which stays when others are removed; ``index.faiss`` answers with these numbers, also when
plain FAISS reads it. Candidates come from FAISS, their distances are then computed here from the vectors themselves:
so a vector is at distance 0 from itself, copies are at exactly equal distances, a query gets the same answer alone and
in a batch, and ties go to the lower number. A search never answers "no neighbour".
"""

from __future__ import annotations

from typing import Callable, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries import ranking
from galleries.by_emotion import ByEmotion
from galleries.content import Pieces, Read
from galleries.errors import GalleryError, unknown_name
from galleries.kinds import APART, KINDS
from galleries.native import Native
from galleries.rows import Rows
from galleries.vectors import METRICS, Vectors, check_k, usable

__all__ = ["KINDS", "VectorIndex"]

Numbers = NDArray[np.int64]

_REACH = {"ivfpq": 64}  # candidates for each neighbour wanted, where the candidates' order is only roughly right
_WIDER = 16  # by which the candidates of an undecided border grow once, before every vector is compared
_ADDED = 1 << 21  # floats that are given to FAISS at a time


class VectorIndex:
    """Vectors by number, and the search for the nearest.

    Make one with :meth:`build`, :meth:`of_rows` or :meth:`from_bytes`.

    Attributes:
        kind: ``"flat"``, ``"ivf"``, ``"hnsw"`` or ``"ivfpq"``.
        metric: ``"cosine"`` or ``"euclidean"``.
        numbers: int64 (N,), ascending; position i of a search means ``numbers[i]``.
    """

    def __init__(self, native: Native, kind: str, metric: str, numbers: Numbers, own: Optional[Rows]) -> None:
        self.kind = kind
        self.metric = metric
        self.numbers = numbers
        self._native = native
        self._own = own  # only for IVF kinds; the others show FAISS's own memory
        self._view: Optional[Rows] = None  # on that memory, until the index changes

    @classmethod
    def build(cls, vectors: Vectors, numbers: Numbers, *, metric: str = "cosine", kind: str = "flat") -> VectorIndex:
        """Index vectors.

        Args:
            vectors: float32 (N, D), N ≥ 1; under ``"cosine"`` unit-length copies are kept.
            numbers: int64 (N,), strictly ascending, not negative.
            metric: ``"cosine"`` or ``"euclidean"``.
            kind: ``"flat"``, ``"ivf"``, ``"hnsw"`` or ``"ivfpq"``.

        Raises:
            ConfigError: Unknown metric or kind.
            GalleryError: Vectors that are not numbers, of zero length under cosine, or of a wrong shape.
        """
        if metric not in METRICS:
            raise unknown_name("metric", str(metric), METRICS)
        if kind not in KINDS:
            raise unknown_name("index", str(kind), KINDS)
        ready = usable(vectors, metric)
        if not ready.size:
            raise GalleryError("No vectors were given; a gallery needs at least one reference.")
        return cls.of_rows(Rows(ready), np.ascontiguousarray(numbers, np.int64), metric, kind)

    @classmethod
    def of_rows(cls, rows: Rows, numbers: Numbers, metric: str, kind: str) -> VectorIndex:
        """Index vectors that :func:`galleries.vectors.usable` has seen, block by block.

        Args:
            rows: N ≥ 1 vectors, of unit length under cosine; IVF kinds keep them, the others a copy.
            numbers: int64 (N,), strictly ascending, not negative.
            metric: ``"cosine"`` or ``"euclidean"``.
            kind: One of :data:`KINDS`.
        """
        assert len(rows) == len(numbers)
        assert (np.diff(numbers) > 0).all()
        native, done = Native.make(kind, metric, rows), 0
        for block in rows.blocks(max(1, _ADDED // rows.dim)):
            native.add(np.ascontiguousarray(block, np.float32), numbers[done : done + len(block)])
            done += len(block)
        return cls(native, kind, metric, numbers, rows if kind in APART else None)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def dim(self) -> int:
        """Length D of the vectors."""
        return self._native.dim

    @property
    def dead(self) -> int:
        """Removed vectors that an ``hnsw`` graph still walks over; it answers without them."""
        return self._native.dead

    def vectors(self) -> Vectors:
        """A copy of the vectors, float32 (N, D), of unit length under cosine, in the order of ``numbers``."""
        return self._stored().copy()

    def vectors_at(self, positions: Numbers) -> Vectors:
        """The vectors at these positions, int64 (M,): float32 (M, D), a copy."""
        return self._stored().take(positions)

    def _stored(self) -> Rows:
        """The vectors without a copy, to be let go before the index changes."""
        if self._own is not None:
            return self._own
        if self._view is None:
            self._view = self._native.rows()
        assert self._view is not None
        return self._view

    def part(self, positions: Numbers) -> VectorIndex:
        """A flat index of the vectors at these positions, int64 (M,), M ≥ 1; its numbers are 0 … M - 1."""
        return self.of_rows(Rows(self.vectors_at(positions)), np.arange(len(positions)), self.metric, "flat")

    def by_emotion(self, labels: Numbers) -> ByEmotion:
        """The vectors apart by label, int64 (N,): a copy of them."""
        return ByEmotion(self._stored(), labels, self.metric)

    def add(self, vectors: Vectors, numbers: Numbers) -> None:
        """Add vectors. IVF kinds are clustered anew, from the vectors, once they hold about 16 times as many.

        Args:
            vectors: (M, D).
            numbers: int64 (M,), strictly ascending, above every number here.

        Raises:
            GalleryError: As :meth:`build`, or another D.
        """
        ready = usable(vectors, self.metric, self.dim)
        numbers = np.concatenate([self.numbers, np.ascontiguousarray(numbers, np.int64)])
        if self._own is not None:
            everything = self._own.with_added(ready)
            if self._native.outgrown(len(everything)):
                self._become(self.of_rows(everything, numbers, self.metric, self.kind))
                return
            self._own = everything
        self._view = None
        self._native.add(ready, numbers[len(self) :])
        self.numbers = numbers

    def remove(self, positions: Numbers) -> None:
        """Take vectors out by position; the numbers of the others stay. At least one must remain.

        An ``hnsw`` graph keeps walking over what was removed, and answers without it; it is built anew when more than
        a quarter of it is dead, or when it is small.
        """
        kept = np.ones(len(self), bool)
        kept[positions] = False
        if not self._native.remove(self.numbers, ~kept):
            rows = Rows(self._stored().without(kept).copy())
            self._become(self.of_rows(rows, self.numbers[kept], self.metric, self.kind))
            return
        self._view = None
        if self._own is not None:
            self._own = self._own.without(kept)
        self.numbers = self.numbers[kept]

    def _become(self, other: VectorIndex) -> None:
        self._native, self._own, self.numbers, self._view = other._native, other._own, other.numbers, None

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

    def content(self) -> Pieces:
        """The content of ``index.faiss``, which plain ``faiss.read_index`` opens."""
        return Pieces(self._native.write)

    def vectors_content(self) -> Optional[Pieces]:
        """The content of ``vectors.npy``; None for kinds that have the vectors in ``index.faiss`` alone."""
        return None if self._own is None else Pieces(self._own.write)

    def to_bytes(self) -> bytes:
        """:meth:`content` in one piece."""
        return self.content().whole()

    @classmethod
    def from_bytes(
        cls, data: Read, *, metric: str, kind: str, vectors: Optional[Callable[[int, int], Rows]] = None
    ) -> VectorIndex:
        """Read an index back. Check its checksum first: FAISS trusts what it reads.

        Args:
            data: The content of ``index.faiss``.
            metric: What it must measure by.
            kind: What it must be.
            vectors: Called with (N, D), gives the vectors of an IVF kind; None takes those of ``"ivf"`` from FAISS.

        Raises:
            GalleryError: FAISS cannot read it, it is of another kind or metric, or lacks its vectors.
        """
        native, numbers = Native.read(data, kind, metric)
        if kind not in APART:
            return cls(native, kind, metric, numbers, None)
        own = native.rows() if vectors is None else vectors(len(numbers), native.dim)
        if own is None:
            raise GalleryError("vectors.npy is missing, which an ivfpq index needs; build the gallery anew.")
        return cls(native, kind, metric, numbers, own)
