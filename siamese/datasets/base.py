"""A data set of faces in memory: pixels decoded once, labels in the canonical vocabulary, and who is on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError
from galleries.images import InputSpec, limit, prepare, validate
from galleries.vocabulary import canonical

SPLIT_NAMES = ("train", "val", "test")


class PixelStore:
    """Decoded pictures, each at its own size (at most 256 px a side), in one flat uint8 buffer.

    The buffer may be a read-only memory map, so a data set larger than memory can be used.

    Attributes:
        flat: uint8 (total bytes,), the pictures one after another, each row-major (H, W) or (H, W, 3) RGB.
        shapes: int32 (N, 3): height, width, channels (1 or 3).
        offsets: int64 (N + 1,): where picture i starts in ``flat``.
    """

    def __init__(self, flat: NDArray[np.uint8], shapes: NDArray[np.int32]) -> None:
        sizes = shapes.astype(np.int64).prod(axis=1) if len(shapes) else np.zeros(0, np.int64)
        self.flat = flat
        self.shapes = shapes
        self.offsets: NDArray[np.int64] = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        if int(self.offsets[-1]) != flat.size:
            raise DataError(f"A pixel store of {flat.size} bytes was given shapes for {int(self.offsets[-1])} bytes.")
        self._uniform = len(shapes) > 0 and bool((shapes == shapes[0]).all())

    @classmethod
    def from_images(cls, images: Sequence[NDArray[np.uint8]]) -> PixelStore:
        """Store pictures given as arrays (H, W) or (H, W, 3); larger ones are limited to 256 px a side."""
        kept = [limit(validate(image)) for image in images]
        shapes = np.array([(*i.shape[:2], 3 if i.ndim == 3 else 1) for i in kept], np.int32).reshape(-1, 3)
        flat = np.concatenate([i.reshape(-1) for i in kept]) if kept else np.zeros(0, np.uint8)
        return cls(flat, shapes)

    @classmethod
    def from_array(cls, array: NDArray[np.uint8]) -> PixelStore:
        """Store pictures of one size without a copy: uint8 (N, H, W) or (N, H, W, 3), sides at most 256."""
        channels = array.shape[3] if array.ndim == 4 else 1
        shapes = np.tile(np.array([[array.shape[1], array.shape[2], channels]], np.int32), (len(array), 1))
        return cls(np.ascontiguousarray(array).reshape(-1), shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Picture ``index`` as stored: uint8 (H, W) or (H, W, 3)."""
        height, width, channels = (int(v) for v in self.shapes[index])
        pixels = self.flat[self.offsets[index] : self.offsets[index + 1]]
        return pixels.reshape((height, width) if channels == 1 else (height, width, channels))

    def batch(self, indices: NDArray[np.int64], spec: InputSpec) -> NDArray[np.uint8]:
        """Pictures ``indices`` prepared for a tower: uint8 (B, C, H, W). One fancy index when no resize is needed."""
        if self._uniform and tuple(self.shapes[0]) == (spec.height, spec.width, 1):
            grid = self.flat.reshape(len(self), 1, spec.height, spec.width)
            return np.repeat(grid[indices], spec.channels, axis=1)  # (B, 1, H, W) -> (B, C, H, W)
        out = np.empty((len(indices), spec.channels, spec.height, spec.width), np.uint8)
        for row, index in enumerate(indices):
            out[row] = prepare(self.image(int(index)), spec)
        return out

    def digest(self, index: int) -> str:
        """Hex digest of one picture's shape and pixels: equal exactly for exact copies."""
        height, width, channels = (int(v) for v in self.shapes[index])
        state = hashlib.blake2b(f"{height}x{width}x{channels}".encode(), digest_size=16)
        state.update(np.ascontiguousarray(self.flat[self.offsets[index] : self.offsets[index + 1]]).data)
        return state.hexdigest()


@dataclass(frozen=True)
class Skipped:
    """A picture that was left out, and why.

    Attributes:
        source: Path below the root, or ``row:123``.
        reason: One short sentence without a full stop.
    """

    source: str
    reason: str


