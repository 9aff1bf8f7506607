"""The same gallery for another tower: its pictures are looked up in their data set and encoded anew. Needs no torch."""

from __future__ import annotations

from typing import Callable, Optional

import numpy as np

from galleries.encoder import OnnxEncoder
from galleries.errors import GalleryError
from galleries.gallery import Gallery
from siamese.datasets.base import FaceDataset
from siamese.enrolling import encode_rows


def reencode(
    gallery: Gallery,
    dataset: FaceDataset,
    encoder: OnnxEncoder,
    progress: Optional[Callable[[int, int], None]] = None,
) -> Gallery:
    """Make a gallery's vectors anew with another tower; emotions, sources, people, thumbnails and emphasis stay.

    Args:
        gallery: The references; not changed. Each must be a picture of ``dataset``, by its source.
        dataset: Where the pictures are.
        encoder: The other tower.
        progress: Called with (done, total).

    Returns:
        The new gallery, with the references in the same order, numbered from 0. It carries no tower.

    Raises:
        GalleryError: A reference is no picture of the data set.
    """
    row_of = {source: row for row, source in enumerate(dataset.ids)}
    known = gallery.references
    lost = [reference.source for reference in known if reference.source not in row_of]
    if lost:
        raise GalleryError(
            f"{len(lost)} of {len(known)} references, such as {lost[0]!r}, are no pictures of {dataset.name} "
            f"({dataset.root}), so the smaller tower cannot see them again; give the gallery of the run itself."
        )
    rows = np.array([row_of[reference.source] for reference in known], np.int64)
    made = gallery.with_vectors(encode_rows(dataset, rows, encoder, progress), encoder, gallery.index)
    for emotion, factor in gallery.emphasis.items():
        made.emphasise(emotion, factor)
    return made
