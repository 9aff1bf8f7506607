from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.errors import ConfigError
from siamese.augment import Augmentation


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(size: int = 6, channels: int = 1, height: int = 20, width: int = 24) -> torch.Tensor:
    return torch.randint(0, 256, (size, channels, height, width), generator=seeded(9), dtype=torch.uint8)


def test_nothing_asked_nothing_changed() -> None:
    pixels = pictures()
    out = Augmentation()(pixels, seeded())
    assert out.dtype == torch.float32
    assert torch.equal(out, pixels.float())
    assert not Augmentation().moves


def test_a_sure_mirror_is_the_mirror_image() -> None:
    pixels = pictures()
    out = Augmentation(flip=1.0)(pixels, seeded())
    torch.testing.assert_close(out, pixels.float().flip(3), atol=1e-2, rtol=0)


def test_half_of_the_pictures_are_mirrored() -> None:
    pixels = pictures(1).expand(400, 1, 20, 24)
    out = Augmentation(flip=0.5)(pixels, seeded())
    mirrored = (out - pixels.float().flip(3)).abs().amax((1, 2, 3)) < 1
    assert 150 < mirrored.sum() < 250


def test_a_shift_moves_by_no_more_than_asked() -> None:
    pixels = torch.zeros(300, 1, 40, 40)
    pixels[:, :, 20, 20] = 255
    out = Augmentation(shift=0.1)(pixels, seeded())
    weight = out[:, 0] / out[:, 0].sum((1, 2), keepdim=True)
    centre = torch.stack([(weight.sum(1) * torch.arange(40)).sum(1), (weight.sum(2) * torch.arange(40)).sum(1)])
    moved = centre - 20
    assert moved.abs().max() <= 4.01
    assert moved.abs().max() > 3.5
    assert moved.mean(1).abs().max() < 0.5


@pytest.mark.parametrize(("zoom", "expected"), [((2.0, 2.0), 4.0), ((0.5, 0.5), 0.25), ((1.0, 1.0), 1.0)])
def test_zoom_enlarges(zoom: tuple[float, float], expected: float) -> None:
    pixels = torch.zeros(1, 1, 64, 64)
    pixels[:, :, 24:40, 24:40] = 255
    area = (Augmentation(zoom=zoom, flip=1e-9)(pixels, seeded()) > 127).sum().item()
    assert area / 256 == pytest.approx(expected, rel=0.1)


def test_a_rotation_keeps_a_disc_and_turns_a_bar() -> None:
    rows, columns = torch.meshgrid(torch.arange(65) - 32, torch.arange(97) - 48, indexing="ij")
    disc = ((rows**2 + columns**2) < 400).float()[None, None] * 255
    out = Augmentation(rotate=180.0)(disc.expand(8, 1, 65, 97), seeded())
    assert (out - disc).abs().mean() < 2.5  # also where the picture is not square
    bar = ((rows.abs() < 4) & (columns.abs() < 24)).float()[None, None] * 255
    turned = Augmentation(rotate=180.0)(bar.expand(50, 1, 65, 97), seeded())
    area = turned.sum((1, 2, 3)) / bar.sum()
    assert (area - 1).abs().max() < 0.06
    assert (turned - bar).abs().mean((1, 2, 3)).max() > 5


def test_light_changes_and_stays_in_range() -> None:
    pixels = pictures(60)
    out = Augmentation(brightness=0.3, contrast=0.5)(pixels, seeded())
    assert out.min() >= 0
    assert out.max() <= 255
    shift = out.mean((1, 2, 3)) - pixels.float().mean((1, 2, 3))
    assert shift.abs().max() <= 0.3 * 255 + 1
    assert shift.std() > 10
    grey = torch.full((40, 1, 8, 8), 100.0)
    lit = Augmentation(contrast=0.5)(grey, seeded())
    torch.testing.assert_close(lit, grey)  # contrast alone leaves the mean


def test_a_sure_patch_covers_2_to_20_percent() -> None:
    pixels = torch.full((300, 1, 48, 48), -1.0)
    share = (Augmentation(erase=1.0)(pixels, seeded()) >= 0).float().mean((1, 2, 3))
    assert share.min() > 0.01
    assert share.max() < 0.22
    seldom = (Augmentation(erase=0.25)(pixels, seeded()) >= 0).flatten(1).any(1).float().mean()
    assert 0.15 < seldom < 0.35


def test_the_generator_alone_decides() -> None:
    strong = Augmentation(
        rotate=20, shift=0.1, zoom=(0.8, 1.2), shear=5, flip=0.5, brightness=0.2, contrast=0.2, erase=1
    )
    one = strong(pictures(), seeded(1))
    torch.manual_seed(99)
    assert torch.equal(strong(pictures(), seeded(1)), one)
    assert not torch.equal(strong(pictures(), seeded(2)), one)
    assert strong(pictures(4, 3, 16, 16), seeded()).shape == (4, 3, 16, 16)


@settings(max_examples=80)
@given(
    st.dictionaries(
        st.sampled_from(
            ["rotate", "shift", "zoom", "shear", "flip", "brightness", "contrast", "erase", "disturb", "blur"]
        ),
        st.one_of(
            st.floats(0, 1),
            st.floats(),
            st.integers(-3, 300),
            st.text(max_size=3),
            st.none(),
            st.booleans(),
            st.lists(st.one_of(st.floats(), st.text(max_size=2)), max_size=3),
            st.just([0.9, 1.1]),
        ),
        max_size=4,
    )
)
def test_a_recipes_table_works_or_is_refused(values: dict[str, Any]) -> None:
    try:
        made = Augmentation.from_mapping(values)
    except ConfigError:
        return
    out = made.disturbed(made(pictures(2, 1, 8, 9), seeded()), seeded())
    assert torch.isfinite(out).all()
    assert np.all((out.numpy() >= -0.01) & (out.numpy() <= 255.01))


def test_a_misspelt_part_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'rotate'"):
        Augmentation.from_mapping({"rotation": 5.0})
    with pytest.raises(ConfigError, match="table"):
        Augmentation.from_mapping(3)  # type: ignore[arg-type]
    for bad in ({"zoom": (1.2, 0.9)}, {"zoom": 1.0}, {"flip": 1.5}, {"rotate": True}, {"shift": float("nan")}):
        with pytest.raises(ConfigError, match="was given"):
            Augmentation(**bad)  # type: ignore[arg-type]
