"""How far a number can be trusted: 95 % intervals of shares and means."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import require


def wilson(right: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a share.

    Args:
        right: Successes, 0 … n.
        n: Trials, at least 1.
        confidence: 0-1.

    Returns:
        Lower and upper bound, 0-1.
    """
    stats = require("scipy.stats", "eval")
    interval = stats.binomtest(right, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Optional[tuple[float, float]]:
    """Student's interval of a mean over repetitions ("The Probable Error of a Mean", 1908).

    Args:
        values: One a repetition, such as a seed.
        confidence: 0-1.

    Returns:
        Lower and upper bound; None with fewer than two values.
    """
    if len(values) < 2:
        return None
    stats = require("scipy.stats", "eval")
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5
    reach = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * error
    return (mean - reach, mean + reach)


def resampled_interval(
    right: NDArray[np.bool_], groups: NDArray[Any], seed: int = 0, repetitions: int = 2000
) -> tuple[float, float]:
    """95 % interval of a share by drawing whole groups anew (Efron, "Bootstrap Methods", 1979; here by person).

    Pictures of a person succeed and fail together, so resampling pictures would give too narrow an interval.

    Args:
        right: bool (N,).
        groups: (N,), who each picture shows.
        seed: Of the drawing.
        repetitions: Samples drawn.

    Returns:
        The 2.5 % and 97.5 % percentiles.
    """
    _, member = np.unique(groups, return_inverse=True)
    hits, sizes = np.bincount(member, weights=right), np.bincount(member)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(sizes), (repetitions, len(sizes)))
    shares = hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)
