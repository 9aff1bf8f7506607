"""The tower that a person named, as it is or changed for few shots, and the gallery that belongs to it. No torch."""

from __future__ import annotations

from pathlib import Path

from galleries.encoder import OnnxEncoder, load_encoder
from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.shipped import FOLDER, is_shipped


def open_tower(path: Path) -> OnnxEncoder:
    """Open a tower.

    Args:
        path: A run, a gallery that carries its tower, an ``.onnx`` file, or ``pretrained``.

    Raises:
        TowerError: There is no tower, or it cannot be opened.
    """
    return load_encoder(FOLDER if is_shipped(path) else path)


def for_few_shots(encoder: OnnxEncoder, features: bool, closer: float) -> OnnxEncoder:
    """A tower changed for few shots; itself where nothing is to change.

    Args:
        encoder: The tower as it is.
        features: Whether its vectors are to be what goes into its last linear layer.
        closer: How many times larger pictures are to be, of which it looks at the middle, 1-2.

    Raises:
        TowerError: It does not end in a linear layer.
        ConfigError: ``closer`` is outside 1-2.
    """
    from siamese.closer import check_closer, look_closer
    from siamese.features import cut_before_embedding

    check_closer(closer)
    model = cut_before_embedding(encoder.model) if features else encoder.model
    if closer > 1:
        model = look_closer(model, closer)
    return encoder if model is encoder.model else OnnxEncoder(model)


def own_gallery(path: Path, encoder: OnnxEncoder) -> Gallery:
    """The gallery of a run, or the one that a person named.

    Args:
        path: As typed for the tower.
        encoder: The tower, as it is.

    Raises:
        GalleryError: There is none, it is damaged, or it holds vectors of another tower.
    """
    path = FOLDER if is_shipped(path) else path
    folder = path if (path / "gallery.json").is_file() else path / "gallery"
    if not folder.is_dir():
        raise GalleryError(
            f"{path} holds no gallery of its own, which this needs; give a run or a gallery, or drop the option."
        )
    gallery = Gallery.load(folder)
    gallery.check_encoder(encoder)
    return gallery
