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
from galleries.vectors import usable
from siamese.towers import (
    TOWERS,
    Tower,
    count_multiply_adds,
    count_parameters,
    default_spec,
    make_tower,
    tower_names,
)


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


def test_a_straightener_costs_little() -> None:
    wide, straight = make_tower("compact_wide"), make_tower("compact_straight")
    assert count_parameters(straight) == count_parameters(wide) + 35_092 <= 1_500_000
    assert count_multiply_adds(straight) < 1.02 * count_multiply_adds(wide)


def test_nano_is_smaller_and_cheaper() -> None:
    tower = make_tower("nano")
    assert tower.input_spec == make_tower("compact").input_spec
    assert tower.embedding_dim == 32
    assert count_parameters(tower) == 136_624 <= 150_000
    by_hand = (
        24 * 24 * 16 * 9 + 12 * 12 * (32 * 16 * 9 + 4 * 32 * 32 * 9) + 6 * 6 * (64 * 32 * 9 + 2 * 64 * 64 * 9) + 64 * 32
    )
    assert count_multiply_adds(tower) == by_hand


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


@pytest.mark.parametrize("name", ["liexnet", "affectnet_cnn", "fer_cnn", "mobilenet_v2"])
def test_a_face_in_which_nothing_fires_has_a_direction(name: str) -> None:
    tower = make_tower(name, input_size=48).eval()
    last = [layer for layer in tower.modules() if isinstance(layer, torch.nn.Linear)][-1]
    with torch.inference_mode():
        before = tower(pixels_for(tower))
        last.weight.zero_()
        last.bias.fill_(-1.0)
        after = tower(pixels_for(tower))
    assert (before > 0).all()
    directions = usable(after.numpy(), tower.metric)
    assert directions == pytest.approx(np.full_like(directions, tower.embedding_dim**-0.5), rel=1e-3)


@pytest.mark.parametrize("name", ["compact", "nano", "siamese", "liexnet", "affectnet_cnn", "fer_cnn"])
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
        ("nano", InputSpec(17, 31, 3)),
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
    ("name", "size"),
    [("compact", 15), ("nano", 15), ("siamese", 40), ("liexnet", 51), ("affectnet_cnn", 15), ("densenet121", 8)],
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
