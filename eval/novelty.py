"""How well a score tells strange pictures from known ones: AUROC, FPR at 95 % TPR, AUPR, and risk against coverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from galleries.errors import require

REPETITIONS = 500
"""Bootstrap samples of an interval."""

SHOWN = 21
"""Steps at which the risk-coverage curve is kept, the empty one among them."""

_CELLS = 1 << 21  # weights that are looked at together

TPR = 0.95
"""Share of the known pictures that is to be accepted."""

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
Interval = tuple[float, float]


@dataclass(frozen=True)
class DetectionScore:
    """How well one score tells unknown pictures (score high) from known ones (score low).

    Intervals are 95 %, by bootstrap over pictures, or over people where they are known.

    Attributes:
        auroc: Chance that an unknown picture scores higher than a known one; 0.5 for guessing, 1 for perfect.
        auroc_interval: Of it.
        fpr95: Share of the unknown pictures accepted where 95 % of the known ones are; 0.95 for guessing, 0 for
            perfect (Hendrycks & Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples",
            2017, and after).
        fpr95_interval: Of it.
        aupr: Average precision of finding the unknown.
        aupr_floor: The same for guessing: the share of unknown pictures.
        aurc: Area under the risk-coverage curve, 0-1, low is good: the share of wrong answers among those accepted,
            averaged over how many are accepted (Geifman & El-Yaniv, "Selective Classification for Deep Neural
            Networks", 2017). Any answer to an unknown picture is wrong.
        aurc_interval: Of it.
        aurc_best: What a perfect order of these answers would reach.
        risk_at_all: Share of wrong answers when all are accepted: what guessing the order gives on average.
        curve: (coverage, risk) at evenly spaced coverages, rising to 1.
    """

    auroc: float
    auroc_interval: Interval
    fpr95: float
    fpr95_interval: Interval
    aupr: float
    aupr_floor: float
    aurc: float
    aurc_interval: Interval
    aurc_best: float
    risk_at_all: float
    curve: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        return {**plain, "curve": [list(point) for point in self.curve]}


def score_detection(
    novelty: Values, is_unknown: Flags, right: Flags, groups: NDArray[Any], seed: int = 0
) -> DetectionScore:
    """Judge a score.

    Args:
        novelty: float64 (Q,), the higher the stranger.
        is_unknown: bool (Q,), with some of both.
        right: bool (Q,), whether the answer is right; never for an unknown picture.
        groups: (Q,), what is resampled whole: people, or a value of its own for each picture.
        seed: Of the resampling.
    """
    metrics = require("sklearn.metrics", "eval")
    ranked = _Ranked(novelty, is_unknown, ~right)
    ones = np.ones((1, len(novelty)))
    samples = _resampled(groups, is_unknown, seed)
    risks = ranked.risks(ones)[0]
    places = np.unique(np.linspace(0, len(risks), SHOWN).round().astype(int))[1:] - 1
    wrong = int((~right).sum())
    perfect = np.maximum(np.arange(1, len(right) + 1) - (len(right) - wrong), 0) / np.arange(1, len(right) + 1)
    return DetectionScore(
        float(metrics.roc_auc_score(is_unknown, novelty)),
        _interval(_in_parts(ranked.auroc, samples)),
        float(ranked.fpr(ones)[0]),
        _interval(_in_parts(ranked.fpr, samples)),
        float(metrics.average_precision_score(is_unknown, novelty)),
        float(is_unknown.mean()),
        float(ranked.aurc(ones)[0]),
        _interval(_in_parts(ranked.aurc, samples)),
        float(perfect.mean()),
        wrong / len(right),
        tuple(((int(place) + 1) / len(risks), float(risks[place])) for place in places),
    )


class _Ranked:
    """Pictures in the order of their score, for many weightings at once; equal scores count as one step.

    Weights are float64 (R, Q), one row a weighting.
    """

    def __init__(self, novelty: Values, is_unknown: Flags, wrong: Flags) -> None:
        self._order = np.argsort(novelty, kind="stable")
        ordered = novelty[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        self._step = np.repeat(np.arange(len(self._starts)), np.diff(np.append(self._starts, len(ordered))))
        self._unknown = is_unknown[self._order].astype(np.float64)
        self._wrong = wrong[self._order].astype(np.float64)

    def _counts(self, weights: Values) -> tuple[Values, Values]:
        """Known and unknown weight at every step: (R, S) both."""
        ordered = weights[:, self._order]
        unknown = np.add.reduceat(ordered * self._unknown, self._starts, axis=1)
        return np.add.reduceat(ordered, self._starts, axis=1) - unknown, unknown

    def auroc(self, weights: Values) -> Values:
        """Share of pairs of a known and an unknown picture in the right order, ties counting half: (R,)."""
        known, unknown = self._counts(weights)
        below = np.cumsum(known, axis=1) - known / 2
        pairs: Values = (unknown * below).sum(axis=1) / (known.sum(axis=1) * unknown.sum(axis=1))
        return pairs

    def fpr(self, weights: Values) -> Values:
        """Share of unknown pictures up to the first score that accepts 95 % of the known ones: (R,)."""
        known, unknown = self._counts(weights)
        accepted = np.cumsum(known, axis=1) >= TPR * known.sum(axis=1, keepdims=True) - 1e-9
        at = accepted.argmax(axis=1)
        share: Values = np.cumsum(unknown, axis=1)[np.arange(len(at)), at] / unknown.sum(axis=1)
        return share

    def risks(self, weights: Values) -> Values:
        """Share of wrong answers among the pictures up to each, in order; equal scores in any order: (R, Q)."""
        ordered = weights[:, self._order]
        both = np.add.reduceat(ordered, self._starts, axis=1)
        share = np.add.reduceat(ordered * self._wrong, self._starts, axis=1) / np.maximum(both, 1e-12)  # (R, S)
        errors = np.cumsum(ordered * share[:, self._step], axis=1)
        risks: Values = errors / np.maximum(np.cumsum(ordered, axis=1), 1e-12)
        return risks

    def aurc(self, weights: Values) -> Values:
        """Mean of :meth:`risks`, weighted: (R,)."""
        area: Values = (weights[:, self._order] * self.risks(weights)).sum(axis=1) / weights.sum(axis=1)
        return area


def _resampled(groups: NDArray[Any], is_unknown: Flags, seed: int) -> Values:
    """Weights of bootstrap samples, (R, Q): how often each picture's group was drawn; some of both kinds in each."""
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), REPETITIONS)  # (R, G)
    weights: Values = drawn[:, member].astype(np.float64)
    both = (weights[:, is_unknown].sum(axis=1) > 0) & (weights[:, ~is_unknown].sum(axis=1) > 0)
    chosen: Values = weights[both]
    return chosen


def _in_parts(measure: Callable[[Values], Values], weights: Values) -> Values:
    """A measure of weightings (R, Q), some at a time: (R,)."""
    step = max(1, _CELLS // weights.shape[1])
    return np.concatenate([measure(weights[start : start + step]) for start in range(0, len(weights), step)])


def _interval(values: Values) -> Interval:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
