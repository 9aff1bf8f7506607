"""Nearest neighbours among vectors: the only file that knows FAISS, and hides its quirks.

Every vector has a number, which stays when others are removed; ``index.faiss`` answers with these numbers, also when
plain FAISS reads it. Candidates come from FAISS, their distances are then computed here from the vectors themselves:
so a vector is at distance 0 from itself, copies are at exactly equal distances, a query gets the same answer alone and
in a batch, and ties go to the lower number. A search never answers "no neighbour".
"""

from __future__ import annotations

import math
from typing import Any, Optional, Tuple

import faiss
import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError, unknown_name
from galleries.vectors import METRICS, Vectors, check_k, squared_distances, usable

KINDS: Tuple[str, ...] = ("flat", "ivf", "hnsw")
"""``flat`` compares with every vector (exact; fast enough to 10⁵), the others are approximate, for larger sets."""

Numbers = NDArray[np.int64]

_SPARE = 8  # candidates beyond k, so that ties at the border are seen
_WIDER = 16  # by which the candidates of an undecided border grow once, before every vector is compared
_DOUBT = 2.0**-21  # relative error of a squared distance computed by matrix product in float32
_POINTS_PER_LIST = 39  # what FAISS's clustering wants to see for each inverted list
_BLOCK = 1 << 22  # floats of a temporary array


