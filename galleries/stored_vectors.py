"""Vectors by number, as an index keeps them: made, grown, shrunk, written and read back.

Every vector has a number, which stays when others are removed; ``index.faiss`` answers with these numbers, also when
plain FAISS reads it. Flat and ``hnsw`` indexes hold the vectors themselves; IVF kinds keep them beside FAISS's codes.
"""

from __future__ import annotations

from typing import Callable, Optional, Type, TypeVar

import numpy as np
from numpy.typing import NDArray

from galleries.by_emotion import ByEmotion
from galleries.class_means import ClassMeans
from galleries.content import Pieces, Read
from galleries.errors import GalleryError, unknown_name
from galleries.kinds import APART, KINDS
from galleries.native import Native
from galleries.rows import Rows
from galleries.vectors import METRICS, Vectors, usable

Numbers = NDArray[np.int64]
S = TypeVar("S", bound="StoredVectors")

_ADDED = 1 << 21  # floats that are given to FAISS at a time


class StoredVectors:
    """Vectors by number; :class:`galleries.index.VectorIndex` searches them.

    Make one with :meth:`build`, :meth:`of_rows` or :meth:`from_bytes`.

    Attributes:
        kind: ``"flat"``, ``"ivf"``, ``"hnsw"`` or ``"ivfpq"``.
        metric: ``"cosine"`` or ``"euclidean"``.
        numbers: int64 (N,), ascending; position i means ``numbers[i]``.
    """

    def __init__(self, native: Native, kind: str, metric: str, numbers: Numbers, own: Optional[Rows]) -> None:
        self.kind = kind
        self.metric = metric
        self.numbers = numbers
        self._native = native
        self._own = own  # only for IVF kinds; the others show FAISS's own memory
        self._view: Optional[Rows] = None  # on that memory, until the index changes

    @classmethod
    def build(cls: Type[S], vectors: Vectors, numbers: Numbers, *, metric: str = "cosine", kind: str = "flat") -> S:
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
    def of_rows(cls: Type[S], rows: Rows, numbers: Numbers, metric: str, kind: str) -> S:
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

    def part(self: S, positions: Numbers) -> S:
        """A flat index of the vectors at these positions, int64 (M,), M ≥ 1; its numbers are 0 … M - 1."""
        return self.of_rows(Rows(self.vectors_at(positions)), np.arange(len(positions)), self.metric, "flat")

    def by_emotion(self, labels: Numbers) -> ByEmotion:
        """The vectors apart by label, int64 (N,): a copy of them."""
        return ByEmotion(self._stored(), labels, self.metric)

    def class_means(self, labels: Numbers, shares: Optional[NDArray[np.float64]], n_emotions: int) -> ClassMeans:
        """The means of the vectors of each label; arguments as of :meth:`galleries.class_means.ClassMeans.of`."""
        return ClassMeans.of(self._stored().blocks(), labels, shares, n_emotions, self.metric)

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

    def _become(self, other: StoredVectors) -> None:
        self._native, self._own, self.numbers, self._view = other._native, other._own, other.numbers, None

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
        cls: Type[S], data: Read, *, metric: str, kind: str, vectors: Optional[Callable[[int, int], Rows]] = None
    ) -> S:
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
