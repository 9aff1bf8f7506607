"""A file's content, as large as it may be: bytes in memory, a mapped file, or pieces that are made when asked for."""

from __future__ import annotations

import contextlib
import hashlib
import io
import mmap
from typing import Any, BinaryIO, Callable, Tuple, Union

Put = Callable[[Any], object]
"""Takes the next piece, anything with the buffer protocol."""

PIECE = 1 << 20
"""Bytes of a file that are read at a time."""


class Pieces:
    """A content too large to be held twice: made piece by piece, the same pieces each time.

    Args:
        write: Called with a function that takes each piece in turn.
    """

    def __init__(self, write: Callable[[Put], object]) -> None:
        self.write = write

    def whole(self) -> bytes:
        """All pieces as one."""
        made = io.BytesIO()
        self.write(made.write)
        return made.getvalue()


Read = Union[bytes, memoryview]
"""A content that was read: in memory, or a read-only view of a mapped file."""

Content = Union[Read, Pieces]


def forget(data: Any) -> None:
    """Give back the memory of what was read of a mapped file, which the system reads again when it is asked for.

    Args:
        data: A :data:`Read`; nothing is done where it is in memory, or where the system cannot.
    """
    mapped = data.obj if isinstance(data, memoryview) else None
    if isinstance(mapped, mmap.mmap) and hasattr(mapped, "madvise"):
        with contextlib.suppress(OSError):
            mapped.madvise(mmap.MADV_DONTNEED)


def map_file(handle: int, size: int) -> memoryview:
    """A read-only view of an open file's first bytes, at least one."""
    return memoryview(mmap.mmap(handle, size, access=mmap.ACCESS_READ))


def put_content(content: Content, put: Put) -> None:
    """Give a content to ``put``, whole or piece by piece."""
    if isinstance(content, Pieces):
        content.write(put)
    else:
        put(content)


def measure(content: Content) -> Tuple[int, str]:
    """Size in bytes and BLAKE2b-256 checksum, 64 hex digits."""
    digest, size = hashlib.blake2b(digest_size=32), 0

    def put(piece: Any) -> None:
        nonlocal size
        digest.update(piece)
        size += memoryview(piece).nbytes

    put_content(content, put)
    return size, digest.hexdigest()


def measure_file(file: BinaryIO) -> Tuple[int, str]:
    """As :func:`measure`, of an open file from where it stands; no more than one piece is in memory at once."""
    digest, size = hashlib.blake2b(digest_size=32), 0
    while True:
        piece = file.read(PIECE)
        if not piece:
            return size, digest.hexdigest()
        digest.update(piece)
        size += len(piece)
