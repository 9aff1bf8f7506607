"""Where a bundle's files are read from: a folder, or a ``.zip`` that may come from a stranger.

Only names that are known beforehand are read, never through a link, and never more bytes than were announced. A zip is
read into memory and nothing of it is unpacked by name, so no name in it can point elsewhere. What a zip could do harm
with is refused before it is unpacked: absolute paths and ``..`` (no known name has them), links, names that occur
twice, passwords, unknown compression, and sizes out of proportion (a *bomb*).
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Dict, Iterable, Optional, Protocol, Type, Union

from galleries.content import Read, measure
from galleries.errors import GalleryError, first_line, shown
from galleries.plain_files import read_checked, read_plain

LARGEST = (1 << 31) - 1
"""Bytes that a zip may have and may unpack to: larger bundles are folders."""

GREATEST_RATIO = 100
"""How many times its own size a zip may unpack to; pictures and vectors stay far below."""

_END = struct.Struct("<4s4H2LH")  # a zip's last 22 bytes when it has no comment
_END64 = b"PK\x06\x07"
_LISTING_LIMIT = 1 << 16  # bytes of a zip's list of files
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError, OverflowError)


class Files(Protocol):
    """Something that files are read from by name."""

    def read(self, name: str, limit: int) -> Optional[bytes]:
        """At most ``limit`` + 1 bytes of a file; None if there is none.

        Raises:
            GalleryError: It cannot be read, or is no plain file.
        """

    def checked(self, name: str, size: int, digest: str) -> Optional[Read]:
        """A file that has the stated size and BLAKE2b-256 checksum; None if there is none.

        Raises:
            ValueError: It has another size or checksum.
            GalleryError: It cannot be read, or is no plain file.
        """


class FolderFiles:
    """The plain files of a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Union[str, Path]) -> None:
        self.folder = Path(folder)

    def read(self, name: str, limit: int) -> Optional[bytes]:
        """As :meth:`Files.read`; a link, also to a folder, is refused."""
        return read_plain(self._inside(name), limit)

    def checked(self, name: str, size: int, digest: str) -> Optional[Read]:
        """As :meth:`Files.checked`; a large file is mapped, and a link, also to a folder, is refused."""
        return read_checked(self._inside(name), size, digest)

    def _inside(self, name: str) -> Path:
        path = self.folder / name
        if path.parent != self.folder and path.parent.is_symlink():
            raise GalleryError(f"{path.parent} is a link; a bundle needs its own plain files.")
        return path


class ZipFiles:
    """The files of a zip, checked before any of them is unpacked. Use it in a ``with`` statement.

    Args:
        path: The zip.
        known: Every name it may hold.

    Raises:
        GalleryError: It is missing, no zip, damaged, or holds what no bundle has.
    """

    def __init__(self, path: Union[str, Path], known: Iterable[str]) -> None:
        self.path = Path(path)
        try:
            self._file = self.path.open("rb")
        except OSError as error:
            raise GalleryError(f"{self.path} cannot be read ({error.strerror or error}); give a bundle.") from error
        try:
            size = self._check_end()
            self._zip = zipfile.ZipFile(self._file)
            self._entries = self._check_entries(size, frozenset(known))
        except _BROKEN as error:
            self._file.close()
            raise GalleryError(
                f"{self.path} is not a readable zip ({first_line(error)}); copy or export the bundle again."
            ) from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> ZipFiles:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._zip.close()
        self._file.close()

    def read(self, name: str, limit: int) -> Optional[bytes]:
        """As :meth:`Files.read`."""
        info = self._entries.get(name)
        if info is None:
            return None
        try:
            with self._zip.open(info) as file:
                return file.read(min(limit, info.file_size) + 1)  # a reader takes memory for what is asked for
        except _BROKEN as error:
            raise GalleryError(
                f"{name} in {self.path} is damaged ({first_line(error)}); copy or export the bundle again."
            ) from error

    def checked(self, name: str, size: int, digest: str) -> Optional[Read]:
        """As :meth:`Files.checked`."""
        data = self.read(name, size)
        if data is not None and measure(data) != (size, digest):
            raise ValueError("another size or checksum")
        return data

    def _check_end(self) -> int:
        """The zip's size, once its last bytes announce a short list of files without a comment behind it."""
        size = self._file.seek(0, os.SEEK_END)
        if size > LARGEST:
            raise GalleryError(f"{self.path} has {size:,} bytes, more than any zipped bundle; give a folder instead.")
        self._file.seek(max(0, size - _END.size - 20))
        tail = self._file.read()
        if len(tail) < _END.size or not tail[-_END.size :].startswith(b"PK\x05\x06"):
            raise GalleryError(f"{self.path} is no zip as emotions export writes it; give a bundle.")
        listing = _END.unpack(tail[-_END.size :])[5]
        if tail.startswith(_END64) or listing > _LISTING_LIMIT:
            raise GalleryError(f"{self.path} lists more files than any bundle has; do not trust it.")
        return size

    def _check_entries(self, size: int, known: Iterable[str]) -> Dict[str, zipfile.ZipInfo]:
        found: Dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = info.orig_filename
            if name == "gallery/" and not info.file_size:
                continue  # other programs list the folder too
            if name not in known:
                raise GalleryError(f"{self.path} holds {shown(name)}, which no bundle has; do not trust it.")
            if name in found:
                raise GalleryError(f"{self.path} holds {name!r} twice; do not trust it.")
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                raise GalleryError(f"{name!r} in {self.path} is a link or device; do not trust it.")
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise GalleryError(f"{name!r} in {self.path} is locked or packed in an unusual way; do not trust it.")
            if info.compress_size > size:
                raise GalleryError(f"{name!r} in {self.path} is said to be larger than the zip; do not trust it.")
            found[name] = info
        total = sum(info.file_size for info in found.values())
        if total > min(LARGEST, GREATEST_RATIO * size):
            raise GalleryError(
                f"{self.path} would unpack to {total:,} bytes, {total // max(1, size):,} times its size; "
                f"do not trust it."
            )
        return found


def write_zip(path: Path, files: Dict[str, Path]) -> None:
    """Write files into a new zip, the same bytes for the same files.

    Args:
        path: The zip.
        files: Where each name's content lies, in the order they are to stand.

    Raises:
        GalleryError: They are more than a zip here may unpack to.
    """
    if sum(source.stat().st_size for source in files.values()) > LARGEST:
        raise GalleryError(f"{path.name} would pass {LARGEST:,} bytes; write the bundle as a folder instead.")
    with zipfile.ZipFile(path, "w") as target:
        for name, source in files.items():
            info = zipfile.ZipInfo(name)  # of 1980, so that equal bundles are equal files
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            target.writestr(info, source.read_bytes())
