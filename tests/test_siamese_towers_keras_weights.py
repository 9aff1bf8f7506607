"""Weights published for Keras, against plain loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from galleries.errors import TowerError
from siamese.towers import (
    make_tower,
)
from siamese.towers.keras_weights import load_keras_arrays, read_keras_h5


def keras_arrays(rng: np.random.Generator, classes: int = 7) -> list[np.ndarray]:
    """Random LiExNet weights in Keras' order and shapes, written down from the paper's table."""
    arrays: list[np.ndarray] = []

    def add(*shape: int) -> None:
        arrays.append(rng.normal(0, 0.4, shape).astype(np.float32))

    def norm(width: int) -> None:
        add(width)
        add(width)
        add(width)
        arrays.append(rng.uniform(0.3, 2, width).astype(np.float32))

    inside = 3
    for first, width, last in ((3, 6, 12), (1, 24, 24), (1, 48, 48)):
        add(first, first, inside, width)
        add(width)
        norm(width)
        add(3, 3, width, 1)
        add(width)
        norm(width)
        add(1, 1, width, last)
        add(last)
        inside = last
    for shape in ((48, 24), (24, classes)):
        add(*shape)
        add(shape[1])
    return arrays


def slow_liexnet(image: np.ndarray, arrays: list[np.ndarray]) -> np.ndarray:
    """LiExNet in plain loops, channels last as in Keras: image uint8 (H, W, 3) to class scores."""
    left = iter(arrays)

    def relu(x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0)

    def norm(x: np.ndarray) -> np.ndarray:
        gamma, beta, mean, variance = (next(left) for _ in range(4))
        return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta

    def convolution(x: np.ndarray, stride: int = 1, depthwise: bool = False) -> np.ndarray:
        kernel, bias = next(left).astype(np.float64), next(left)
        side = kernel.shape[0]
        total = max((-(-x.shape[0] // stride) - 1) * stride + side - x.shape[0], 0)  # TensorFlow's "same"
        before = total // 2
        padded = np.pad(x, ((before, total - before), (before, total - before), (0, 0)))
        out = np.empty((-(-x.shape[0] // stride), -(-x.shape[1] // stride), len(bias)))
        for row in range(out.shape[0]):
            for column in range(out.shape[1]):
                patch = padded[row * stride : row * stride + side, column * stride : column * stride + side]
                if depthwise:
                    out[row, column] = (patch * kernel[:, :, :, 0]).sum((0, 1)) + bias
                else:
                    out[row, column] = np.tensordot(patch, kernel, 3) + bias
        return relu(out)

    def pool(x: np.ndarray) -> np.ndarray:
        return x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).max((1, 3))

    x = image / 255.0
    for group in range(3):
        x = norm(convolution(x, stride=2 if group == 0 else 1))
        x = norm(convolution(x, depthwise=True))
        x = convolution(x)
        if group < 2:
            x = pool(x)
    x = x.mean((0, 1))
    x = relu(x @ next(left) + next(left))
    scores: np.ndarray = x @ next(left) + next(left)
    return scores


def test_liexnet_with_keras_weights_against_plain_loops() -> None:
    rng = np.random.default_rng(5)
    arrays = keras_arrays(rng)
    assert sum(array.size for array in arrays) == 7_471
    tower = make_tower("liexnet", input_size=32).eval()
    head = tower.make_head(7).eval()
    load_keras_arrays(tower, head, arrays)
    image = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    with torch.inference_mode():
        scores = head(tower(torch.from_numpy(image.transpose(2, 0, 1)[None].copy())))[0].numpy()
    np.testing.assert_allclose(scores, slow_liexnet(image, arrays), rtol=1e-4, atol=1e-4)


def test_keras_weights_of_another_network_change_nothing() -> None:
    arrays = keras_arrays(np.random.default_rng(0))
    tower = make_tower("liexnet")
    head = tower.make_head(7)
    before = tower.fingerprint
    with pytest.raises(TowerError, match="takes 46 Keras arrays and was given 45"):
        load_keras_arrays(tower, head, arrays[:-1])
    with pytest.raises(TowerError, match="array 45 has the shape"):
        load_keras_arrays(tower, tower.make_head(8), arrays)
    with pytest.raises(TowerError, match="array 1 has the shape"):
        load_keras_arrays(tower, head, [arrays[0].transpose(3, 0, 1, 2), *arrays[1:]])
    with pytest.raises(TowerError, match="not finite"):
        load_keras_arrays(tower, head, [*arrays[:-1], np.full(7, np.nan)])
    assert tower.fingerprint == before
    load_keras_arrays(tower, None, arrays[:-2])
    assert tower.fingerprint != before


def write_h5(path: Path, arrays: list[np.ndarray], whole: bool) -> None:
    """A Keras file of the same build: groups a layer, their names and those of their weights as attributes."""
    h5py = pytest.importorskip("h5py", reason="h5py is not installed (extra [train])")
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if whole else file
        names = [f"z_layer_{99 - number}" for number in range(len(arrays))]  # not in alphabetical order
        group.attrs["layer_names"] = np.array(["input", *names], dtype="S")
        group.create_group("input").attrs["weight_names"] = np.array([], dtype="S")
        for name, array in zip(names, arrays):
            layer = group.create_group(name)
            layer.attrs["weight_names"] = np.array([f"{name}/kernel:0"], dtype="S")
            layer.create_dataset(f"{name}/kernel:0", data=array)


@pytest.mark.parametrize("whole", [True, False])
def test_keras_h5_is_read_in_layer_order(tmp_path: Path, whole: bool) -> None:
    arrays = keras_arrays(np.random.default_rng(1))
    write_h5(tmp_path / "weights.h5", arrays, whole)
    read = read_keras_h5(tmp_path / "weights.h5")
    assert len(read) == len(arrays)
    assert all(np.array_equal(one, other) for one, other in zip(read, arrays))


def test_a_damaged_h5_is_refused(tmp_path: Path) -> None:
    write_h5(tmp_path / "good.h5", keras_arrays(np.random.default_rng(1)), True)
    data = (tmp_path / "good.h5").read_bytes()
    bad = tmp_path / "bad.h5"
    for content in (b"", b"no such thing", data[:5000], data[:100] + b"\xff" * 2000 + data[2100:]):
        bad.write_bytes(content)
        with pytest.raises(TowerError, match="cannot be read as a Keras"):
            read_keras_h5(bad)
    with pytest.raises(TowerError, match="does not exist"):
        read_keras_h5(tmp_path / "missing.h5")
    rng = np.random.default_rng(2)
    for _ in range(60):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 20):
            damaged[place] = rng.integers(0, 256)
        bad.write_bytes(bytes(damaged))
        try:
            load_keras_arrays(make_tower("liexnet"), None, read_keras_h5(bad)[:-2])
        except TowerError:
            continue


def test_an_h5_of_something_else_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed (extra [train])")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = np.arange(3)
    with pytest.raises(TowerError, match="cannot be read as a Keras"):
        read_keras_h5(tmp_path / "other.h5")


def test_without_h5py_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from galleries.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtra, match=r"pip install 'siamese-emotions\[train\]'"):
        read_keras_h5(tmp_path / "weights.h5")
