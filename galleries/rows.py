"""Vectors by position, in memory or in a mapped file, less what was removed and with what was added."""

from __future__ import annotations

import io
import re
from typing import Any, Iterator, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.content import Put, Read, forget
from galleries.errors import GalleryError
from galleries.vectors import Vectors

Numbers = NDArray[np.int64]

_BLOCK = 1 << 20  # floats that are gathered at a time: 4 MiB

_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d{1,12}), (\d{1,9})\), \} *\n",
    re.DOTALL,
)


class Rows:
    """Vectors float32 (N, D) by position, never changed in place: removing and adding give other rows on the same base.

    Args:
        base: float32 (B, D), C order; possibly the view of a mapped file, of which only what is asked for is read.
        kept: int64, the rows of the base that count, ascending; None for all.
        added: float32 (M, D), what comes after them.
        source: The mapped file that the base is a view of, so that a pass over all of it leaves no memory taken.
    """

    def __init__(
        self,
        base: Vectors,
        kept: Optional[Numbers] = None,
        added: Optional[Vectors] = None,
        source: Optional[Read] = None,
    ) -> None:
        self.base, self.kept, self.source = base, kept, source
        self.added: Vectors = np.empty((0, base.shape[1]), np.float32) if added is None else added
        self._border = len(base) if kept is None else len(kept)

    def __len__(self) -> int:
        return self._border + len(self.added)

    @property
    def dim(self) -> int:
        """Length D of the vectors."""
        return int(self.base.shape[1])

    def take(self, positions: Numbers) -> Vectors:
        """The vectors at these positions, int64 of any shape (…): float32 (…, D), a copy."""
        if not len(self.added):
            return self.base[positions if self.kept is None else self.kept[positions]]
        found = np.empty((*positions.shape, self.dim), np.float32)
        old = positions < self._border
        at = positions[old]
        found[old] = self.base[at if self.kept is None else self.kept[at]]
        found[~old] = self.added[positions[~old] - self._border]
        return found

    def blocks(self, step: Optional[int] = None) -> Iterator[Vectors]:
        """All vectors in order, some at a time: float32 (b, D), to be read only."""
        step = step or max(1, _BLOCK // self.dim)
        for start in range(0, self._border, step):
            stop = min(start + step, self._border)
            yield self.base[start:stop] if self.kept is None else self.base[self.kept[start:stop]]
            forget(self.source)
        for start in range(0, len(self.added), step):
            yield self.added[start : start + step]

    def with_added(self, more: Vectors) -> Rows:
        """These rows and more of them, float32 (M, D)."""
        return Rows(self.base, self.kept, np.concatenate([self.added, more]), self.source)

    def without(self, kept: NDArray[np.bool_]) -> Rows:
        """Only the rows where ``kept``, bool (N,), holds."""
        old = np.flatnonzero(kept[: self._border])
        chosen = old if self.kept is None else self.kept[old]
        return Rows(self.base, chosen, self.added[kept[self._border :]], self.source)

    def copy(self) -> Vectors:
        """All vectors in one array of their own, float32 (N, D)."""
        return np.concatenate(list(self.blocks())) if len(self) else np.empty((0, self.dim), np.float32)

    def write(self, put: Put) -> None:
        """Give the content of ``vectors.npy`` to ``put`` piece by piece: ``numpy.save``'s format, version 1.0."""
        put(npy_header("<f4", (len(self), self.dim)))
        for block in self.blocks():
            put(np.ascontiguousarray(block, "<f4").reshape(-1).view(np.uint8))


def npy_header(kind: str, shape: Tuple[int, ...]) -> bytes:
    """The first bytes of a ``.npy`` file, as ``numpy.save`` writes them: version 1.0, C order.

    Args:
        kind: ``"<f4"`` or ``"|u1"``.
        shape: Of the array.
    """
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def read_rows(data: Read, size: int, dim: int) -> Rows:
    """The rows of a ``vectors.npy``, without a copy. Its header is matched against the one form, not evaluated.

    Args:
        data: The file.
        size: Vectors it must hold.
        dim: Their length.

    Raises:
        GalleryError: It holds something else.
    """
    found = _NPY.match(data)
    start = 10 + int.from_bytes(data[8:10], "little")
    if found is None or found.end() != start:
        raise GalleryError("vectors.npy is not an array of vectors; float32 as numpy.save writes it was expected.")
    shape = (int(found[1]), int(found[2]))
    if shape != (size, dim) or 4 * shape[0] * shape[1] != len(data) - start:
        raise GalleryError(
            f"vectors.npy holds {len(data) - start} bytes and says it is {shape}, but the index has {size} vectors of "
            f"{dim} numbers; build the gallery anew."
        )
    flat: Any = np.frombuffer(data, "<f4", offset=start)
    return Rows(flat.reshape(shape), source=data)
