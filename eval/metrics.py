"""How good answers are: accuracy with its interval and floors, per-class numbers, the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.intervals import wilson
from galleries.errors import DataError, require
from siamese.one_vs_rest import one_vs_rest_counts, one_vs_rest_floor, one_vs_rest_mean

MEASURES = ("precision", "recall", "f1")
"""What is told of each emotion; averaged over emotions, plainly (macro) or by their pictures (weighted)."""

FLOORS = (
    ("chance", "chance"),
    ("always the most frequent", "majority"),
    ("one vs rest, never yes", "one_vs_rest_floor"),
)
"""What stands beside every accuracy: how it is called, and its name in :class:`Scores`."""


@dataclass(frozen=True)
class ClassScore:
    """One emotion's numbers, as shares 0-1.

    Attributes:
        emotion: Its name.
        precision: Of the answers that named it, the share that was right.
        recall: Of its pictures, the share that was recognised.
        f1: Harmonic mean of both.
        support: Its pictures.
    """

    emotion: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Scores:
    """A classification's result.

    Attributes:
        n: Pictures judged.
        accuracy: Share of right answers.
        interval: 95 % Wilson score interval of the accuracy (Wilson, "Probable inference …", 1927). It takes the
            pictures as independent; where a person or film has several, the true interval is wider.
        balanced_accuracy: Mean recall of the emotions that occur.
        macro_f1: Mean F1 of the emotions that occur or were named.
        chance: Accuracy of naming one of the emotions at random.
        majority: Accuracy of always naming the most frequent emotion.
        classes: Per-emotion numbers.
        confusion: int64 (C, C): rows are true emotions, columns answers.
        emotions: Names of the C rows and columns.
    """

    n: int
    accuracy: float
    interval: tuple[float, float]
    balanced_accuracy: float
    macro_f1: float
    chance: float
    majority: float
    classes: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]
    emotions: tuple[str, ...]

    def macro(self, measure: str) -> float:
        """Plain mean of ``"precision"``, ``"recall"`` or ``"f1"`` over the emotions that occur or were named."""
        met = (self.confusion.sum(0) + self.confusion.sum(1)) > 0
        return float(np.mean([getattr(entry, measure) for entry, is_met in zip(self.classes, met) if is_met]))

    def weighted(self, measure: str) -> float:
        """Mean of ``"precision"``, ``"recall"`` or ``"f1"``, each emotion weighed by its pictures."""
        return float(sum(getattr(entry, measure) * entry.support for entry in self.classes) / self.n)

    @property
    def one_vs_rest_mean(self) -> float:
        """Mean of (TP + TN) / all, each emotion against the others; 0-1."""
        return one_vs_rest_mean(self.confusion)

    @property
    def one_vs_rest_floor(self) -> float:
        """The same for never saying yes."""
        return one_vs_rest_floor(len(self.emotions))

    def overall(self, name: str) -> float:
        """A number by its name in a result's JSON: ``accuracy``, ``one_vs_rest_mean``, ``macro_f1`` …"""
        kind, _, measure = name.partition("_")
        if kind in ("macro", "weighted"):
            return self.macro(measure) if kind == "macro" else self.weighted(measure)
        return float(getattr(self, name))

    def rates(self) -> NDArray[np.float64]:
        """The confusion matrix as shares of its rows, float64 (C, C); a row without pictures is 0."""
        shares: NDArray[np.float64] = self.confusion / np.maximum(self.confusion.sum(axis=1, keepdims=True), 1)
        return shares

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {
            "n": self.n,
            "accuracy": self.accuracy,
            "interval_95": list(self.interval),
            "balanced_accuracy": self.balanced_accuracy,
            **{f"macro_{measure}": self.macro(measure) for measure in MEASURES},
            **{f"weighted_{measure}": self.weighted(measure) for measure in MEASURES},
            "chance": self.chance,
            "majority": self.majority,
            "classes": [vars(score) for score in self.classes],
            "emotions": list(self.emotions),
            "confusion": self.confusion.tolist(),
            "confusion_rates": self.rates().tolist(),
        }


