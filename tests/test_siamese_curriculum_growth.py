from __future__ import annotations

from typing import Optional

import pytest

from siamese.curriculum.growth import Growth, grow

OTHERS = ("c", "d", "e")


def first(held: tuple[str, ...], left: tuple[str, ...]) -> str:
    return left[0]


def scripted(values: list[Optional[float]], threshold: float = 0.70) -> tuple[Growth, list[tuple[str, ...]]]:
    """Growth from a and b with a scorer that gives these values, and the sets it was asked about."""
    asked: list[tuple[str, ...]] = []

    def train(emotions: tuple[str, ...]) -> Optional[float]:
        asked.append(emotions)
        return values[len(asked) - 1]

    return grow(("a", "b"), OTHERS, first, train, threshold), asked


def test_it_stops_just_below_the_threshold() -> None:
    growth, asked = scripted([0.95, 0.80, 0.699, 0.99])
    assert growth.held == ("a", "b", "c")
    assert growth.broken_by == "d"
    assert [step.kept for step in growth.steps] == [True, True, False]
    assert asked == [("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d")]


def test_it_does_not_stop_at_the_threshold() -> None:
    growth, _ = scripted([0.95, 0.70, 0.70, 0.70])
    assert growth.held == ("a", "b", "c", "d", "e")
    assert growth.broken_by is None


@pytest.mark.parametrize("right", [7, 70, 2100])
def test_seventy_of_a_hundred_is_the_threshold(right: int) -> None:
    """A share that is exactly 0.7 holds, whatever the number of pictures."""
    growth, _ = scripted([1.0, right / (right // 7 * 10), 0.0, 0.0])
    assert growth.held == ("a", "b", "c")


def test_it_never_stops_with_two_emotions() -> None:
    growth, asked = scripted([0.30, 0.71, 0.2])
    assert growth.held == ("a", "b", "c")
    assert len(asked) == 3
    assert growth.steps[0].kept


def test_two_are_held_when_the_third_breaks_it() -> None:
    growth, _ = scripted([0.30, 0.30])
    assert growth.held == ("a", "b")
    assert growth.broken_by == "c"


def test_a_collapse_breaks_it() -> None:
    growth, _ = scripted([None, 0.8, None])
    assert growth.held == ("a", "b", "c")
    assert growth.broken_by == "d"
    assert growth.steps[-1].value is None


def test_the_chooser_says_what_comes_next() -> None:
    asked: list[tuple[tuple[str, ...], tuple[str, ...]]] = []

    def last(held: tuple[str, ...], left: tuple[str, ...]) -> str:
        asked.append((held, left))
        return left[-1]

    growth = grow(("a", "b"), OTHERS, last, lambda emotions: 0.9, 0.70)
    assert growth.held == ("a", "b", "e", "d", "c")
    assert asked == [
        (("a", "b"), ("c", "d", "e")),
        (("a", "b", "e"), ("c", "d")),
        (("a", "b", "e", "d"), ("c",)),
    ]
