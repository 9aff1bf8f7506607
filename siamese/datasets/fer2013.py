"""FER-2013 as a CSV file: one row a face, `emotion,pixels,Usage`, 48x48 grey pixels as numbers.

Goodfellow et al., "Challenges in Representation Learning: A report on three machine learning contests", 2013.
The file may be plain or packed (.gz, .xz, .zip), its columns in any order, and ``Usage`` may be missing.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError
from galleries.vocabulary import FER2013_LABELS
from siamese.datasets.base import Skipped
from siamese.datasets.packed import SUFFIXES, line_blocks
from siamese.datasets.reading import Face, Progress

SIDE = 48
PIXELS = SIDE * SIDE
ROWS = 35887
"""Rows of the published file: what progress is counted against until the end is known."""

USAGES = {"training": "train", "publictest": "val", "privatetest": "test"}
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")

_ROWS_A_BLOCK = 64
_SPACE, _ZERO, _NINE = 32, 48, 57


def find_csv(path: Path) -> Optional[Path]:
    """The FER-2013 file at ``path``: the file itself by its ending, or the one inside a folder by its usual name."""
    if path.is_dir():
        candidates = [path / (name + suffix) for name in CSV_NAMES for suffix in ("", *SUFFIXES)]
        return next((candidate for candidate in candidates if candidate.is_file()), None)
    name = path.name.lower()
    return path if path.is_file() and name.endswith((".csv", *SUFFIXES)) else None


@dataclass
class CsvSource:
    """Faces in a FER-2013 CSV file; ids are ``row:N``, N the number of the data row from 0."""

    root: Path
    format: str = "fer2013-csv"
    name: str = "fer2013"
    notes: list[str] = field(default_factory=list)

    def content(self) -> Iterator[tuple[str, Optional[Path]]]:
        """The file."""
        yield "csv", self.root

    def faces(self, progress: Optional[Progress]) -> Iterator[Face | Skipped]:
        """Parse row after row; unpacking runs beside it in a thread.

        Raises:
            DataError: No header with ``emotion`` and ``pixels``, or the file is truncated or damaged.
        """
        with ThreadPoolExecutor(max_workers=1) as unpacker:
            blocks = line_blocks(self.root)
            upcoming = unpacker.submit(next, blocks, None)
            columns: Optional[_Columns] = None
            row = 0
            while (lines := upcoming.result()) is not None:
                upcoming = unpacker.submit(next, blocks, None)
                if columns is None:
                    columns = _read_header(lines[0], self.root)
                    lines = lines[1:]
                for start in range(0, len(lines), _ROWS_A_BLOCK):
                    block = lines[start : start + _ROWS_A_BLOCK]
                    yield from _parse_rows(block, row, columns)
                    row += len(block)
                if progress is not None:
                    progress(row, max(row, ROWS))
        if columns is None:
            raise DataError(f"{self.root} is empty; a FER-2013 CSV with the header emotion,pixels,Usage was expected.")
        if progress is not None:
            progress(row, row)


@dataclass(frozen=True)
class _Columns:
    emotion: int
    pixels: int
    usage: Optional[int]
    count: int


def _read_header(line: bytes, path: Path) -> _Columns:
    text = line[len(BOM_UTF8) :] if line.startswith(BOM_UTF8) else line
    names = [_clean(name).lower() for name in text.split(b",")]
    missing = [name for name in ("emotion", "pixels") if name not in names]
    if missing:
        shown = line[:80].decode("utf-8", "replace")
        raise DataError(
            f"{path} begins with {shown!r} and has no column {' or '.join(missing)}; a FER-2013 CSV with the header "
            "emotion,pixels,Usage was expected."
        )
    usage = names.index("usage") if "usage" in names else None
    return _Columns(names.index("emotion"), names.index("pixels"), usage, len(names))


def _clean(text: bytes) -> str:
    return text.decode("utf-8", "replace").strip().strip("\"'").strip()


def _parse_rows(lines: Sequence[bytes], first: int, columns: _Columns) -> Iterator[Face | Skipped]:
    rows = [line.split(b",") for line in lines]
    fields = [cells[columns.pixels].strip(b' "\r') if len(cells) == columns.count else b"" for cells in rows]
    grid = _parse_pixels(fields)
    for offset, cells in enumerate(rows):
        source = f"row:{first + offset}"
        if len(cells) != columns.count:
            yield Skipped(source, f"{len(cells)} columns; {columns.count} expected")
            continue
        label = _clean(cells[columns.emotion])
        if not (label.isdecimal() and int(label) < len(FER2013_LABELS)):
            yield Skipped(source, f"label {label[:20]!r}; a number from 0 to {len(FER2013_LABELS) - 1} expected")
            continue
        usage = None if columns.usage is None else _clean(cells[columns.usage])
        if usage is not None and usage.lower() not in USAGES:
            yield Skipped(source, f"Usage {usage[:20]!r}; Training, PublicTest or PrivateTest expected")
            continue
        pixels = grid[offset] if grid is not None else _parse_face(fields[offset])
        if isinstance(pixels, str):
            yield Skipped(source, pixels)
        else:
            official = None if usage is None else USAGES[usage.lower()]
            yield Face(source, FER2013_LABELS[int(label)], pixels, official=official)


def _parse_pixels(fields: Sequence[bytes]) -> Optional[NDArray[np.uint8]]:
    """Faces of a block of rows at once: uint8 (rows, 48, 48); None if any row is not well-formed."""
    text = np.frombuffer(b" ".join(fields) + b" ", np.uint8)
    ends = np.flatnonzero(text == _SPACE)
    if len(ends) != len(fields) * PIXELS or any(field.count(b" ") != PIXELS - 1 for field in fields):
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts
    if int(lengths.min()) < 1 or int(lengths.max()) > 3:
        return None
    if int(text.max()) > _NINE or int(np.count_nonzero(text >= _ZERO)) != len(text) - len(ends):
        return None
    digits = text - np.uint8(_ZERO)
    values = digits[ends - 1].astype(np.uint16)
    values += np.where(lengths > 1, digits[ends - 2], 0).astype(np.uint16) * 10
    values += np.where(lengths > 2, digits[ends - 3], 0).astype(np.uint16) * 100
    return values.astype(np.uint8).reshape(-1, SIDE, SIDE) if int(values.max()) <= 255 else None


def _parse_face(text: bytes) -> NDArray[np.uint8] | str:
    """One face, uint8 (48, 48), or the reason why it is none."""
    numbers = text.split()
    if len(numbers) != PIXELS:
        return f"{len(numbers):,} pixels; {PIXELS:,} expected"
    if not all(number.isdigit() for number in numbers):
        return "a pixel is not a whole number from 0 to 255"
    values = np.array([min(int(number), 256) for number in numbers])
    if int(values.max()) > 255:
        return "a pixel is above 255"
    return values.astype(np.uint8).reshape(SIDE, SIDE)
