from __future__ import annotations

import urllib.request
from dataclasses import replace
from http.client import IncompleteRead
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch

from galleries.errors import ConfigError, TowerError
from galleries.images import InputSpec
from siamese.towers import (
    TOWERS,
    Tower,
    count_multiply_adds,
    count_parameters,
    default_spec,
    make_tower,
    tower_names,
)
from siamese.towers.keras_weights import load_keras_arrays, read_keras_h5


def pixels_for(tower: Tower, size: int = 2, seed: int = 0) -> torch.Tensor:
    spec = tower.input_spec
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (size, spec.channels, spec.height, spec.width), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("name", "size", "classes", "statistics", "expected"),
    [
        ("siamese", 48, 0, False, 3_193_984),
        ("siamese", 100, 0, False, 36_224_128),
        ("liexnet", None, 7, True, 7_471),
        ("liexnet", None, 7, False, 7_159),
        ("affectnet_cnn", None, 8, False, 4_822_600),
        ("fer_cnn", None, 7, True, 32_116_743),
        ("fer_cnn", None, 7, False, 32_116_743 - 640),
    ],
)
def test_weights_are_counted_as_published(
    name: str, size: int | None, classes: int, statistics: bool, expected: int
) -> None:
    with torch.device("meta"):
        tower = make_tower(name, input_size=size)
        parts = [tower] if not classes else [tower, tower.make_head(classes)]
    assert count_parameters(*parts, statistics=statistics) == expected


def test_compact_is_small_and_cheap() -> None:
    tower = make_tower("compact")
    assert (tower.input_spec.height, tower.input_spec.width, tower.input_spec.channels) == (48, 48, 1)
    assert count_parameters(tower) <= 1_500_000
    assert count_multiply_adds(tower) <= 100_000_000


def test_multiply_adds_of_liexnet_by_hand() -> None:
    by_hand = (
        64 * 64 * (6 * 3 * 9 + 6 * 9 + 12 * 6)
        + 32 * 32 * (24 * 12 + 24 * 9 + 24 * 24)
        + 16 * 16 * (48 * 24 + 48 * 9 + 48 * 48)
        + 24 * 48
    )
    assert count_multiply_adds(make_tower("liexnet")) == by_hand


@pytest.mark.parametrize("name", list(TOWERS))
def test_every_own_tower_takes_pixels_and_gives_vectors(name: str) -> None:
    tower = make_tower(name, input_size=48 if name != "siamese" else None).eval()
    with torch.inference_mode():
        vectors = tower(pixels_for(tower, 3))
        head = tower.make_head(5).eval()
        scores = head(vectors)
        again = tower(pixels_for(tower, 3).float())
    assert vectors.shape == (3, tower.embedding_dim)
    assert vectors.dtype == torch.float32
    assert torch.isfinite(vectors).all()
    assert scores.shape == (3, 5)
    assert torch.equal(vectors, again)
    assert tower.name == name
    assert default_spec(name) == make_tower(name).input_spec
    assert not torch.allclose(vectors[0], vectors[1])


@pytest.mark.parametrize("name", ["compact", "siamese", "liexnet", "affectnet_cnn", "fer_cnn"])
@pytest.mark.parametrize("shape", [(2, 2, 48, 48), (2, 1, 47, 48), (48, 48), (1, 3, 128, 127)])
def test_another_shape_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        tower = make_tower(name)
        with pytest.raises(TowerError, match="takes pixels"):
            tower(torch.zeros(shape, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("compact", InputSpec(17, 31, 3)),
        ("siamese", InputSpec(60, 41, 3)),
        ("liexnet", InputSpec(48, 64, 1)),
        ("affectnet_cnn", InputSpec(16, 20, 1)),
        ("fer_cnn", InputSpec(8, 21, 3)),
        ("shufflenet_v2_x0_5", InputSpec(40, 50, 3)),
    ],
)
def test_other_input_sizes(name: str, spec: InputSpec) -> None:
    tower = make_tower(name, spec, embedding_dim=16).eval()
    with torch.inference_mode():
        assert tower(pixels_for(tower)).shape == (2, 16)


