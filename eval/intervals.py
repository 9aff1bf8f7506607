"""How far a number can be trusted: 95 % intervals of shares and means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
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


@dataclass(frozen=True)
class Bootstrap:
    """Whole groups drawn anew, the same draws for every number of one test (Efron, "Bootstrap Methods", 1979).

    Pictures of a person succeed and fail together, so drawing pictures would give too narrow an interval.

    Attributes:
        member: int64 (N,), the group of each picture, 0 … G - 1.
        counts: float32 (repetitions, G), how often each group was drawn.
        by: ``"people"``, or ``"pictures"`` where each picture is its own group.
    """

    member: NDArray[np.int64]
    counts: NDArray[np.float32]
    by: str

    @classmethod
    def draw(
        cls, size: int, people: Optional[Sequence[Any]] = None, seed: int = 0, repetitions: int = 1000
    ) -> Bootstrap:
        """Draw.

        Args:
            size: Pictures N, at least 1.
            people: Who each picture shows; None, or one person on all of them, draws single pictures.
            seed: Of the drawing.
            repetitions: Samples drawn.
        """
        member = np.arange(size, dtype=np.int64)
        if people is not None and len(set(people)) > 1:
            member = np.unique(np.asarray(people), return_inverse=True)[1].reshape(-1).astype(np.int64)
        else:
            people = None
        groups = int(member.max()) + 1
        rng = np.random.default_rng(seed)
        counts = np.empty((repetitions, groups), np.float32)
        for row in counts:
            row[:] = np.bincount(rng.integers(0, groups, groups), minlength=groups)
        return cls(member, counts, "pictures" if people is None else "people")

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sums of a value of the pictures, over each sample.

        Args:
            values: (N,) or (N, M).

        Returns:
            float64 (repetitions,) or (repetitions, M).
        """
        flat = values.reshape(len(values), -1)
        groups = self.counts.shape[1]
        columns = [np.bincount(self.member, weights=column, minlength=groups) for column in flat.T]
        grouped = np.stack(columns, axis=1).astype(np.float32)  # (G, M)
        return np.asarray(self.counts @ grouped, np.float64).reshape(-1, *values.shape[1:])

    def means(self, values: NDArray[Any]) -> list[tuple[float, float]]:
        """The intervals of means over pictures; values (N, M), M intervals."""
        weighed = self.sums(np.column_stack([values, np.ones(len(values))]))  # (repetitions, M + 1)
        return [self.interval(column / np.maximum(weighed[:, -1], 1e-12)) for column in weighed[:, :-1].T]

    def mean(self, values: NDArray[Any]) -> tuple[float, float]:
        """The interval of a mean over pictures; values (N,)."""
        return self.means(values[:, None])[0]

    def interval(self, samples: NDArray[np.float64]) -> tuple[float, float]:
        """The 95 % interval of a number, from its value in each sample.

        The percentiles are moved outwards as Student's distribution asks for so few groups (Hesterberg, "What Teachers
        Should Know About the Bootstrap", 2015): plain ones are too narrow by a factor of about sqrt((G - 1) / G).

        Args:
            samples: float64 (repetitions,); NaN where it is not defined, which is left out.

        Returns:
            Lower and upper bound; NaN where it is defined in no sample.
        """
        known = samples[np.isfinite(samples)]
        if not len(known):
            return float("nan"), float("nan")
        share = _outer_share(self.counts.shape[1])
        low, high = np.percentile(known, [100 * share, 100 * (1 - share)])
        return float(low), float(high)


@lru_cache(maxsize=None)
def _outer_share(groups: int) -> float:
    """Which percentile is the lower bound: 2.5 % for very many groups, less for few."""
    if groups < 2:
        return 0.025
    stats = require("scipy.stats", "eval")
    reach = (groups / (groups - 1)) ** 0.5 * float(stats.t.ppf(0.025, groups - 1))
    return float(stats.norm.cdf(reach))


def resampled_interval(
    right: NDArray[np.bool_], groups: NDArray[Any], seed: int = 0, repetitions: int = 2000
) -> tuple[float, float]:
    """95 % interval of a share by drawing whole groups anew; see :class:`Bootstrap`.

    Args:
        right: bool (N,).
        groups: (N,), who each picture shows.
        seed: Of the drawing.
        repetitions: Samples drawn.

    Returns:
        Lower and upper bound, 0-1.
    """
    return Bootstrap.draw(len(right), list(groups), seed, repetitions).mean(right)
