"""The FAISS object of each kind of index: the only file that knows FAISS, and hides its quirks.

It answers with positions, the order of the references' numbers, whatever FAISS itself calls them; ``index.faiss`` as
plain FAISS reads it answers with the numbers.
"""

from __future__ import annotations

import math
from typing import Any, Optional, Tuple

import faiss
import numpy as np
from numpy.typing import NDArray

from galleries.content import PIECE, Put, Read, forget
from galleries.errors import GalleryError
from galleries.kinds import APART
from galleries.rows import Rows
from galleries.vectors import Vectors

Numbers = NDArray[np.int64]

_FAISS: Any = faiss  # whose type stubs lack reading and writing by callback

_POINTS_PER_LIST = 39  # what FAISS's clustering wants to see for each inverted list
_TRAINED_ON = 50_000  # vectors that clustering sees at least, where there are as many
_CENTROIDS = 256  # of a product quantiser's part: one byte
_POINTS_PER_CODE = 100  # vectors that each of them is trained on at most
_ROUNDS = 10  # of their clustering; candidates are only to be roughly in order, and FAISS's 25 take minutes
_FLOATS_PER_BYTE = 4  # that one byte of a product quantiser stands for, or fewer
_DEAD_SHARE = 0.25  # of a graph's vectors that may be removed ones before it is built anew
_SMALL_GRAPH = 2000  # vectors up to which a graph is built anew at once
_FORGOTTEN = 16 << 20  # bytes of a mapped file after which those read are given back
_BLOCK = 4096  # vectors of a sample that are read at a time
_GROWN = 4  # times the lists that were made, from which vectors are clustered anew
_ALONE = 1 << 24  # products up to which one thread searches: OpenMP's others then spin for longer than they would help


