"""From a layout on disk to a :class:`FaceDataset`: what a source of faces is, and how faces become columns.

A layout's own file only says which faces there are (a *source*); everything all layouts share stands here:
listing pictures, decoding them in parallel, leaving out the unusable ones with their reason, and assembling.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError
from galleries.images import is_blank, limit, read_picture, validate
from siamese.datasets.base import FaceDataset, PixelStore, Skipped

Progress = Callable[[int, int], None]
"""Called with (done, total) while a data set is read; each pass over the files counts from 0."""

Crop = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Takes a decoded picture and returns the part with the face; its ``repr`` names its parameters, for the cache."""

BLANK_SPAN = 4
"""A picture whose pixels span at most this many of 255 steps is blank; JPEG makes a few steps of what was one value."""

_CHUNK = 256


@dataclass(frozen=True)
class Face:
    """One face as a source gives it.

    Attributes:
        id: Unique and stable: path below the root, or ``row:123``.
        emotion: Canonical name.
        pixels: uint8 (H, W) or (H, W, 3) RGB, any size.
        subject: Who it is, if known.
        sequence: The film or burst it comes from, if known.
        official: ``"train"``, ``"val"`` or ``"test"``, if the source says so.
    """

    id: str
    emotion: str
    pixels: NDArray[np.uint8]
    subject: Optional[str] = None
    sequence: Optional[str] = None
    official: Optional[str] = None


class Source(Protocol):
    """Where faces come from, before anything is decoded."""

    format: str
    name: str
    root: Path
    notes: list[str]

    def content(self) -> Iterable[tuple[str, Optional[Path]]]:
        """What decides the faces: (text, file or None) pairs; the cache's key is made of texts and the files' bytes."""
        ...

    def faces(self, progress: Optional[Progress]) -> Iterator[Face | Skipped]:
        """Decode one face after another; what is unusable comes as :class:`Skipped`."""
        ...


class Sink(Protocol):
    """Takes decoded pictures, in order, and becomes a pixel store."""

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Append one picture, uint8 (H, W) or (H, W, 3), at most 256 px a side."""
        ...

    def finish(self, shapes: NDArray[np.int32]) -> PixelStore:
        """The store of all pictures added; ``shapes`` is (N, 3)."""
        ...


class MemorySink:
    """Keeps the pictures in memory."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.uint8]] = []

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Append one picture."""
        self._parts.append(pixels.reshape(-1))

    def finish(self, shapes: NDArray[np.int32]) -> PixelStore:
        """All pictures in one buffer."""
        flat = np.concatenate(self._parts) if self._parts else np.zeros(0, np.uint8)
        self._parts.clear()
        return PixelStore(flat, shapes)


@dataclass(frozen=True)
class PictureItem:
    """A face in a picture file, not yet decoded. Attributes as in :class:`Face`; ``path`` is below the root."""

    path: str
    id: str
    emotion: str
    subject: Optional[str] = None
    sequence: Optional[str] = None
    official: Optional[str] = None
    crop: Optional[Crop] = None


@dataclass
class FolderSource:
    """Faces in picture files below a folder: a :class:`Source` for every layout that is a folder."""

    format: str
    name: str
    root: Path
    items: Sequence[PictureItem]
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def content(self) -> Iterator[tuple[str, Optional[Path]]]:
        """Every item with its file, then what was already left out."""
        hashed: set[str] = set()
        for item in self.items:
            yield repr(item), None if item.path in hashed else self.root / item.path
            hashed.add(item.path)
        yield repr((self.skipped, self.notes)), None

    def faces(self, progress: Optional[Progress]) -> Iterator[Face | Skipped]:
        """Decode the files in parallel, in the order of ``items``."""
        yield from self.skipped
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            for start in range(0, len(self.items), _CHUNK):
                yield from pool.map(self._decode, self.items[start : start + _CHUNK])
                if progress is not None:
                    progress(min(start + _CHUNK, len(self.items)), len(self.items))

    def _decode(self, item: PictureItem) -> Face | Skipped:
        try:
            pixels = limit_large(read_picture(self.root / item.path), item.crop)
        except DataError as error:
            return Skipped(item.id, str(error).replace(f"{self.root}{os.sep}", "").split(";")[0].rstrip("."))
        return Face(item.id, item.emotion, pixels, item.subject, item.sequence, item.official)


def limit_large(pixels: NDArray[np.uint8], crop: Optional[Crop]) -> NDArray[np.uint8]:
    """The part with the face, at most 256 px a side."""
    return limit(pixels if crop is None else crop(pixels))


def assemble(source: Source, sink: Sink, progress: Optional[Progress] = None) -> FaceDataset:
    """Read a source to its end and make a data set of it.

    Blank pictures (:data:`BLANK_SPAN`) are left out and counted. Subjects, sequences and the official split are
    kept only if every face has them, and the split only if it has at least two parts.

    Raises:
        DataError: Not one face is usable.
    """
    kept: list[Face] = []
    shapes: list[tuple[int, int, int]] = []
    skipped: list[Skipped] = []
    for face in source.faces(progress):
        if isinstance(face, Skipped):
            skipped.append(face)
        elif is_blank(face.pixels, BLANK_SPAN):
            skipped.append(Skipped(face.id, "blank picture"))
        else:
            pixels = limit(validate(face.pixels, face.id))
            sink.add(pixels)
            shapes.append((pixels.shape[0], pixels.shape[1], 3 if pixels.ndim == 3 else 1))
            kept.append(Face(face.id, face.emotion, _NO_PIXELS, face.subject, face.sequence, face.official))
    if not kept:
        raise _nothing_usable(source, skipped)
    emotions = tuple(sorted({face.emotion for face in kept}))
    number = {emotion: label for label, emotion in enumerate(emotions)}
    official, notes = _official([face.official for face in kept])
    return FaceDataset(
        name=source.name,
        format=source.format,
        root=source.root,
        emotions=emotions,
        labels=np.array([number[face.emotion] for face in kept], np.int64),
        ids=tuple(face.id for face in kept),
        store=sink.finish(np.array(shapes, np.int32).reshape(-1, 3)),
        rows=np.arange(len(kept), dtype=np.int64),
        subjects=_complete([face.subject for face in kept]),
        sequences=_complete([face.sequence for face in kept]),
        official=official,
        skipped=tuple(skipped),
        notes=(*source.notes, *notes),
    )


_NO_PIXELS: NDArray[np.uint8] = np.zeros(0, np.uint8)


def _complete(column: Sequence[Optional[str]]) -> Optional[tuple[str, ...]]:
    values = tuple(value for value in column if value is not None)
    return values if len(values) == len(column) else None


def _official(column: Sequence[Optional[str]]) -> tuple[Optional[tuple[str, ...]], list[str]]:
    whole = _complete(column)
    if whole is not None:
        return (whole if len(set(whole)) > 1 else None), []
    missing = sum(value is None for value in column)
    if missing == len(column):
        return None, []
    return None, [f"The official split is not used: {missing} of {len(column)} pictures belong to none of its parts."]


def _nothing_usable(source: Source, skipped: Sequence[Skipped]) -> DataError:
    reasons = Counter(entry.reason for entry in skipped).most_common(1)
    why = f" {len(skipped)} entries were left out, most of them because: {reasons[0][0]}." if reasons else ""
    return DataError(
        f"{source.root}, read as {source.format}, holds no usable face.{why} "
        "Check the path, or force another layout with --format."
    )
