"""The same gallery for another tower: what stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import write_faces
from onnx_towers import write_tower

from galleries.encoder import OnnxEncoder
from galleries.errors import GalleryError
from siamese.datasets import load_dataset
from siamese.enrolling import enrol
from siamese.reencoding import reencode


def test_everything_but_the_vectors_stays(tmp_path: Path) -> None:
    dataset = load_dataset(write_faces(tmp_path / "faces", {"angry": 5, "happy": 6, "sad": 2}))
    encoder = OnnxEncoder(write_tower(tmp_path / "tower.onnx"))
    gallery = enrol(dataset, np.arange(len(dataset))[::-1], encoder)
    gallery.emphasise("sadness", 3.0)
    made = reencode(gallery, dataset, encoder)
    assert list(made.references) == list(gallery.references)
    assert made.emphasis == {"sadness": 3.0}
    assert made.vectors == pytest.approx(gallery.vectors)
    assert made.thumbnails is not None
    assert (made.thumbnails == gallery.thumbnails).all()
    elsewhere = load_dataset(write_faces(tmp_path / "others", {"angry": 1, "happy": 2, "sad": 1}))
    with pytest.raises(GalleryError, match="are no pictures of"):
        reencode(gallery, elsewhere, encoder)
