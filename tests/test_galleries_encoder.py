from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_towers import DIM, SIDE, card, weights, write_tower

from galleries.encoder import OnnxEncoder, load_encoder
from galleries.errors import ConfigError, TowerError
from galleries.images import InputSpec
from galleries.providers import choose_providers
from galleries.tower_card import Taught, TowerCard


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 1, SIDE, SIDE), dtype=np.uint8)


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tower(tmp_path_factory.mktemp("run") / "tower.onnx")


@pytest.mark.parametrize("count", [0, 1, 256, 600])
def test_encoding_is_the_towers_arithmetic(tower: Path, count: int) -> None:
    encoder = OnnxEncoder(tower, threads=1)
    vectors = encoder.encode(pixels(count))
    assert vectors.dtype == np.float32
    assert vectors.shape == (count, DIM)
    np.testing.assert_allclose(vectors, pixels(count).reshape(count, SIDE * SIDE) @ weights(), rtol=1e-4, atol=1e-2)


def test_large_pictures_pass_a_few_at_a_time(tower: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = OnnxEncoder(tower, threads=1).encode(pixels(50))
    monkeypatch.setattr("galleries.encoder._FITS", 1)  # as if these were too large for any cache
    np.testing.assert_allclose(OnnxEncoder(tower, threads=1).encode(pixels(50)), whole, rtol=1e-6)


def test_the_card_is_read(tower: Path) -> None:
    encoder = load_encoder(tower)
    assert (encoder.name, encoder.fingerprint, encoder.embedding_dim) == ("tiny", "ab" * 16, DIM)
    assert encoder.input_spec == InputSpec(SIDE, SIDE, 1)
    assert encoder.metric == "cosine"
    assert encoder.emotions == ("anger", "fear")
    assert "CPUExecutionProvider" in encoder.providers
    assert TowerCard.from_json(TowerCard.of(encoder).to_json()) == TowerCard.of(encoder)


def test_what_a_tower_was_trained_on_is_read(tower: Path, tmp_path: Path) -> None:
    assert load_encoder(tower).taught is None
    told = {"data": "fer2013", "split": "official", "digest": "64a1"}
    made = write_tower(tmp_path / "tower.onnx", metadata=json.dumps(card(taught=told)))
    assert load_encoder(made).taught == Taught("fer2013", "official", "64a1")


def test_a_folder_or_bytes_will_do(tower: Path, tmp_path: Path) -> None:
    assert load_encoder(tower.parent).fingerprint == "ab" * 16
    assert OnnxEncoder(tower.read_bytes()).model == tower.read_bytes()
    with pytest.raises(TowerError, match=r"holds no tower\.onnx"):
        load_encoder(tmp_path)


def test_files_that_are_no_tower(tower: Path, tmp_path: Path) -> None:
    with pytest.raises(TowerError, match="cannot be read"):
        load_encoder(tmp_path / "absent.onnx")
    broken = tmp_path / "broken.onnx"
    for data in (b"", b"not a network", tower.read_bytes()[:200]):
        broken.write_bytes(data)
        with pytest.raises(TowerError, match=r"broken\.onnx"):
            load_encoder(broken)
    with pytest.raises(TowerError, match="without a tower's card"):
        load_encoder(write_tower(tmp_path / "foreign.onnx", metadata=None))
    with pytest.raises(TowerError, match="takes 'pixels'"):
        load_encoder(write_tower(tmp_path / "other.onnx", input_name="image"))


@pytest.mark.parametrize(
    "metadata",
    [
        "{",
        "[]",
        "{}",
        json.dumps(card(embedding_dim=0)),
        json.dumps(card(embedding_dim="4")),
        json.dumps(card(fingerprint="xyz")),
        json.dumps(card(fingerprint="")),
        json.dumps(card(fingerprint=7)),
        json.dumps(card(tower="")),
        json.dumps(card(input={"height": 8})),
        json.dumps(card(input=None)),
        json.dumps(card(metric="taxi")),
        json.dumps(card(emotions="anger")),
        json.dumps(card(taught="fer2013")),
        json.dumps(card(taught={"data": "fer2013", "split": "official"})),
        json.dumps(card(taught={"data": "fer2013", "split": "official", "digest": 7})),
    ],
)
def test_a_wrong_card_is_refused(metadata: str, tmp_path: Path) -> None:
    with pytest.raises(TowerError):
        load_encoder(write_tower(tmp_path / "tower.onnx", metadata=metadata))


def test_a_stranger_s_names_are_shown_short(tmp_path: Path) -> None:
    with pytest.raises(TowerError, match="a tower takes 'pixels'") as caught:
        load_encoder(write_tower(tmp_path / "tower.onnx", input_name="x" * 5000))
    assert len(str(caught.value)) < 400


def test_a_tower_that_breaks_its_promise(tmp_path: Path) -> None:
    path = write_tower(tmp_path / "tower.onnx", out_dim=DIM + 1)
    with pytest.raises(TowerError, match="its card promises"):
        load_encoder(path).encode(pixels(2))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 3, SIDE, SIDE), np.uint8),
        np.zeros((SIDE, SIDE), np.uint8),
        np.zeros((1, 1, SIDE, SIDE), np.float32),
        np.zeros((1, 1, SIDE, SIDE + 1), np.uint8),
    ],
)
def test_wrong_pixels_are_refused(tower: Path, wrong: np.ndarray) -> None:
    with pytest.raises(TowerError, match="prepare_batch"):
        load_encoder(tower).encode(wrong)


def test_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = pytest.importorskip("onnxruntime")
    every = ["AzureExecutionProvider", "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"]
    monkeypatch.setattr(runtime, "get_available_providers", lambda: every)
    best = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    assert choose_providers() == best
    assert choose_providers(["cuda", "CPUExecutionProvider"]) == best[1:]
    assert choose_providers("cpu") == ["CPUExecutionProvider"]
    monkeypatch.setattr(runtime, "get_available_providers", lambda: every[:2])
    assert choose_providers() == ["CPUExecutionProvider"]
    for wrong in ("cuda", "CPUExecutionProvder"):
        with pytest.raises(ConfigError, match="not a known ONNX Runtime provider"):
            choose_providers([wrong])


@pytest.mark.parametrize("threads", [0, -1, 1.5, True])
def test_wrong_threads(tower: Path, threads: Any) -> None:
    with pytest.raises(ConfigError, match="threads"):
        load_encoder(tower, threads=threads)
