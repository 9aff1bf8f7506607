from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from siamese import disturbing
from siamese.augment import Augmentation
from siamese.config import TrainingConfig
from siamese.datasets import load_dataset
from siamese.distillation import Teachers
from siamese.disturbing import disturb
from siamese.learner import Learner
from siamese.splits import make_split
from siamese.training import fit

NONE = {"SIDE_LIGHT": 0.0, "GAMMA": 0.0, "BLUR": 0.0, "SHARPEN": 0.0, "NOISE": 0.0, "COARSE": (1.0, 1.0)}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(size: int = 6, channels: int = 1, height: int = 20, width: int = 24, low: int = 0) -> Tensor:
    return torch.randint(low, 256 - low, (size, channels, height, width), generator=seeded(9)).float()


def only(monkeypatch: pytest.MonkeyPatch, **strengths: Any) -> None:
    for name, value in {**NONE, **strengths}.items():
        monkeypatch.setattr(disturbing, name, value)


def test_nothing_asked_nothing_changed() -> None:
    torch.testing.assert_close(disturb(pictures(), 0.0, seeded()), pictures(), atol=1e-3, rtol=0)
    given = pictures()
    assert Augmentation().disturbed(given, seeded()) is given


def test_all_of_it_stays_in_range_and_the_generator_alone_decides() -> None:
    for size, channels, height, width in ((40, 1, 48, 48), (8, 3, 16, 20), (3, 1, 1, 1), (0, 1, 8, 8)):
        given = pictures(size, channels, height, width)
        one = disturb(given, 1.0, seeded(1))
        assert one.shape == given.shape
        assert one.dtype == torch.float32
        assert torch.isfinite(one).all()
        assert bool(((one >= 0) & (one <= 255)).all())
        torch.manual_seed(99)
        assert torch.equal(disturb(given, 1.0, seeded(1)), one)
        assert torch.equal(given, pictures(size, channels, height, width))
    assert not torch.equal(disturb(pictures(), 1.0, seeded(1)), disturb(pictures(), 1.0, seeded(2)))


def test_light_from_a_side_is_a_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, SIDE_LIGHT=50.0)
    added = disturb(torch.full((200, 1, 21, 31), 120.0), 1.0, seeded()) - 120
    torch.testing.assert_close(added.mean((1, 2, 3)), torch.zeros(200), atol=1e-3, rtol=0)
    for step in (added.diff(dim=2), added.diff(dim=3)):  # as steep everywhere
        torch.testing.assert_close(step, step[:, :, :1, :1].expand_as(step), atol=1e-3, rtol=0)
    slope = torch.hypot(added.diff(dim=3)[:, 0, 0, 0] * 15, added.diff(dim=2)[:, 0, 0, 0] * 10)
    assert 45 < slope.max() < 50.01
    assert slope.min() < 5


def test_gamma_is_a_power_of_the_brightness(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, GAMMA=0.6)
    ramp = torch.arange(256.0).view(1, 1, 16, 16).expand(100, 1, 16, 16)
    seen = disturb(ramp, 1.0, seeded())
    exponent = torch.log(seen[:, 0, 8, 0] / 255) / np.log(128 / 255)
    assert np.exp(-0.6) - 1e-3 < exponent.min() < 0.6
    assert 1.7 < exponent.max() < np.exp(0.6) + 1e-3
    expected = 255 * (ramp / 255) ** exponent.view(-1, 1, 1, 1)
    torch.testing.assert_close(seen, expected, atol=0.05, rtol=1e-3)


def test_blur_and_sharpening_are_a_binomial_blur_added_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    given = pictures(60, 1, 12, 14, low=110)  # never leaves the range when sharpened
    kernel = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25]).astype(np.float32)
    blurred = np.stack([cv2.filter2D(g[0].numpy(), -1, kernel, borderType=cv2.BORDER_REPLICATE) for g in given])
    only(monkeypatch, BLUR=1.0, SHARPEN=1.2)
    change = (disturb(given, 1.0, seeded()) - given)[:, 0].numpy()
    whole = blurred - given[:, 0].numpy()
    share = (change * whole).sum((1, 2)) / (whole**2).sum((1, 2))
    np.testing.assert_allclose(change, share[:, None, None] * whole, atol=1e-2)
    assert -1.2001 <= share.min() < -0.9
    assert 0.8 < share.max() <= 1.0001


def test_noise_is_as_strong_as_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, NOISE=12.0)
    noise = disturb(torch.full((300, 1, 24, 24), 127.0), 1.0, seeded()) - 127
    deviation = noise.flatten(1).std(1)
    assert deviation.max() < 13.5
    assert 5 < deviation.mean() < 7
    assert noise.mean().abs() < 0.2


def test_coarse_pictures_lose_their_finest_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, COARSE=(0.4, 0.4))
    given = pictures(400, 1, 20, 20)
    seen = disturb(given, 1.0, seeded())
    changed = (seen - given).abs().flatten(1).amax(1) > 1
    assert 150 < changed.sum() < 250  # half of the probability
    assert seen[changed].std() < 0.6 * given[changed].std()
    torch.testing.assert_close(seen[~changed], given[~changed], atol=1e-3, rtol=0)
    smooth = torch.arange(20.0).view(1, 1, 20, 1).expand(8, 1, 20, 20)
    kept = disturb(smooth, 1.0, seeded(3))
    torch.testing.assert_close(kept[:, :, 4:-4], smooth[:, :, 4:-4], atol=0.3, rtol=0)  # a slope stays where it is


def test_each_comes_with_its_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, strength in (("SIDE_LIGHT", 50.0), ("GAMMA", 0.6), ("NOISE", 12.0)):
        only(monkeypatch, **{name: strength})
        seen = disturb(torch.full((1000, 1, 8, 8), 100.0), 0.3, seeded())
        changed = ((seen - 100).abs().flatten(1).amax(1) > 1e-3).float().mean()
        assert 0.25 < changed < 0.35, name


def test_a_tower_sees_what_its_teachers_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = load_dataset("synthetic:subjects=6")
    split = make_split(faces, seed=0)
    plain = TrainingConfig(tower="nano", epochs=1, batch_size=32, ema=0.0, precision="float32")
    fit(faces, split, plain, tmp_path / "teacher")
    shown: list[Tensor] = []
    seen: list[Tensor] = []
    asked, forward = Teachers.classes_and_pairs, Learner.forward

    def ask(self: Teachers, images: Tensor, temperature: float) -> Any:
        shown.append(images.clone())
        return asked(self, images, temperature)

    def learn(self: Learner, pixels: Tensor, *rest: Any) -> Any:
        seen.append(pixels.clone())
        return forward(self, pixels, *rest)

    monkeypatch.setattr(Teachers, "classes_and_pairs", ask)
    monkeypatch.setattr(Learner, "forward", learn)
    config = plain.with_options(augment=Augmentation(disturb=0.9), distil_once=False)
    fit(faces, split, config, tmp_path / "run", teachers=[tmp_path / "teacher"])
    assert len(shown) == len(seen) > 0
    for teacher, pupil in zip(shown, seen):
        assert torch.equal(teacher, teacher.round())  # pixels as they are
        changed = (pupil - teacher).abs().flatten(1).amax(1) > 1
        assert changed.float().mean() > 0.7
