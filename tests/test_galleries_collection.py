from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_galleries import AXES, CARD, NAMES, full, same, small
from onnx_towers import card as onnx_card
from onnx_towers import write_tower

from galleries.errors import DataError, EncoderMismatch, GalleryError, TowerError
from galleries.gallery import Gallery, Reference


def test_what_a_gallery_holds() -> None:
    gallery = full()
    assert len(gallery) == 6
    assert gallery.emotions == ("anger", "boredom", "fear")
    assert gallery.labels.tolist() == [0, 0, 2, 2, 1, 2]
    assert gallery.references[0] == Reference("anger", "a/0 ñ\udcff.png", "S1", "q")
    info = gallery.info()
    assert info["counts"] == {"anger": 2, "boredom": 1, "fear": 3}
    assert (info["size"], info["subjects"], info["metric"], info["index"]) == (6, 3, "cosine", "flat")
    assert info["thumbnails"] == [3, 4]
    assert info["tower"]["name"] == "tiny"
    assert info["carries_tower"] is False
    assert json.loads(json.dumps(info)) == info
    assert small().references[5].source == "reference:5"


def test_bad_columns() -> None:
    with pytest.raises(GalleryError, match="5 emotions were given for 6 vectors"):
        Gallery.build(AXES, NAMES[:5], tower=CARD)
    with pytest.raises(GalleryError, match="1 sources"):
        small(sources=["x"])
    with pytest.raises(GalleryError, match="at least one"):
        Gallery.build(AXES[:0], [], tower=CARD)
    with pytest.raises(DataError, match="no letter"):
        Gallery.build(AXES[:1], ["!"], tower=CARD)
    for thumbnails in (np.zeros((5, 3, 4), np.uint8), np.zeros((6, 3, 4)), np.zeros((6, 3), np.uint8), "x"):
        with pytest.raises(GalleryError, match="Thumbnails"):
            small(thumbnails=thumbnails)


def test_a_gallery_carries_its_tower(tmp_path: Path) -> None:
    gallery = small()
    path = write_tower(tmp_path / "tower.onnx")
    gallery.attach_tower(path)
    gallery.save(tmp_path / "g")
    assert (tmp_path / "g" / "tower.onnx").read_bytes() == path.read_bytes()
    loaded = Gallery.load(tmp_path / "g")
    assert same(loaded, gallery)
    other = write_tower(tmp_path / "other.onnx", metadata=json.dumps(onnx_card(fingerprint="cd" * 16)))
    with pytest.raises(EncoderMismatch):
        loaded.attach_tower(other)
    with pytest.raises(TowerError):
        loaded.attach_tower(tmp_path / "absent.onnx")
    assert same(loaded, gallery)
