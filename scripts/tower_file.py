"""The tower that a person named, as it is or whitened, and the gallery that belongs to it. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple

from galleries.encoder import OnnxEncoder, load_encoder
from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.shipped import FOLDER, is_shipped


def open_tower(path: Path, whiten: float = 0.0, gallery: bool = False) -> Tuple[OnnxEncoder, Optional[Gallery]]:
    """Open a tower, and its own gallery if that is wanted.

    Args:
        path: A run, a gallery that carries its tower, an ``.onnx`` file, or ``pretrained``.
        whiten: The power by which its vectors are whitened, 0-1, on the vectors of its own gallery.
        gallery: Whether its own gallery is wanted too.

    Raises:
        TowerError: There is no tower, or it cannot be opened.
        GalleryError: A gallery is needed, and there is none, or it is damaged.
        ConfigError: A power outside 0-1.
        DataError: The gallery has too few references to whiten by.
    """
    from siamese.whitening import check_power, whitening_matrix
    from siamese.whitening import whiten as whitened

    check_power(whiten)
    path = FOLDER if is_shipped(path) else path
    encoder = load_encoder(path)
    held = _own_gallery(path, encoder) if gallery or whiten else None
    if held is None or not whiten:
        return encoder, held
    matrix = whitening_matrix(held.vectors, held.metric, whiten)
    other = OnnxEncoder(whitened(encoder.model, matrix, whiten))
    return other, held.with_vectors(held.vectors @ matrix, other) if gallery else None


def _own_gallery(path: Path, encoder: OnnxEncoder) -> Gallery:
    folder = path if (path / "gallery.json").is_file() else path / "gallery"
    if not folder.is_dir():
        raise GalleryError(
            f"{path} holds no gallery of its own, which this needs; give a run or a gallery, or drop the option."
        )
    gallery = Gallery.load(folder)
    gallery.check_encoder(encoder)
    return gallery
