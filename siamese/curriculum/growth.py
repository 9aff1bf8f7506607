"""The growth rule: one emotion more at a time, until accuracy falls below the threshold with three or more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Sequence

MINIMUM_TO_STOP = 3
"""With fewer emotions than this, growth goes on whatever the accuracy: the paper's "three or more"."""


@dataclass(frozen=True)
class GrowthStep:
    """A set of emotions that was trained on.

    Attributes:
        emotions: All of them, in the order they came.
        added: The newest; None for the pair that growth starts from.
        value: The criterion on validation, 0-1; None where no usable tower came of it.
        kept: Whether growth went on from here.
    """

    emotions: tuple[str, ...]
    added: Optional[str]
    value: Optional[float]
    kept: bool


@dataclass(frozen=True)
class Growth:
    """Where growth ended.

    Attributes:
        held: The last set of emotions at or above the threshold (or the starting pair).
        broken_by: The emotion with which accuracy fell below it; None if every emotion is held.
        steps: Every set that was trained on, in order.
    """

    held: tuple[str, ...]
    broken_by: Optional[str]
    steps: tuple[GrowthStep, ...]


def grow(
    start: tuple[str, str],
    others: Sequence[str],
    choose: Callable[[tuple[str, ...], tuple[str, ...]], str],
    train: Callable[[tuple[str, ...]], Optional[float]],
    threshold: float,
) -> Growth:
    """Grow a set of emotions.

    Args:
        start: The two emotions to begin with.
        others: Those that may be added.
        choose: Called with the emotions held and those left; names the one to add next.
        train: Called with a set of emotions; trains on it and gives the criterion on validation, 0-1, or None where
            the embedding collapsed.
        threshold: Growth stops when the criterion is below it with three or more emotions; a value equal to it holds.
    """
    held: tuple[str, ...] = start
    left = tuple(others)
    steps = [GrowthStep(held, None, train(held), True)]
    while left:
        added = choose(held, left)
        wider = (*held, added)
        value = train(wider)
        falls = value is None or value < threshold
        broken = falls and len(wider) >= MINIMUM_TO_STOP
        steps.append(GrowthStep(wider, added, value, not broken))
        if broken:
            return Growth(held, added, tuple(steps))
        held, left = wider, tuple(emotion for emotion in left if emotion != added)
    return Growth(held, None, tuple(steps))
