"""Whether one classifier is better than another on the same pictures: McNemar's test, the paired bootstrap, Holm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.intervals import Bootstrap
from galleries.errors import require


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Exact two-sided p-value of two classifiers being right equally often.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", 1947, by the
    binomial distribution of the pictures on which only one of both is right. It takes pictures as independent.

    Args:
        first: bool (N,), where the first is right.
        second: bool (N,), where the second is.

    Returns:
        0-1; 1 where both are right on the same pictures.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    stats = require("scipy.stats", "eval")
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def joined(p_values: Sequence[float]) -> float:
    """One p-value of several tests of one question, however they depend on each other.

    Rüger, "Das maximale Signifikanzniveau des Tests: Lehne H0 ab, wenn k unter n gegebenen Tests zur Ablehnung
    führen", 1978, with k the lower median: of three p-values, 3/2 of the middle one.

    Args:
        p_values: One a seed, at least one.
    """
    place = (len(p_values) + 1) // 2
    return min(1.0, len(p_values) / place * sorted(p_values)[place - 1])


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for being several (Holm, "A simple sequentially rejective multiple test procedure", 1979)."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


@dataclass(frozen=True)
class Difference:
    """A paired difference of two accuracies.

    Attributes:
        mean: First less second, -1 to 1.
        interval: 95 %.
        p: Two-sided, of there being no difference; below 0.05 only where the interval leaves 0 out.
    """

    mean: float
    interval: tuple[float, float]
    p: float


def resampled_accuracy(right: NDArray[np.bool_], draws: Bootstrap, seed: int = 0) -> NDArray[np.float64]:
    """A classifier's mean accuracy over its trainings, in each of B samples of people (or pictures) and of trainings.

    Of S trainings S - 1 are drawn, so that the mean varies as much as a mean over S does (Rao and Wu, "Resampling
    Inference with Complex Survey Data", 1988). One training alone is kept as it is, and its chance left out. What is
    chance in both, the picture's answer in this training, counts twice, so that intervals are rather too wide than too
    narrow (Owen, "The Pigeonhole Bootstrap", 2007).

    Args:
        right: bool (S, N), where each training is right.
        draws: Of the N pictures; the same for classifiers that are compared.
        seed: Of the drawing of trainings.

    Returns:
        float64 (B,).
    """
    sums = draws.sums(np.column_stack([right.T, np.ones(right.shape[1])]))  # (B, S + 1)
    accuracy: NDArray[np.float64] = sums[:, :-1] / np.maximum(sums[:, -1:], 1e-12)
    trainings = len(right)
    if trainings == 1:
        return accuracy[:, 0]
    chosen = np.random.default_rng([seed, trainings]).integers(0, trainings, (len(accuracy), trainings - 1))
    mean: NDArray[np.float64] = np.take_along_axis(accuracy, chosen, axis=1).mean(axis=1)
    return mean


def paired_difference(
    mean: float, first: NDArray[np.float64], second: NDArray[np.float64], draws: Bootstrap
) -> Difference:
    """The paired bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 16).

    Args:
        mean: The difference itself.
        first: float64 (B,) of :func:`resampled_accuracy`.
        second: The same of the other, from the same draws of pictures.
        draws: Those draws.
    """
    gaps = first - second
    return Difference(mean, draws.interval(gaps), _p_value(gaps, draws.counts.shape[1]))


def _p_value(gaps: NDArray[np.float64], groups: int) -> float:
    """Twice the smaller share of samples beyond 0, moved outwards as :meth:`Bootstrap.interval` moves its bounds."""
    stats: Any = require("scipy.stats", "eval")
    below, above = (int(side.sum()) for side in (gaps <= 0, gaps >= 0))
    share = (min(below, above) + 1) / (len(gaps) + 1)
    if share >= 0.5 or groups < 2:
        return min(1.0, 2 * share)
    quantile = float(stats.norm.ppf(share)) / math.sqrt(groups / (groups - 1))
    return min(1.0, 2 * float(stats.t.cdf(quantile, groups - 1)))