class VectorIndex:
    """Vectors by number, and the search for the nearest.

    Make one with :meth:`build` or :meth:`from_bytes`.

    Attributes:
        kind: ``"flat"``, ``"ivf"`` or ``"hnsw"``.
        metric: ``"cosine"`` or ``"euclidean"``.
        numbers: int64 (N,), ascending; position i of a search means ``numbers[i]``.
    """

    def __init__(self, native: Any, kind: str, metric: str, numbers: Numbers, own: Vectors) -> None:
        self.kind = kind
        self.metric = metric
        self.numbers = numbers
        self._native = native
        # the index inside an IDMap2 answers with positions, as its numbers ascend, and spares FAISS a parallel loop
        self._inner = native if kind == "ivf" else native.index
        self._own = own  # (N, D) only for IVF; the others show FAISS's own memory
        self._view: Optional[Vectors] = None  # on that memory, until the index changes

    @classmethod
    def build(cls, vectors: Vectors, numbers: Numbers, *, metric: str = "cosine", kind: str = "flat") -> VectorIndex:
        """Index vectors.

        Args:
            vectors: float32 (N, D), N ≥ 1; under ``"cosine"`` unit-length copies are kept.
            numbers: int64 (N,), strictly ascending, not negative.
            metric: ``"cosine"`` or ``"euclidean"``.
            kind: ``"flat"``, ``"ivf"`` or ``"hnsw"``.

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
        return cls._make(ready, np.ascontiguousarray(numbers, np.int64), metric, kind)

    @classmethod
    def _make(cls, ready: Vectors, numbers: Numbers, metric: str, kind: str) -> VectorIndex:
        assert len(ready) == len(numbers)
        assert (np.diff(numbers) > 0).all()
        dim = ready.shape[1]
        measure = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
        native: Any
        if kind == "ivf":
            lists = list_count(len(ready))
            native = faiss.IndexIVFFlat(faiss.IndexFlat(dim, measure), dim, lists, measure)
            native.nprobe = max(1, -(-lists // 8))  # an eighth of the lists, rounded up; stored in the file
            native.cp.min_points_per_centroid = 1  # keeps FAISS from printing about small galleries
            native.train(ready)
        elif kind == "hnsw":
            graph = faiss.IndexHNSWFlat(dim, 32, measure)
            graph.hnsw.efConstruction = 80
            graph.hnsw.efSearch = 64  # stored in the file
            native = faiss.IndexIDMap2(graph)
        else:
            native = faiss.IndexIDMap2(faiss.IndexFlat(dim, measure))
        native.add_with_ids(ready, numbers)
        return cls(native, kind, metric, numbers, ready if kind == "ivf" else ready[:0])

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def dim(self) -> int:
        """Length D of the vectors."""
        return int(self._native.d)

    def vectors(self) -> Vectors:
        """A copy of the vectors, float32 (N, D), of unit length under cosine, in the order of ``numbers``."""
        return self._stored().copy()

    def _stored(self) -> Vectors:
        """The vectors without a copy, to be let go before the index changes."""
        if self.kind == "ivf":
            return self._own
        if self._view is None:
            storage: Any = faiss.downcast_index(self._native.index)
            if self.kind == "hnsw":
                storage = faiss.downcast_index(storage.storage)
            self._view = faiss.rev_swig_ptr(storage.get_xb(), len(self) * self.dim).reshape(len(self), self.dim)
        return self._view

    def part(self, positions: Numbers) -> VectorIndex:
        """A flat index of the vectors at these positions, int64 (M,), M ≥ 1; its numbers are 0 … M - 1."""
        return self._make(self._stored()[positions], np.arange(len(positions)), self.metric, "flat")

    def add(self, vectors: Vectors, numbers: Numbers) -> None:
        """Add vectors.

        Args:
            vectors: (M, D).
            numbers: int64 (M,), strictly ascending, above every number here.

        Raises:
            GalleryError: As :meth:`build`, or another D.
        """
        ready = usable(vectors, self.metric, self.dim)
        numbers = np.concatenate([self.numbers, np.ascontiguousarray(numbers, np.int64)])
        if self.kind == "ivf":
            everything = np.concatenate([self._own, ready])
            if list_count(len(everything)) > 4 * self._native.nlist:  # outgrown: cluster anew
                self._become(self._make(everything, numbers, self.metric, self.kind))
                return
            self._own = everything
        self._view = None
        self._native.add_with_ids(ready, numbers[len(self) :])
        self.numbers = numbers

    def remove(self, positions: Numbers) -> None:
        """Take vectors out by position; the numbers of the others stay. At least one must remain."""
        kept = np.ones(len(self), bool)
        kept[positions] = False
        if self.kind == "hnsw":  # FAISS cannot remove from a graph
            self._become(self._make(self._stored()[kept], self.numbers[kept], self.metric, self.kind))
            return
        self._view = None
        self._native.remove_ids(self.numbers[~kept])
        if self.kind == "ivf":
            self._own = self._own[kept]
        self.numbers = self.numbers[kept]

    def _become(self, other: VectorIndex) -> None:
        self._native, self._inner, self._own = other._native, other._inner, other._own
        self.numbers, self._view = other.numbers, None

    def search(self, queries: Vectors, k: int) -> Tuple[Vectors, Numbers]:
        """The k nearest vectors of each query; exact for ``flat``.

        Args:
            queries: (B, D); B may be 0.
            k: 1 … N.

        Returns:
            Distances float32 (B, k), nearest first, and positions int64 (B, k). Equal distances come in ascending
            position.

        Raises:
            GalleryError: Queries that are not numbers or of a wrong shape, or a k out of range.
        """
        check_k(k, len(self))
        ready = usable(queries, self.metric, self.dim)
        if not len(ready):
            return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        wide = min(len(self), k + _SPARE)
        squares, positions, open_rows = self._candidates(ready, k, wide)
        if len(open_rows) and wide < len(self):
            wider = min(len(self), wide * _WIDER)
            again, found, still = self._candidates(ready[open_rows], k, wider)
            squares[open_rows], positions[open_rows] = again[:, :wide], found[:, :wide]
            open_rows = open_rows[still]
        for row in open_rows:
            squares[row, :k], positions[row, :k] = self._compare_all(ready[row], k)
        return self._distances(squares[:, :k]), positions[:, :k]

    def within(self, query: Vectors, radius: float) -> Tuple[Vectors, Numbers]:
        """Every vector at most ``radius`` away, nearest first; exact for every kind.

        Args:
            query: (D,).
            radius: Greatest distance.

        Returns:
            Distances float32 (M,) and positions int64 (M,).
        """
        ready = usable(np.asarray(query)[None], self.metric, self.dim)
        squares, positions = self._compare_all(ready[0], len(self))
        distances = self._distances(squares)
        near = distances <= np.float32(radius)
        return distances[near], positions[near]

    def _candidates(self, ready: Vectors, k: int, wide: int) -> Tuple[Vectors, Numbers, Numbers]:
        """FAISS's ``wide`` nearest, put in order: squared distances, positions, and rows where the border is open."""
        _, found = self._inner.search(ready, wide)  # (B, wide), -1 where an approximate index has no more
        absent = found < 0
        gaps = bool(absent.any())
        positions = np.where(absent, self.numbers[0] if self.kind == "ivf" else 0, found) if gaps else found
        if self.kind == "ivf":
            positions = np.searchsorted(self.numbers, positions)
        squares = np.empty(found.shape, np.float32)
        stored = self._stored()
        step = max(1, _BLOCK // (wide * self.dim))
        for start in range(0, len(ready), step):
            rows = slice(start, start + step)
            squares[rows] = squared_distances(stored[positions[rows]], ready[rows, None])  # (b, wide, D) -> (b, wide)
        if gaps:
            squares[absent] = np.inf
        at = np.arange(len(found))[:, None], np.lexsort((positions, squares), axis=1)
        squares, positions = squares[at], positions[at]
        is_open = squares[:, k - 1] == np.inf
        if self.kind == "flat" and wide < len(self):  # vectors just outside may be as near as the k-th
            scale = np.einsum("bd,bd->b", ready, ready) + squares[:, k - 1]
            is_open |= squares[:, -1] - squares[:, k - 1] <= _DOUBT * 4 * scale
        return squares, positions, np.flatnonzero(is_open)

    def _compare_all(self, query: Vectors, k: int) -> Tuple[Vectors, Numbers]:
        """The k nearest of one query (D,) by comparing every vector: squared distances and positions (k,)."""
        stored = self._stored()
        step = max(1, _BLOCK // self.dim)
        blocks = [squared_distances(stored[s : s + step], query[None]) for s in range(0, len(stored), step)]
        squares = np.concatenate(blocks)
        order = np.argsort(squares, kind="stable")[:k].astype(np.int64)
        return squares[order], order

    def _distances(self, squares: Vectors) -> Vectors:
        # between unit vectors |a - b|² = 2 (1 - cos)
        return np.minimum(squares / 2, np.float32(2)) if self.metric == "cosine" else np.sqrt(squares)

    def to_bytes(self) -> bytes:
        """The content of ``index.faiss``, which plain ``faiss.read_index`` opens."""
        data: bytes = faiss.serialize_index(self._native).tobytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes, *, metric: str, kind: str) -> VectorIndex:
        """Read an index back. Check its checksum first: FAISS trusts what it reads.

        Raises:
            GalleryError: FAISS cannot read it, or it is of another kind or metric.
        """
        try:
            native = faiss.deserialize_index(np.frombuffer(data, np.uint8))
            numbers, own = _contents(native, kind)
        except (RuntimeError, AssertionError, AttributeError, MemoryError) as error:
            raise GalleryError(
                f"index.faiss cannot be read as a {kind} index by FAISS {faiss.__version__}; it may come from a newer "
                f"FAISS: build the gallery anew or update faiss-cpu."
            ) from error
        measure = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
        if native.metric_type != measure or len(numbers) != native.ntotal or (np.diff(numbers) <= 0).any():
            raise GalleryError(f"index.faiss is not the {metric} index that gallery.json describes; build it anew.")
        return cls(native, kind, metric, numbers, own)


def _contents(native: Any, kind: str) -> Tuple[Numbers, Vectors]:
    """Numbers (N,) ascending, and for IVF the vectors (N, D), of an index just read."""
    empty = np.empty((0, native.d), np.float32)
    if kind != "ivf":
        inner = faiss.downcast_index(native.index)
        if not isinstance(inner, faiss.IndexHNSWFlat if kind == "hnsw" else faiss.IndexFlat):
            raise RuntimeError(f"unexpected {type(inner).__name__}")
        return faiss.vector_to_array(native.id_map), empty
    if not isinstance(native, faiss.IndexIVFFlat):
        raise RuntimeError(f"unexpected {type(native).__name__}")
    lists: Any = native.invlists
    sizes = [lists.list_size(i) for i in range(native.nlist)]
    numbers = [faiss.rev_swig_ptr(lists.get_ids(i), size) for i, size in enumerate(sizes) if size]
    codes = [faiss.rev_swig_ptr(lists.get_codes(i), size * native.code_size) for i, size in enumerate(sizes) if size]
    if not numbers:
        return np.empty(0, np.int64), empty
    every, flat = np.concatenate(numbers), np.concatenate(codes).view(np.float32).reshape(-1, native.d)
    order = np.argsort(every)
    return every[order], flat[order]


def list_count(n_vectors: int) -> int:
    """Inverted lists for N vectors: about 4 √N, but no more than FAISS can train well on so few."""
    return max(1, min(round(4 * math.sqrt(n_vectors)), n_vectors // _POINTS_PER_LIST))
