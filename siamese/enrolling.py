"""From a data set to a gallery: encode its pictures and keep where each came from. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np
from numpy.typing import NDArray

from galleries.building import GalleryBuilder
from galleries.encoder import OnnxEncoder
from galleries.errors import DataError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.opinions import votes_of
from siamese.datasets.base import FaceDataset

THUMBNAIL = InputSpec(48, 48, 1)
"""What a gallery keeps of a picture where thumbnails are wanted: 48x48 grey, 2.3 kB each."""

_BATCH = 256
_BLOCK = 16 * _BATCH  # pictures whose vectors and thumbnails are in memory at once while a gallery is made


def encode_rows(
    dataset: FaceDataset,
    rows: NDArray[np.int64],
    encoder: OnnxEncoder,
    progress: Optional[Callable[[int, int], None]] = None,
) -> NDArray[np.float32]:
    """Vectors of some pictures of a data set, in order: float32 (N, D).

    Args:
        dataset: The faces.
        rows: int64 (N,), which.
        encoder: The tower.
        progress: Called with (done, total).
    """
    vectors = np.empty((len(rows), encoder.embedding_dim), np.float32)
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        vectors[start : start + len(batch)] = encoder.encode(dataset.batch(batch, encoder.input_spec))
        if progress is not None:
            progress(start + len(batch), len(rows))
    return vectors


def enrol(
    dataset: FaceDataset,
    rows: NDArray[np.int64],
    encoder: OnnxEncoder,
    *,
    index: str = "flat",
    thumbnails: bool = True,
    progress: Optional[Callable[[int, int], None]] = None,
    scratch: Optional[Union[str, Path]] = None,
) -> Gallery:
    """Make a gallery of some pictures of a data set, block by block; it carries the tower with it.

    What is in memory beside the data set stands at :class:`galleries.building.GalleryBuilder`. Where the data set has
    soft labels, annotators' votes, the references vote by them (:mod:`galleries.opinions`).

    Args:
        dataset: The faces.
        rows: int64 (N,), which, at least one.
        encoder: The tower; its metric becomes the gallery's.
        index: ``"flat"``, ``"ivf"``, ``"hnsw"``, ``"ivfpq"``, or ``"auto"``: by the number of pictures.
        thumbnails: Whether a 48x48 grey picture of each face is kept as evidence.
        progress: Called with (done, total).
        scratch: A folder for vectors and thumbnails until the gallery is saved; None for the system's own.

    Raises:
        DataError: No pictures were given.
        GalleryError: The tower gives vectors that cannot be used, or the disk is full.
    """
    if not len(rows):
        raise DataError(f"No pictures of {dataset.name} ({dataset.root}) are left to enrol; a gallery needs some.")
    with GalleryBuilder(encoder, metric=encoder.metric, scratch=scratch) as builder:
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            vectors = encode_rows(dataset, block, encoder, _counted_from(progress, start, len(rows)))
            builder.add_block(vectors, **_columns(dataset, block, thumbnails))
        gallery = builder.finish(index, recall=False)
    gallery.attach_tower(encoder.model)
    return gallery


def index_vectors(
    dataset: FaceDataset,
    rows: NDArray[np.int64],
    vectors: NDArray[np.float32],
    encoder: OnnxEncoder,
    *,
    index: str = "flat",
    thumbnails: bool = True,
) -> Gallery:
    """As :func:`enrol`, for vectors float32 (N, D) that are already there."""
    known = _columns(dataset, rows, thumbnails)
    gallery = Gallery.build(vectors, tower=encoder, metric=encoder.metric, index=index, **known)
    gallery.attach_tower(encoder.model)
    return gallery


def _columns(dataset: FaceDataset, rows: NDArray[np.int64], thumbnails: bool) -> dict[str, Any]:
    """What a gallery keeps of these pictures beside their vectors."""

    def column(values: Optional[tuple[str, ...]]) -> Optional[list[str]]:
        return None if values is None else [values[int(row)] for row in rows]

    return {
        "emotions": [dataset.emotions[int(label)] for label in dataset.labels[rows]],
        "sources": column(dataset.ids),
        "subjects": column(dataset.subjects),
        "sequences": column(dataset.sequences),
        "votes": None if dataset.soft_labels is None else votes_of(dataset.emotions, dataset.soft_labels[rows]),
        "thumbnails": dataset.batch(rows, THUMBNAIL)[:, 0] if thumbnails else None,
    }


def _counted_from(
    progress: Optional[Callable[[int, int], None]], start: int, total: int
) -> Optional[Callable[[int, int], None]]:
    """A block's progress as that of the whole."""
    return None if progress is None else lambda done, _: progress(start + done, total)