def score(truth: Sequence[str], answers: Sequence[str], emotions: Sequence[str]) -> Scores:
    """Judge answers.

    Args:
        truth: N true emotions.
        answers: N answers.
        emotions: Names that may occur, in the order of the tables.

    Raises:
        DataError: Nothing to judge, lengths differ, or a name is not among ``emotions``.
    """
    if not len(truth) or len(truth) != len(answers):
        raise DataError(f"{len(truth)} true emotions and {len(answers)} answers were given; as many of each, and some.")
    strangers = sorted((set(truth) | set(answers)) - set(emotions))
    if strangers:
        raise DataError(f"{', '.join(strangers)} is not among the emotions {', '.join(emotions)}.")
    sklearn = require("sklearn.metrics", "eval")
    names = list(emotions)
    precision, recall, f1, support = sklearn.precision_recall_fscore_support(
        truth, answers, labels=names, average=None, zero_division=0.0
    )
    confusion = sklearn.confusion_matrix(truth, answers, labels=names).astype(np.int64)
    right, n = int(np.trace(confusion)), len(truth)
    met = (confusion.sum(0) + confusion.sum(1)) > 0
    return Scores(
        n=n,
        accuracy=right / n,
        interval=wilson(right, n),
        balanced_accuracy=float(recall[support > 0].mean()),
        macro_f1=float(f1[met].mean()),
        chance=1 / len(names),
        majority=float(support.max() / n),
        classes=tuple(
            ClassScore(name, float(p), float(r), float(f), int(s))
            for name, p, r, f, s in zip(names, precision, recall, f1, support)
        ),
        confusion=confusion,
        emotions=tuple(names),
    )


@dataclass(frozen=True)
class OneVsRest:
    """The siamese paper's table: each emotion against all others.

    Attributes:
        emotions: Names of the C rows.
        counts: int64 (C, 4): TP, TN, FP, FN.
        mean: Mean of (TP + TN) / all, what the paper calls precision; 0-1.
        floor: The same for never saying yes.
        multi_class: Share of right answers among all emotions, 0-1.
        chance: Of naming one of them at random.
    """

    emotions: tuple[str, ...]
    counts: NDArray[np.int64]
    mean: float
    floor: float
    multi_class: float
    chance: float

    def rows(self) -> list[tuple[str, int, int, int, int, float]]:
        """Emotion, TP, TN, FP, FN and (TP + TN) / all."""
        shares = self.counts[:, :2].sum(axis=1) / np.maximum(self.counts.sum(axis=1), 1)
        return [(name, *row, share) for name, row, share in zip(self.emotions, self.counts.tolist(), shares.tolist())]

    def to_json(self) -> dict[str, Any]:
        """The table as a plain dict."""
        keys = ("emotion", "tp", "tn", "fp", "fn", "accuracy")
        return {
            "mean": self.mean,
            "floor": self.floor,
            "multi_class": self.multi_class,
            "chance": self.chance,
            "emotions": [dict(zip(keys, row)) for row in self.rows()],
        }


def one_vs_rest(scores: Scores) -> OneVsRest:
    """A classification in the paper's form, beside the multi-class accuracy and with both floors."""
    counts, mean, floor = one_vs_rest_counts(scores.confusion), scores.one_vs_rest_mean, scores.one_vs_rest_floor
    return OneVsRest(scores.emotions, counts, mean, floor, scores.accuracy, scores.chance)


def scores_from_json(data: Mapping[str, Any]) -> Scores:
    """Read :meth:`Scores.to_json` back."""
    return Scores(
        n=data["n"],
        accuracy=data["accuracy"],
        interval=(data["interval_95"][0], data["interval_95"][1]),
        balanced_accuracy=data["balanced_accuracy"],
        macro_f1=data["macro_f1"],
        chance=data["chance"],
        majority=data["majority"],
        classes=tuple(ClassScore(**entry) for entry in data["classes"]),
        confusion=np.array(data["confusion"], np.int64),
        emotions=tuple(data["emotions"]),
    )
