"""Tiny bundles for tests: a gallery of random faces with its tower, as a folder and as a zip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_towers import SIDE, write_tower

from galleries.bundle import open_bundle, write_bundle
from galleries.encoder import OnnxEncoder
from galleries.errors import EmotionsError
from galleries.gallery import Gallery


def faces(count: int = 12) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 1, SIDE, SIDE), dtype=np.uint8)


def make_gallery(encoder: OnnxEncoder) -> Gallery:
    emotions = ["anger", "fear", "sadness"] * 4
    return Gallery.build(encoder.encode(faces()), emotions, tower=encoder, thumbnails=faces()[:, 0])


def make_place(root: Path) -> Path:
    """Fill a folder with ``tower.onnx``, and one bundle as ``folder`` and ``file.zip``."""
    encoder = OnnxEncoder(write_tower(root / "tower.onnx"), ["cpu"], 1)
    for name in ("folder", "file.zip"):
        write_bundle(root / name, make_gallery(encoder), encoder, {"tower": "tiny"}, {"difference": 0.0})
    return root


def refused(path: Path) -> str:
    """The one sentence with which a bundle is refused."""
    with pytest.raises(EmotionsError) as caught:
        open_bundle(path, ["cpu"], 1)
    assert "\n" not in str(caught.value)
    return str(caught.value)