@dataclass(frozen=True)
class FaceDataset:
    """Faces with their emotions, and the people and sequences they come from.

    Attributes:
        name: Short name for cards and reports: ``"fer2013"``.
        format: The layout it was read as, a key of ``siamese.datasets.FORMATS``.
        root: Where it was read from.
        emotions: Canonical names; the label ``k`` means ``emotions[k]``. Only emotions that occur.
        labels: int64 (N,), values 0 … len(emotions) - 1.
        ids: N stable identifiers, unique: path below the root, or ``row:123``.
        store: The pixels of the whole data set as read.
        rows: int64 (N,): picture i of this view is ``store.image(rows[i])``.
        subjects: N person identifiers, or None where the names carry none.
        sequences: N sequence identifiers (film, burst), or None.
        official: N split names ``"train" | "val" | "test"``, or None if the data set has no official split.
        soft_labels: float32 (N, len(emotions)), rows sum to 1 (annotators' votes), or None.
        votes: float32 (N, 8), annotators' votes over the whole vocabulary beside other labels, rows sum to 1, or to 0
            where nobody named an emotion; or None.
        skipped: Pictures left out while reading.
        notes: Sentences about what was met while reading, for the person.
    """

    name: str
    format: str
    root: Path
    emotions: tuple[str, ...]
    labels: NDArray[np.int64]
    ids: tuple[str, ...]
    store: PixelStore
    rows: NDArray[np.int64]
    subjects: Optional[tuple[str, ...]] = None
    sequences: Optional[tuple[str, ...]] = None
    official: Optional[tuple[str, ...]] = None
    soft_labels: Optional[NDArray[np.float32]] = None
    votes: Optional[NDArray[np.float32]] = None
    skipped: tuple[Skipped, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        size = len(self.labels)
        columns = (self.ids, self.rows, self.subjects, self.sequences, self.official, self.soft_labels, self.votes)
        if any(column is not None and len(column) != size for column in columns):
            raise DataError(f"The columns of data set {self.name!r} differ in length; each needs {size} entries.")
        if size and not (int(self.labels.min()) >= 0 and int(self.labels.max()) < len(self.emotions)):
            raise DataError(f"Data set {self.name!r} has labels outside 0-{len(self.emotions) - 1}.")

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Picture ``index``: uint8 (H, W) or (H, W, 3) RGB, at its own size (at most 256 px a side)."""
        return self.store.image(int(self.rows[index]))

    def batch(self, indices: NDArray[np.int64], spec: InputSpec) -> NDArray[np.uint8]:
        """Pictures ``indices`` prepared for a tower: uint8 (B, C, H, W)."""
        return self.store.batch(self.rows[indices], spec)

    def digests(self) -> list[str]:
        """Hex digest of each picture's pixels; exact copies share one."""
        return [self.store.digest(int(row)) for row in self.rows]

    def counts(self, indices: Optional[NDArray[np.int64]] = None) -> dict[str, int]:
        """Pictures per emotion, of all or of ``indices``, in the order of ``emotions``."""
        labels = self.labels if indices is None else self.labels[indices]
        return dict(zip(self.emotions, np.bincount(labels, minlength=len(self.emotions)).tolist()))

    def subset(self, indices: NDArray[np.int64]) -> FaceDataset:
        """A view with only the pictures ``indices``, in that order; the emotions stay as they are."""

        def pick(column: Optional[tuple[str, ...]]) -> Optional[tuple[str, ...]]:
            return None if column is None else tuple(column[int(i)] for i in indices)

        return replace(
            self,
            labels=self.labels[indices],
            ids=tuple(self.ids[int(i)] for i in indices),
            rows=self.rows[indices],
            subjects=pick(self.subjects),
            sequences=pick(self.sequences),
            official=pick(self.official),
            soft_labels=None if self.soft_labels is None else self.soft_labels[indices],
            votes=None if self.votes is None else self.votes[indices],
        )

    def select(self, emotions: Sequence[str]) -> FaceDataset:
        """A view with only these emotions (any spelling), relabelled in the given order.

        Raises:
            DataError: An emotion does not occur here.
        """
        names = list(dict.fromkeys(canonical(name) for name in emotions))
        absent = [name for name in names if name not in self.emotions]
        if absent:
            raise DataError(
                f"{', '.join(absent)} does not occur in {self.name} ({self.root}); it holds {', '.join(self.emotions)}."
            )
        old = np.array([self.emotions.index(name) for name in names], np.int64)
        new_label = np.full(len(self.emotions), -1, np.int64)
        new_label[old] = np.arange(len(old))
        kept = np.flatnonzero(np.isin(self.labels, old))
        view = self.subset(kept)
        soft = view.soft_labels
        if soft is not None:
            soft = soft[:, old]
            soft = (soft / np.maximum(soft.sum(axis=1, keepdims=True), 1e-12)).astype(np.float32)
        return replace(view, emotions=tuple(names), labels=new_label[view.labels], soft_labels=soft)
