"""How well numbers that are told with answers fit how often the answers are right. Pure numpy."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np
from numpy.typing import NDArray

ECE_BINS = 15
"""Bins of :func:`calibration_error`."""


def isotonic(values: NDArray[np.float64], right: NDArray[np.bool_]) -> Tuple[Tuple[float, float], ...]:
    """The rising curve nearest to the outcomes, by pooling adjacent violators (Zadrozny and Elkan, 2002).

    Args:
        values: float64 (N,), at least one.
        right: bool (N,).

    Returns:
        (value, share right) knots, both rising.
    """
    order = np.argsort(values, kind="stable")
    blocks: List[List[float]] = []  # lowest value, highest value, sum of outcomes, count
    for value, outcome in zip(values[order].tolist(), right[order].tolist()):
        blocks.append([value, value, float(outcome), 1.0])
        while len(blocks) > 1 and blocks[-2][2] / blocks[-2][3] >= blocks[-1][2] / blocks[-1][3]:
            last = blocks.pop()
            before = blocks[-1]
            blocks[-1] = [before[0], last[1], before[2] + last[2], before[3] + last[3]]
    knots = [(edge, block[2] / block[3]) for block in blocks for edge in (block[0], block[1])]
    return tuple(dict.fromkeys(knots))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = ECE_BINS) -> float:
    """Expected calibration error (Naeini, Cooper and Hauskrecht, 2015): mean gap of confidence and accuracy, 0-1."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[place == b].sum() - right[place == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(right))