@pytest.mark.parametrize(
    ("name", "size"), [("compact", 15), ("siamese", 40), ("liexnet", 51), ("affectnet_cnn", 15), ("densenet121", 8)]
)
def test_a_size_that_does_not_fit_is_refused(name: str, size: int) -> None:
    with pytest.raises(TowerError, match=r"pixels|pictures"):
        make_tower(name, input_size=size)


def test_unknown_towers_and_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="'mobilenet_v2'"):
        make_tower("mobilenetv2")
    with pytest.raises(ConfigError, match="1 or more"):
        make_tower("compact", embedding_dim=0)
    with pytest.raises(TowerError, match="pretrained"):
        make_tower("compact", weights="imagenet")
    with pytest.raises(ConfigError, match="imagenet"):
        make_tower("resnet18", weights="imagenette")
    with pytest.raises(TowerError, match="3 channels"):
        make_tower("resnet18", InputSpec(64, 64, 1))
    assert "compact" in tower_names()
    assert "efficientnet_b0" in tower_names()


@pytest.mark.parametrize(
    ("name", "size", "width"),
    [
        ("mobilenet_v2", 32, 1280),
        ("resnet18", 32, 512),
        ("efficientnet_b0", 32, 1280),
        ("densenet121", 32, 1024),
        ("shufflenet_v2_x0_5", 32, 1024),
        ("squeezenet1_0", 48, 512),
        ("googlenet", 32, 1024),
        ("regnet_y_400mf", 32, 440),
        ("mnasnet0_5", 32, 1280),
        ("mobilenet_v3_small", 32, 576),
    ],
)
def test_torchvision_classifiers_by_name(name: str, size: int, width: int) -> None:
    tower = make_tower(name, input_size=size).eval()
    assert isinstance(tower.dense, torch.nn.Linear)
    assert tower.dense.in_features == width
    with torch.inference_mode():
        vectors = tower(pixels_for(tower))
    assert vectors.shape == (2, 128)
    assert (vectors >= 0).all()
    assert make_tower(name, InputSpec(size, size, 3)).name == name


def test_the_pyramid_is_pooled_by_its_maximum() -> None:
    tower = make_tower("resnet18", input_size=64).eval()
    with torch.inference_mode():
        images = tower.normalise(pixels_for(tower))
        pyramid = tower.backbone(images)  # type: ignore[operator]
        expected = pyramid.amax(dim=(2, 3))
        assert pyramid.shape[2:] == (2, 2)
        assert torch.equal(tower.features(images), expected)  # type: ignore[operator]


@pytest.mark.parametrize("error", [URLError("no route"), TimeoutError("timed out"), IncompleteRead(b"")])
def test_weights_that_cannot_be_downloaded(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    monkeypatch.setattr(torch.hub, "urlopen", fail)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(TowerError, match=r"could not be downloaded or read .* train without --weights"):
        make_tower("shufflenet_v2_x0_5", weights="imagenet")


def test_a_damaged_download_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        torch.hub, "download_url_to_file", lambda url, path, *_, **__: Path(path).write_bytes(b"x" * 99)
    )
    with pytest.raises(TowerError, match="could not be downloaded"):
        make_tower("shufflenet_v2_x0_5", weights="imagenet")


def test_googlenet_is_the_same_with_and_without_pretrained_weights() -> None:
    tower = make_tower("googlenet", input_size=32)
    assert tower.backbone.transform_input is True  # type: ignore[union-attr]


def test_the_fingerprint_follows_weights_and_input() -> None:
    torch.manual_seed(3)
    tower = make_tower("compact", input_size=16)
    torch.manual_seed(3)
    assert make_tower("compact", input_size=16).fingerprint == tower.fingerprint
    before = tower.fingerprint
    tower.train()(pixels_for(tower, 4))
    moved = tower.fingerprint
    assert moved != before  # batch-norm statistics are part of the tower
    tower.eval()(pixels_for(tower, 4))
    assert tower.fingerprint == moved
    tower.input_spec = replace(tower.input_spec, height=17)
    assert tower.fingerprint != moved


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
