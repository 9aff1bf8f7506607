"""Lines of a text file that may be packed: plain, .gz, .xz or .zip, read in blocks without unpacking it all."""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

from galleries.errors import DataError

SUFFIXES = (".csv.gz", ".csv.xz", ".csv.zip", ".gz", ".xz", ".zip")
"""Endings (lower case) taken for a packed CSV file."""

_BLOCK = 1 << 21
_DAMAGE = (EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, NotImplementedError)


def line_blocks(path: Path) -> Iterator[list[bytes]]:
    """Read a text file's lines, some hundred at a time, without their line ends; blank lines are left out.

    Args:
        path: The file; how it is packed is told by its ending.

    Yields:
        Lists of at least one line.

    Raises:
        DataError: The file is missing, unreadable, truncated or damaged; the sentence counts the whole lines so far.
    """
    lines_so_far = 0
    rest = b""
    with ExitStack() as stack:
        try:
            file = _open(path, stack)
            while block := _read_block(file):
                *whole, rest = (rest + block).split(b"\n")
                lines = [line for line in whole if line.strip()]
                lines_so_far += len(lines)
                if lines:
                    yield lines
        except _DAMAGE as error:
            reason = "ends too early" if isinstance(error, EOFError) else "is damaged or packed in an unknown way"
            raise DataError(
                f"{path} {reason} ({error}): {max(0, lines_so_far - 1)} rows were whole before that; "
                "download or copy the file again, and compare its size with the original."
            ) from error
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if rest.strip():
        yield [rest]


def _read_block(file: IO[bytes]) -> bytes:
    """About two megabytes, or what is left; nothing at the end. What precedes damage is delivered before the error."""
    parts: list[bytes] = []
    size = 0
    try:
        while size < _BLOCK and (part := file.read1(_BLOCK)):  # type: ignore[attr-defined]
            parts.append(part)
            size += len(part)
    except _DAMAGE:
        if not parts:
            raise
    return b"".join(parts)


def _open(path: Path, stack: ExitStack) -> IO[bytes]:
    name = path.name.lower()
    if name.endswith(".gz"):
        return cast("IO[bytes]", stack.enter_context(gzip.open(path, "rb")))
    if name.endswith(".xz"):
        return stack.enter_context(lzma.open(path, "rb"))
    if name.endswith(".zip"):
        return _open_in_zip(stack.enter_context(zipfile.ZipFile(path)), path, stack)
    return stack.enter_context(path.open("rb"))


def _open_in_zip(archive: zipfile.ZipFile, path: Path, stack: ExitStack) -> IO[bytes]:
    """The archive's CSV file: fer2013.csv if it holds several, else the largest."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and "__MACOSX" not in entry.filename]
    tables = [entry for entry in entries if entry.filename.lower().endswith(".csv")]
    if not tables:
        inside = ", ".join(entry.filename for entry in entries[:4]) or "nothing"
        raise DataError(
            f"{path} holds no CSV file, but {inside}; unpack it and give the folder with the pictures, "
            "or give the archive with fer2013.csv."
        )
    named = [entry for entry in tables if Path(entry.filename).name.lower() == "fer2013.csv"]
    chosen = (named or sorted(tables, key=lambda entry: -entry.file_size))[0]
    if chosen.flag_bits & 1:
        raise DataError(f"{path} is protected by a password; unpack {chosen.filename} and give that file.")
    return stack.enter_context(archive.open(chosen))
