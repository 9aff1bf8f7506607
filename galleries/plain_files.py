"""Files of a folder that a stranger may have made: read without following links, and the lock that savers share."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Iterator, List, Optional

from galleries.errors import GalleryError


def read_plain(path: Path, limit: int) -> Optional[bytes]:
    """At most ``limit`` + 1 bytes of a plain file; None if there is none. A link or device is refused."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror or str(error)
        raise GalleryError(f"{path} cannot be read ({why}); a gallery needs its own plain files.") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise GalleryError(f"{path} is not a plain file; a gallery needs its own plain files.")
    with os.fdopen(handle, "rb") as file:
        try:
            return file.read(min(limit, status.st_size) + 1)  # a header may state any size
        except OSError as error:
            raise GalleryError(f"{path} cannot be read ({error.strerror or error}).") from error


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
