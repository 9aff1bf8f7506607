from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_towers import DIM, write_tower

from eval import face_speed
from eval.face_speed import time_faces
from galleries.encoder import load_encoder
from galleries.errors import ConfigError, TowerError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.recognizer import Recognizer


def a_recognizer(folder: Path, size: int, k: int = 3) -> Recognizer:
    encoder = load_encoder(write_tower(folder / f"{size}.onnx"), threads=1)
    vectors = np.random.default_rng(0).standard_normal((size, DIM)).astype(np.float32)
    gallery = Gallery.build(vectors, ["anger", "fear"] * (size // 2), tower=encoder)
    return Recognizer(gallery, encoder, n_neighbors=k)


def test_each_tower_is_timed_and_compared_with_the_first(tmp_path: Path) -> None:
    small, large = a_recognizer(tmp_path, 10), a_recognizer(tmp_path, 200, 5)
    first, second = time_faces([small, large], seconds=0.3, rounds=3)
    assert (first.ratio, first.ratios) == (1, (1, 1))
    assert second.ratios[0] <= second.ratio <= second.ratios[1]
    assert (first.tower, first.pixels, first.references, first.n_neighbors) == ("tiny", "8x8x1", 10, 3)
    assert (second.references, second.n_neighbors) == (200, 5)
    assert min(first.network, first.answer, second.network, second.answer) > 0
    assert first.megabytes == len((tmp_path / "10.onnx").read_bytes()) / 1e6
    assert first.to_json()["precision"] == "float32"


def test_the_medians_are_those_of_the_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [[0.001, 0.002, 0.004], [0.0005] * 3, [0.003, 0.002, 0.002], [0.001, 0.003, 0.002]]
    monkeypatch.setattr(face_speed, "take_turns", lambda sides, rounds, seconds: taken)
    held = a_recognizer(tmp_path, 10)
    first, second = time_faces([held, held], rounds=3)
    assert (first.answer, first.network) == (2, 0.5)
    assert (second.answer, second.network) == (2, 2)
    assert (second.ratio, second.ratios) == (1, (0.5, 3))


def test_what_cannot_be_timed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No tower was given"):
        time_faces([])
    held = a_recognizer(tmp_path, 10)
    with pytest.raises(ConfigError, match="0 rounds"):
        time_faces([held], rounds=0)
    held.encoder = Other()
    with pytest.raises(TowerError, match="not run by ONNX Runtime"):
        time_faces([held])


class Other:
    name, fingerprint, input_spec, embedding_dim = "other", "ab" * 16, InputSpec(8, 8, 1), DIM

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise AssertionError("never run")
