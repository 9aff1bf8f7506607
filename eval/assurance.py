"""How far a gallery knows which of its answers are right: what it is told with an answer, against whether it is right.

Failure prediction as of Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples"
(2017), and selective classification as of Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks"
(2017): who answers only where it is surest is wrong less often, and the order decides how much less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from eval.held_out import HeldOut
from eval.novelty import DetectionScore, score_detection
from galleries.calibration import decisions
from galleries.gallery import Gallery
from galleries.reliability import calibration_error

COVERAGES = (1.0, 0.8, 0.5)
"""Shares of the answers that are kept, the surest ones."""

ASSURANCES = {"share": "share of the vote", "probability": "calibrated probability"}
"""What is told, in words."""


@dataclass(frozen=True)
class Assurance:
    """What one number that comes with answers says of their being right.

    Attributes:
        by: A key of :data:`ASSURANCES`: ``"share"``, of the vote; or ``"probability"``, the calibrated one, which is of
            the vote that was calibrated.
        answers: How many were looked at, none of which is known to leak (unless all are).
        order: Of wrong answers (the ``unknown`` ones there) against right ones: ``auroc`` is the chance that a right
            answer is told with more than a wrong one, 0.5 for guessing.
        calibration_error: Mean gap of the number and the share that is right, 0-1, in 15 bins.
        right_of_surest: Each of :data:`COVERAGES` and the share that is right of so many, the surest ones.
    """

    by: str
    answers: int
    order: DetectionScore
    calibration_error: float
    right_of_surest: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """The numbers as a plain dict."""
        return {
            "by": self.by,
            "answers": self.answers,
            "auroc": self.order.auroc,
            "auroc_interval": list(self.order.auroc_interval),
            "aurc": self.order.aurc,
            "aurc_interval": list(self.order.aurc_interval),
            "calibration_error": self.calibration_error,
            "right_of_surest": [list(point) for point in self.right_of_surest],
        }


def judge_assurance(
    gallery: Gallery, queries: HeldOut, n_neighbors: int, weights: Optional[str] = None, seed: int = 0
) -> tuple[Assurance, ...]:
    """Look at what a gallery tells with its answers.

    Args:
        gallery: The references.
        queries: What it is asked about.
        n_neighbors: k of the vote.
        weights: Of the vote; None for the gallery's own.
        seed: Of the bootstrap, over people where they are known.

    Returns:
        Of the share of the vote, and of the calibrated probability if the gallery is calibrated for that vote's voters;
        without those whose answers are all right, or all wrong.
    """
    fresh = np.flatnonzero(~queries.leaks)
    if not len(fresh):
        fresh = np.arange(len(queries.truth))
    vectors, truth = queries.vectors[fresh], np.array(queries.truth)[fresh]
    groups = fresh if queries.subjects is None else np.array(queries.subjects)[fresh]
    shares = gallery.predict_proba(vectors, n_neighbors, weights)
    said = np.array(gallery.predict(vectors, n_neighbors, weights))
    told = [("share", shares.max(axis=1), said == truth)]
    if gallery.calibration_of(weights) is not None:
        found = decisions(gallery, vectors, weights=weights)
        confidence = np.array([decision.confidence for decision in found])
        told.append(("probability", confidence, np.array([decision.winner for decision in found]) == truth))
    return tuple(_judge(by, sure, right, groups, seed) for by, sure, right in told if right.any() and not right.all())


def _judge(by: str, sure: NDArray[np.float64], right: NDArray[np.bool_], groups: NDArray[Any], seed: int) -> Assurance:
    order = score_detection(-sure, ~right, right, groups, seed)
    return Assurance(
        by,
        len(right),
        order,
        calibration_error(sure, right),
        tuple((coverage, _right_of_surest(sure, right, coverage)) for coverage in COVERAGES),
    )


def _right_of_surest(sure: NDArray[np.float64], right: NDArray[np.bool_], coverage: float) -> float:
    """Share that is right of the surest; answers that are equally sure at the border count by their own share."""
    kept = max(1, round(coverage * len(sure)))
    border = np.sort(sure)[::-1][kept - 1]
    above, equal = sure > border, sure == border
    return float((right[above].sum() + (kept - above.sum()) * right[equal].mean()) / kept)
