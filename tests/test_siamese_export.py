from __future__ import annotations

import itertools
import lzma
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_faces import EMOTIONS

from galleries.encoder import OnnxEncoder
from galleries.errors import EmotionsError, TowerError
from galleries.images import InputSpec, prepare_batch
from siamese.datasets import load_dataset
from siamese.export import OPSET, export_onnx
from siamese.towers import TOWERS, Tower, make_tower

onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra [train])")


def settled(tower: Tower) -> Tower:
    """A tower whose batch norms have statistics of their own."""
    spec = tower.input_spec
    pixels = torch.randint(0, 256, (8, spec.channels, spec.height, spec.width), dtype=torch.uint8)
    tower.train()
    with torch.no_grad():
        for _ in range(3):
            tower(pixels)
    return tower


def small(name: str) -> Tower:
    torch.manual_seed(1)
    return settled(make_tower(name, input_size={"siamese": 48, "fer_cnn": 20}.get(name, 32)))


@lru_cache(maxsize=1)
def real_faces() -> list[NDArray[np.uint8]]:
    """The first faces of FER-2013 where it is there, else drawn ones; uint8 (48, 48) each."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "fer2013.csv.xz"
    if not path.exists():
        dataset = load_dataset("synthetic:subjects=2,seed=0")
        return [dataset.image(row) for row in range(8)]
    with lzma.open(path, "rt", encoding="utf-8") as file:
        rows = [line.split(",")[1].split() for line in itertools.islice(file, 1, 9)]
    return [np.array(row, np.uint8).reshape(48, 48) for row in rows]


@pytest.mark.parametrize("name", [*TOWERS, "mobilenet_v3_small"])
def test_onnx_answers_as_pytorch_for_any_batch(name: str, tmp_path: Path) -> None:
    tower = small(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        difference = export_onnx(tower, tmp_path / "tower.onnx", EMOTIONS)
    assert tower.training  # untouched
    assert difference <= 1e-4
    encoder = OnnxEncoder(tmp_path / "tower.onnx")
    rng = np.random.default_rng(0)
    for size in (1, 5):
        spec = tower.input_spec
        pixels = rng.integers(0, 256, (size, spec.channels, spec.height, spec.width), dtype=np.uint8)
        with torch.inference_mode():
            expected = tower.eval()(torch.from_numpy(pixels)).numpy()
        assert np.abs(encoder.encode(pixels) - expected).max() <= 1e-4 * max(1.0, float(np.abs(expected).max()))
    assert (encoder.fingerprint, encoder.metric, encoder.input_spec) == (
        tower.fingerprint,
        tower.metric,
        tower.input_spec,
    )
    real = prepare_batch(real_faces(), encoder.input_spec)
    with torch.inference_mode():
        expected = tower.eval()(torch.from_numpy(real)).numpy()
    assert np.abs(encoder.encode(real) - expected).max() <= 1e-4 * max(1.0, float(np.abs(expected).max()))
    model = onnx.load(str(tmp_path / "tower.onnx"))
    assert all(entry.version <= 17 for entry in model.opset_import)
    assert OPSET == 17
    made_by = {output: node.op_type for node in model.graph.node for output in node.output}
    norms = [made_by.get(node.input[0]) for node in model.graph.node if node.op_type == "BatchNormalization"]
    assert "Conv" not in norms
    left = len(norms)
    after_no_convolution = {
        "compact": 1,
        "compact_wide": 1,
        "compact_straight": 1,
        "nano": 1,
        "liexnet": 6,
        "fer_cnn": 2,
    }
    assert left == after_no_convolution.get(name, 0)


def test_weights_that_add_nothing_are_zeros(tmp_path: Path) -> None:
    """Dead channels shrink to numbers with which a processor computes many times slower."""
    tower = small("liexnet")
    with torch.no_grad():
        for weights in tower.parameters():
            if weights.ndim > 1:
                weights[:2] *= 1e-40
    export_onnx(tower, tmp_path / "tower.onnx", EMOTIONS)
    found = 0
    for known in onnx.load(str(tmp_path / "tower.onnx")).graph.initializer:
        weights = np.abs(onnx.numpy_helper.to_array(known))
        if (
            weights.dtype == np.float32 and weights.ndim > 1 and len(weights) > 3
        ):  # the others are pixels' mean and scale
            found += 1
            assert (weights == 0).any()
            assert weights[weights > 0].min() >= 1e-12 * weights.max()
    assert found > 5
    assert all((weights[0] != 0).any() for weights in tower.parameters() if weights.ndim > 1)  # untouched


def test_colour_and_other_shapes(tmp_path: Path) -> None:
    tower = settled(make_tower("compact", InputSpec(24, 40, 3), embedding_dim=16))
    faces = np.random.default_rng(0).integers(0, 256, (3, 3, 24, 40), dtype=np.uint8)
    assert export_onnx(tower, tmp_path / "a" / "tower.onnx", EMOTIONS, faces) <= 1e-4
    assert OnnxEncoder(tmp_path / "a" / "tower.onnx").encode(faces).shape == (3, 16)


def test_a_tower_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = OnnxEncoder.encode
    monkeypatch.setattr(OnnxEncoder, "encode", lambda self, pixels: real(self, pixels) + 0.5)
    with pytest.raises(TowerError, match=r"differs from PyTorch's by 0\.5.* was not written"):
        export_onnx(small("compact"), tmp_path / "tower.onnx", EMOTIONS)
    assert not list(tmp_path.iterdir())


def test_a_tower_with_weights_that_are_not_finite_is_not_written(tmp_path: Path) -> None:
    tower = small("compact")
    with torch.no_grad():
        tower.embedding.weight.fill_(float("nan"))  # type: ignore[union-attr, operator]
    with pytest.raises(EmotionsError):
        export_onnx(tower, tmp_path / "tower.onnx", EMOTIONS)
    assert not list(tmp_path.iterdir())


def test_an_architecture_that_cannot_be_exported_is_told(tmp_path: Path) -> None:
    class Odd(Tower):
        name = "odd"

        def embed(self, images: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(images[:, 0, :8, :8]).real

    with pytest.raises(TowerError, match="odd tower cannot be exported"):
        export_onnx(Odd(InputSpec(8, 8, 1), 8), tmp_path / "tower.onnx", EMOTIONS)


def test_a_full_disk_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tower.onnx"
    path.write_bytes(b"before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("galleries.atomic.os.fsync", full)
    with pytest.raises(EmotionsError, match="No space left"):
        export_onnx(small("compact"), path, EMOTIONS)
    assert path.read_bytes() == b"before"