class Native:
    """A FAISS index of some kind.

    Attributes:
        kind: ``"flat"``, ``"ivf"``, ``"hnsw"`` or ``"ivfpq"``.
        index: FAISS's object.
        dim: Length D of the vectors.
    """

    def __init__(self, index: Any, kind: str) -> None:
        self.index, self.kind = index, kind
        self.dim = int(index.d)
        # the index inside an IDMap2 answers with positions, as its numbers ascend, and spares FAISS a parallel loop
        self._inner = index if kind in APART else index.index
        self._alive: Optional[Numbers] = None  # FAISS's positions of those not removed; None: all
        self._place: Optional[Numbers] = None  # the way back, -1 for those removed
        if kind == "hnsw":
            self._look_for_dead()

    @classmethod
    def make(cls, kind: str, metric: str, rows: Rows) -> Native:
        """An empty index that is fit for these vectors, at least one; IVF kinds are trained on a sample of them."""
        dim, measure = rows.dim, _measure(metric)
        if kind == "hnsw":
            graph = faiss.IndexHNSWFlat(dim, 32, measure)
            graph.hnsw.efConstruction = 80
            graph.hnsw.efSearch = 64  # stored in the file
            return cls(faiss.IndexIDMap2(graph), kind)
        if kind == "flat":
            return cls(faiss.IndexIDMap2(faiss.IndexFlat(dim, measure)), kind)
        lists = list_count(len(rows))
        native: Any
        if kind == "ivf":
            native = faiss.IndexIVFFlat(faiss.IndexFlat(dim, measure), dim, lists, measure)
        else:
            native = faiss.IndexIVFPQ(faiss.IndexFlat(dim, measure), dim, lists, code_bytes(dim), 8, measure)
            native.by_residual = metric == "cosine"  # Euclidean residuals need a table of 32 kB × lists × code bytes
            native.pq.cp.min_points_per_centroid = 1
            native.pq.cp.max_points_per_centroid, native.pq.cp.niter = _POINTS_PER_CODE, _ROUNDS
        native.nprobe = max(1, -(-lists // 8))  # an eighth of the lists, rounded up; stored in the file
        native.cp.min_points_per_centroid = 1  # keeps FAISS from printing about small galleries
        native.train(training_sample(rows, lists, _CENTROIDS if kind == "ivfpq" else 1))
        return cls(native, kind)

    @classmethod
    def read(cls, data: Read, kind: str, metric: str) -> Tuple[Native, Numbers]:
        """An index read back, and its numbers. Check its checksum first: FAISS trusts what it reads.

        Raises:
            GalleryError: FAISS cannot read it, or it is of another kind or metric.
        """
        try:
            native = cls(_read_faiss(data), kind)
            numbers = native._checked_numbers()
        except (RuntimeError, AssertionError, AttributeError, MemoryError) as error:
            raise GalleryError(
                f"index.faiss cannot be read as a {kind} index by FAISS {faiss.__version__}; it may come from a newer "
                f"FAISS: build the gallery anew or update faiss-cpu."
            ) from error
        count = native.index.ntotal - native.dead
        if native.index.metric_type != _measure(metric) or len(numbers) != count or (np.diff(numbers) <= 0).any():
            raise GalleryError(f"index.faiss is not the {metric} index that gallery.json describes; build it anew.")
        return native, numbers

    @property
    def dead(self) -> int:
        """Removed vectors that a graph still walks over; it answers without them."""
        return 0 if self._alive is None else int(self.index.ntotal) - len(self._alive)

    def add(self, ready: Vectors, numbers: Numbers) -> None:
        """Add vectors (M, D) with their numbers, int64 (M,), above all that are here."""
        first = int(self.index.ntotal)
        self.index.add_with_ids(ready, numbers)
        if self._alive is not None:
            self._set_alive(np.concatenate([self._alive, np.arange(first, first + len(ready))]))

    def outgrown(self, size: int) -> bool:
        """Whether ``size`` vectors need many more inverted lists than there are."""
        return self.kind in APART and list_count(size) > _GROWN * int(self.index.nlist)

    def remove(self, numbers: Numbers, gone: NDArray[np.bool_]) -> bool:
        """Take vectors out where ``gone``, bool (N,), holds; False if the index has to be built anew instead.

        FAISS cannot remove from a graph: there they get the number -1, which plain FAISS answers for "none", and are
        left out of the answers, until more than a quarter of the graph is dead.
        """
        if self.kind != "hnsw":
            self.index.remove_ids(numbers[gone])
            return True
        total = int(self.index.ntotal)
        kept = len(gone) - int(gone.sum())
        if total <= _SMALL_GRAPH or total - kept > _DEAD_SHARE * total:
            return False
        alive = np.arange(total) if self._alive is None else self._alive
        ids = faiss.rev_swig_ptr(self.index.id_map.data(), total)
        ids[alive[gone]] = -1
        self.index.construct_rev_map()
        self._set_alive(alive[~gone])
        return True

    def rows(self) -> Optional[Rows]:
        """The vectors in FAISS's own memory, to be let go before the index changes; None for PQ, which has none."""
        if self.kind == "ivfpq":
            return None
        if self.kind == "ivf":
            return Rows(self._listed()[1])
        storage: Any = faiss.downcast_index(self.index.index)
        if self.kind == "hnsw":
            storage = faiss.downcast_index(storage.storage)
        total = int(self.index.ntotal)
        held: Vectors = faiss.rev_swig_ptr(storage.get_xb(), total * self.dim).reshape(total, self.dim)
        return Rows(held, self._alive)

    def nearest(self, ready: Vectors, wide: int, numbers: Numbers) -> Numbers:
        """Positions of about the ``wide`` nearest of each query, int64 (B, at least wide), -1 for none."""
        if len(ready) == 1 or len(ready) * int(self.index.ntotal) * self.dim > _ALONE:
            return self._nearest(ready, wide, numbers)
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)  # of regions that this very thread opens
        try:
            return self._nearest(ready, wide, numbers)
        finally:
            faiss.omp_set_num_threads(threads)

    def _nearest(self, ready: Vectors, wide: int, numbers: Numbers) -> Numbers:
        if self.kind in APART:
            found: Numbers = self._inner.search(ready, wide)[1]
            absent = found < 0
            if absent.any():
                found = np.where(absent, numbers[0], found)
            positions: Numbers = np.searchsorted(numbers, found).astype(np.int64)
            positions[absent] = -1
            return positions
        if self._place is None:
            near: Numbers = self._inner.search(ready, wide)[1]
            return near
        found = self._inner.search(ready, min(int(self.index.ntotal), wide + min(wide, self.dead)))[1]
        return np.where(found < 0, -1, self._place[found])

    def write(self, put: Put) -> None:
        """Give the content of ``index.faiss`` to ``put``, piece by piece."""
        faiss.write_index(self.index, _FAISS.PyCallbackIOWriter(put, PIECE))

    def _set_alive(self, alive: Numbers) -> None:
        self._alive = alive
        self._place = np.full(int(self.index.ntotal), -1, np.int64)
        self._place[alive] = np.arange(len(alive))

    def _look_for_dead(self) -> None:
        ids = faiss.vector_to_array(self.index.id_map)
        if (ids == -1).any():
            self._set_alive(np.flatnonzero(ids != -1))

    def _checked_numbers(self) -> Numbers:
        """The numbers (N,) of an index just read, as FAISS has them; RuntimeError if it is of another kind."""
        expected = {"ivf": faiss.IndexIVFFlat, "ivfpq": faiss.IndexIVFPQ, "hnsw": faiss.IndexHNSWFlat}
        own = self.index if self.kind in APART else faiss.downcast_index(self.index.index)
        if not isinstance(own, expected.get(self.kind, faiss.IndexFlat)):
            raise RuntimeError(f"unexpected {type(own).__name__}")
        if not self.index.is_trained:
            raise RuntimeError("not trained")
        if self.kind in APART:
            return self._listed(codes=False)[0]
        ids: Numbers = faiss.vector_to_array(self.index.id_map)
        return ids if self._alive is None else ids[self._alive]

    def _listed(self, codes: bool = True) -> Tuple[Numbers, Vectors]:
        """Numbers in the inverted lists, ascending, and the vectors of an IVF index in their order."""
        lists: Any = self.index.invlists
        width = int(self.index.code_size)
        sizes = [lists.list_size(i) for i in range(self.index.nlist)]
        numbers = [faiss.rev_swig_ptr(lists.get_ids(i), size) for i, size in enumerate(sizes) if size]
        if not numbers:
            return np.empty(0, np.int64), np.empty((0, self.dim), np.float32)
        every = np.concatenate(numbers)
        order = np.argsort(every, kind="stable")
        if not codes:
            return every[order], np.empty((0, self.dim), np.float32)
        held = [faiss.rev_swig_ptr(lists.get_codes(i), size * width) for i, size in enumerate(sizes) if size]
        return every[order], np.concatenate(held).view(np.float32).reshape(-1, self.dim)[order]


def _measure(metric: str) -> int:
    return int(faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2)


def _read_faiss(data: Read) -> Any:
    view, done = memoryview(data), 0

    def more(size: int) -> bytes:
        nonlocal done
        piece = bytes(view[done : done + size])
        done += len(piece)
        if done % _FORGOTTEN < size:
            forget(data)
        return piece

    return faiss.read_index(_FAISS.PyCallbackIOReader(more, PIECE))


def nearest_in_block(ready: Vectors, block: Vectors, k: int) -> Numbers:
    """Places of the k nearest of a block's vectors (b, D) to each query (B, D), by comparing all: int64 (B, k)."""
    found: Numbers = faiss.knn(ready, np.ascontiguousarray(block), k)[1]
    return found


def squares_to_each(query: Vectors, vectors: Vectors) -> Vectors:
    """Squared distances of one query (D,) to vectors (N, D), but for rounding: float32 (N,). In this thread alone."""
    squares = np.empty(len(vectors), np.float32)
    of_query, of_vectors = np.ascontiguousarray(query, np.float32), np.ascontiguousarray(vectors, np.float32)
    compare: Any = faiss
    pointers = (faiss.swig_ptr(array) for array in (squares, of_query, of_vectors))
    compare.fvec_L2sqr_ny(*pointers, len(query), len(vectors))
    return squares


def list_count(n_vectors: int) -> int:
    """Inverted lists for N vectors: about 4 √N, but no more than FAISS can train well on so few."""
    return max(1, min(round(4 * math.sqrt(n_vectors)), n_vectors // _POINTS_PER_LIST))


def code_bytes(dim: int) -> int:
    """Bytes that a product quantiser keeps of a vector: one for four numbers, or fewer where four do not divide D."""
    return dim // max(part for part in range(1, _FLOATS_PER_BYTE + 1) if dim % part == 0)


def training_sample(rows: Rows, lists: int, least: int) -> Vectors:
    """Vectors to train inverted lists on: all of few, else 50,000 or 39 for each list, evenly spread.

    Args:
        rows: The vectors, at least one.
        lists: How many lists are made.
        least: How many vectors are needed; fewer are repeated.
    """
    size = min(len(rows), max(_TRAINED_ON, _POINTS_PER_LIST * lists))
    chosen = np.arange(len(rows)) if size == len(rows) else np.arange(size, dtype=np.int64) * len(rows) // size
    places = np.resize(chosen, max(size, least)).astype(np.int64)
    sample = np.empty((len(places), rows.dim), np.float32)
    for start in range(0, len(places), _BLOCK):
        sample[start : start + _BLOCK] = rows.take(places[start : start + _BLOCK])
        forget(rows.source)
    return sample
