"""Files of a folder that a stranger may have made: read without following links, and the lock that savers share."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Iterator, List, Optional

from galleries.content import Read, map_file, measure, measure_file
from galleries.errors import GalleryError

MAPPED_FROM = 8 << 20
"""Bytes from which a file is mapped rather than read into memory."""


def read_plain(path: Path, limit: int) -> Optional[bytes]:
    """At most ``limit`` + 1 bytes of a plain file; None if there is none. A link or device is refused."""
    handle = _open_plain(path)
    if handle is None:
        return None
    with os.fdopen(handle, "rb") as file:
        try:
            return file.read(min(limit, os.fstat(handle).st_size) + 1)  # a header may state any size
        except OSError as error:
            raise GalleryError(f"{path} cannot be read ({error.strerror or error}).") from error


def read_checked(path: Path, size: int, checksum: str) -> Optional[Read]:
    """A plain file that has the stated size and BLAKE2b-256 checksum; None if there is none.

    A file from :data:`MAPPED_FROM` bytes on is checked piece by piece and then mapped: what is not looked at takes no
    memory, and the file may be renamed or deleted meanwhile.

    Args:
        path: The file.
        size: Bytes it must have.
        checksum: 64 hex digits.

    Raises:
        ValueError: It has another size or checksum.
        GalleryError: It is a link or device, or cannot be read.
    """
    handle = _open_plain(path)
    if handle is None:
        return None
    with os.fdopen(handle, "rb") as file:
        if os.fstat(handle).st_size != size:
            raise ValueError("another size")
        try:
            data: Read
            if size < MAPPED_FROM:
                data = file.read(size + 1)
                found = measure(data)
            else:
                found = measure_file(file)
                data = map_file(handle, size)
        except (OSError, ValueError) as error:  # mmap's ValueError: it became shorter
            raise GalleryError(f"{path} cannot be read ({error}).") from error
        if found != (size, checksum):
            raise ValueError("another checksum")
        return data


def _open_plain(path: Path) -> Optional[int]:
    """A handle on a plain file; None if there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror or str(error)
        raise GalleryError(f"{path} cannot be read ({why}); a gallery needs its own plain files.") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise GalleryError(f"{path} is not a plain file; a gallery needs its own plain files.")
    return handle


def make_folder(folder: Path) -> List[Path]:
    """Make a folder and its missing parents; returns those made, outermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


@contextlib.contextmanager
def locked(folder: Path, shared: bool = False) -> Iterator[None]:
    """Hold a folder against savers (shared: of other readers). Where no lock is to be had (Windows) go on without."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
