"""Decoding happens once: read data sets kept on disk as plain arrays, keyed by what they were made from.

An entry is a folder named by its key: ``pixels.bin`` (uint8, all pictures one after another), ``shapes.npy``,
``labels.npy``, and ``faces.json`` (ids, emotions, subjects, skipped … and the other files' checksums). It is built in
a temporary folder and renamed into place, so two processes may build the same entry at once: the first to finish wins,
the other uses it. An entry that fails a check is built anew; a cache that cannot be written costs time and a note,
never the data set. All of it may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Optional

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.atomic import sync
from galleries.errors import DataError
from siamese.datasets.base import FaceDataset, PixelStore, Skipped
from siamese.datasets.reading import MemorySink, Progress, Source, assemble

VERSION = 1
"""Counted up whenever a layout's reading changes, so that older entries are not used."""

MAP_ABOVE = 256 << 20
"""Pixels above this many bytes are memory-mapped instead of loaded."""

_STALE_SECONDS = 24 * 3600
_PIXELS, _SHAPES, _LABELS, _FACES = "pixels.bin", "shapes.npy", "labels.npy", "faces.json"


def cache_folder() -> Path:
    """Where entries are kept: ``$SIAMESE_EMOTIONS_CACHE``, else below ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    own = os.environ.get("SIAMESE_EMOTIONS_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path("~/.cache").expanduser()) / "siamese-emotions"


def read_cached(source: Source, progress: Optional[Progress] = None) -> FaceDataset:
    """Give a source's faces from the cache, or read them and keep them there.

    Args:
        source: Where the faces come from.
        progress: Called with (done, total) while files are checked, then while they are decoded.

    Returns:
        The data set; pixels are memory-mapped, read-only, above :data:`MAP_ABOVE` bytes.

    Raises:
        DataError: The source holds no usable face.
    """
    folder = cache_folder()
    entry = folder / content_key(source, progress)
    found = _load(entry, source)
    if found is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        with _temporary_folder(folder) as building:
            sink = _FileSink(building / _PIXELS)
            with contextlib.closing(sink):
                dataset = assemble(source, sink, progress)
                _write_columns(building, dataset, sink.checksum())
            _move_into_place(building, entry, lambda: _load(entry, source) is not None)
        kept = _load(entry, source)
        if kept is not None:
            return kept
        reason = "what was written could not be read back"
    except OSError as error:
        reason = error.strerror or str(error)
    dataset = assemble(source, MemorySink(), progress)
    note = f"The decoded pictures could not be kept in {folder} ({reason}), so the next start decodes them again."
    return replace(dataset, notes=(*dataset.notes, note))


def content_key(source: Source, progress: Optional[Progress] = None) -> str:
    """Hex digest of everything a data set is made from: texts and file contents, the decoder, and this version."""
    parts = list(source.content())
    state = hashlib.blake2b(f"{VERSION}|{source.format}|{cv2.__version__}".encode(), digest_size=20)
    for done, (text, path) in enumerate(parts, 1):
        state.update(b"\0" + text.encode("utf-8", "surrogateescape"))
        if path is not None:
            state.update(_file_digest(path))
        if progress is not None and (done % 256 == 0 or done == len(parts)):
            progress(done, len(parts))
    return state.hexdigest()


@contextlib.contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
    """A folder that is gone afterwards, as far as it can be removed."""
    folder = Path(tempfile.mkdtemp(prefix=".building-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _file_digest(path: Path) -> bytes:
    state = hashlib.blake2b(digest_size=20)
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(1 << 20):
                state.update(block)
    except OSError as error:
        return f"unreadable {error.errno}".encode()
    return state.digest()


class _FileSink:
    """Writes the pictures to a file as they come, so that a large data set never stands in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._state = hashlib.blake2b(digest_size=20)

    def add(self, pixels: NDArray[np.uint8]) -> None:
        data = np.ascontiguousarray(pixels).data
        self._file.write(data)
        self._state.update(data)

    def finish(self, shapes: NDArray[np.int32]) -> PixelStore:
        self._file.flush()
        os.fsync(self._file.fileno())
        return PixelStore(_open_pixels(self._path), shapes)

    def checksum(self) -> str:
        return self._state.hexdigest()

    def close(self) -> None:
        self._file.close()


def _open_pixels(path: Path) -> NDArray[np.uint8]:
    if path.stat().st_size > MAP_ABOVE:
        return np.asarray(np.memmap(path, np.uint8, mode="r"))
    return np.fromfile(path, np.uint8)


def _write_columns(folder: Path, dataset: FaceDataset, pixels_checksum: str) -> None:
    np.save(folder / _SHAPES, dataset.store.shapes, allow_pickle=False)
    np.save(folder / _LABELS, dataset.labels, allow_pickle=False)
    body = {
        "emotions": dataset.emotions,
        "ids": dataset.ids,
        "subjects": dataset.subjects,
        "sequences": dataset.sequences,
        "official": dataset.official,
        "skipped": [asdict(entry) for entry in dataset.skipped],
        "notes": dataset.notes,
        "checksums": {
            _PIXELS: pixels_checksum,
            _SHAPES: _file_digest(folder / _SHAPES).hex(),
            _LABELS: _file_digest(folder / _LABELS).hex(),
        },
    }
    text = json.dumps(body)
    (folder / _FACES).write_text(json.dumps({"checksum": _text_checksum(text), "faces": text}), "utf-8")
    for name in (_SHAPES, _LABELS, _FACES):
        sync(folder / name)


def _text_checksum(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _move_into_place(built: Path, entry: Path, is_whole: Callable[[], bool]) -> None:
    """Rename a finished entry to its name; another process's whole one is left, a damaged one is replaced."""
    finished = built / "entry"
    finished.mkdir()
    for name in (_PIXELS, _SHAPES, _LABELS, _FACES):
        (built / name).rename(finished / name)
    try:
        finished.rename(entry)
    except OSError:
        if is_whole():
            return
        entry.rename(built / "damaged")
        finished.rename(entry)
    sync(entry.parent)


def _load(entry: Path, source: Source) -> Optional[FaceDataset]:
    """Read an entry back, every byte checked; None if it is missing or not as it was written."""
    try:
        wrapped = json.loads((entry / _FACES).read_text("utf-8"))
        if _text_checksum(wrapped["faces"]) != wrapped["checksum"]:
            return None
        body = json.loads(wrapped["faces"])
        if any(_file_digest(entry / name).hex() != checksum for name, checksum in body["checksums"].items()):
            return None
        return _from_columns(entry, body, source)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError):
        return None


def _from_columns(entry: Path, body: dict[str, Any], source: Source) -> FaceDataset:
    def column(name: str) -> Optional[tuple[str, ...]]:
        return None if body[name] is None else tuple(body[name])

    shapes = np.load(entry / _SHAPES, allow_pickle=False)
    return FaceDataset(
        name=source.name,
        format=source.format,
        root=source.root,
        emotions=tuple(body["emotions"]),
        labels=np.load(entry / _LABELS, allow_pickle=False),
        ids=tuple(body["ids"]),
        store=PixelStore(_open_pixels(entry / _PIXELS), shapes),
        rows=np.arange(len(body["ids"]), dtype=np.int64),
        subjects=column("subjects"),
        sequences=column("sequences"),
        official=column("official"),
        skipped=tuple(Skipped(**item) for item in body["skipped"]),
        notes=tuple(body["notes"]),
    )


def _remove_stale(folder: Path) -> None:
    """Remove what a killed process left while building, once it is a day old."""
    for left in folder.glob(".building-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left)
