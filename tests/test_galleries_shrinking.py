"""Averages of areas: against fractions, and against OpenCV to the bit."""

from __future__ import annotations

from fractions import Fraction
from typing import List

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.images import limit
from galleries.shrinking import shrink

RNG = np.random.default_rng(2)
FILMS = [(640, 360), (640, 480), (960, 540), (1920, 1080), (480, 640), (320, 240), (640, 512), (1280, 1152)]


def shares(before: int, after: int) -> List[List[Fraction]]:
    """How much of each old pixel lies in each new one, as shares of the new one."""
    size = Fraction(before, after)
    return [
        [max(Fraction(0), min((j + 1) * size, i + 1) - max(j * size, i)) / size for i in range(before)]
        for j in range(after)
    ]


def slow(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The definition, in fractions."""
    down, across = shares(image.shape[0], height), shares(image.shape[1], width)
    made = np.zeros((height, width), np.uint8)
    for y, rows in enumerate(down):
        for x, columns in enumerate(across):
            mean = sum(
                (r * c * int(image[i, j]) for i, r in enumerate(rows) if r for j, c in enumerate(columns) if c),
                Fraction(0),
            )
            made[y, x] = round(mean)
    return made


@pytest.mark.parametrize(
    ("before", "after"),
    [((15, 10), (6, 4)), ((15, 15), (4, 4)), ((5, 25), (4, 8)), ((30, 9), (4, 3)), ((7, 9), (5, 1))],
)
def test_against_the_definition(before: tuple, after: tuple) -> None:
    image = RNG.integers(0, 256, before[::-1], dtype=np.uint8)
    assert np.array_equal(shrink(image, *after), slow(image, *after))


@pytest.mark.parametrize(("width", "height"), FILMS)
@pytest.mark.parametrize("colours", [(), (3,)])
def test_as_opencv_at_the_sizes_of_films(width: int, height: int, colours: tuple) -> None:
    longest = max(width, height)
    size = (round(width * 256 / longest), round(height * 256 / longest))
    for image in (
        RNG.integers(0, 256, (height, width, *colours), dtype=np.uint8),
        RNG.choice(np.array([0, 255], np.uint8), (height, width, *colours)),
        np.full((height, width, *colours), 255, np.uint8),
    ):
        expected = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        assert np.array_equal(shrink(image, *size), expected)
        assert np.array_equal(limit(image), expected)
        part = image[:, ::-1]  # not contiguous
        assert np.array_equal(shrink(part, *size), cv2.resize(part.copy(), size, interpolation=cv2.INTER_AREA))


@given(st.integers(1, 120), st.integers(1, 120), st.data())
@settings(max_examples=150)
def test_as_opencv_at_any_size(width: int, height: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, width)), data.draw(st.integers(1, height))
    colours = data.draw(st.sampled_from([(), (3,)]))
    image = np.random.default_rng(width).integers(0, 256, (height, width, *colours), dtype=np.uint8)
    assert np.array_equal(shrink(image, *size), cv2.resize(image, size, interpolation=cv2.INTER_AREA))
