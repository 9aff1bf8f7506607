"""95 % bootstrap intervals of everything that is told of a classification, all from the same draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.intervals import Bootstrap
from eval.metrics import MEASURES

Interval = tuple[float, float]


@dataclass(frozen=True)
class ScoreIntervals:
    """Intervals of a classification's numbers.

    Attributes:
        by: What was drawn: ``"people"`` or ``"pictures"``.
        groups: How many of them there are.
        overall: ``accuracy``, ``balanced_accuracy``, ``one_vs_rest_mean``, and ``macro_`` and ``weighted_`` precision,
            recall and f1.
        classes: For each emotion its precision, recall and f1.
    """

    by: str
    groups: int
    overall: dict[str, Interval]
    classes: dict[str, dict[str, Interval]]

    def to_json(self) -> dict[str, Any]:
        """The intervals as a plain dict; a bound that is not known is None."""
        return {
            "by": self.by,
            "groups": self.groups,
            "overall": {name: plain(bounds) for name, bounds in self.overall.items()},
            "classes": {
                emotion: {name: plain(bounds) for name, bounds in found.items()}
                for emotion, found in self.classes.items()
            },
        }


def plain(bounds: Interval) -> list[float | None]:
    """An interval for JSON, which has no NaN."""
    return [None if np.isnan(bound) else bound for bound in bounds]


def score_intervals(
    truth: Sequence[str], answers: Sequence[str], emotions: Sequence[str], draws: Bootstrap
) -> ScoreIntervals:
    """The intervals of what :func:`eval.metrics.score` tells.

    Args:
        truth: N true emotions.
        answers: N answers.
        emotions: The C names that may occur.
        draws: Of the N pictures.
    """
    samples = resampled_scores(truth, answers, emotions, draws)
    overall = {name: draws.interval(values) for name, values in samples.items() if values.ndim == 1}
    classes = {
        emotion: {measure: draws.interval(samples[f"class_{measure}"][:, place]) for measure in MEASURES}
        for place, emotion in enumerate(emotions)
    }
    return ScoreIntervals(draws.by, draws.counts.shape[1], overall, classes)


def resampled_scores(
    truth: Sequence[str], answers: Sequence[str], emotions: Sequence[str], draws: Bootstrap
) -> dict[str, NDArray[np.float64]]:
    """A classification's numbers in each of B samples.

    Returns:
        float64 (B,) under the names of :class:`ScoreIntervals`'s ``overall``, and (B, C) under ``class_precision``,
        ``class_recall`` and ``class_f1``; NaN where an emotion occurs neither among the pictures nor the answers of a
        sample (for recall: not among the pictures).
    """
    size = len(emotions)
    code = {name: place for place, name in enumerate(emotions)}
    cells = np.array([code[true] * size + code[said] for true, said in zip(truth, answers)])
    marks = np.zeros((draws.counts.shape[1], size * size), np.float32)  # (G, C * C)
    np.add.at(marks, (draws.member, cells), 1)
    confusion = (draws.counts @ marks).reshape(-1, size, size).astype(np.float64)  # (B, C * C) -> (B, C, C)
    return {**_overall(confusion), **_per_class(confusion)}


def _per_class(confusion: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    hits = np.diagonal(confusion, axis1=1, axis2=2)  # (B, C)
    named, shown = confusion.sum(axis=1), confusion.sum(axis=2)
    met = named + shown > 0
    return {
        "class_precision": np.where(met, hits / np.maximum(named, 1), np.nan),
        "class_recall": np.where(shown > 0, hits / np.maximum(shown, 1), np.nan),
        "class_f1": np.where(met, 2 * hits / np.maximum(named + shown, 1), np.nan),
    }


def _overall(confusion: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    per_class = _per_class(confusion)
    shown = confusion.sum(axis=2)
    total = np.maximum(shown.sum(axis=1), 1)
    met = confusion.sum(axis=1) + shown > 0
    recall = np.nan_to_num(per_class["class_recall"])
    accuracy = np.trace(confusion, axis1=1, axis2=2) / total
    found = {
        "accuracy": accuracy,
        "balanced_accuracy": recall.sum(axis=1) / np.maximum((shown > 0).sum(axis=1), 1),
        "one_vs_rest_mean": 1 - 2 * (1 - accuracy) / confusion.shape[1],
    }
    for measure in MEASURES:
        values = np.nan_to_num(per_class[f"class_{measure}"])
        found[f"macro_{measure}"] = values.sum(axis=1) / np.maximum(met.sum(axis=1), 1)
        found[f"weighted_{measure}"] = (values * shown).sum(axis=1) / total
    return found


def change_intervals(
    before: Mapping[str, NDArray[np.float64]], after: Mapping[str, NDArray[np.float64]], draws: Bootstrap
) -> dict[str, list[Interval]]:
    """Intervals of the change of each number (B,) or (B, C), paired by sample: a list of one or C intervals each."""
    return {
        name: [draws.interval(column) for column in np.atleast_2d((after[name] - before[name]).T)] for name in before
    }
