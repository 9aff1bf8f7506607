"""How good answers are: accuracy with its interval and floors, per-class numbers, the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError, require


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

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {
            "n": self.n,
            "accuracy": self.accuracy,
            "interval_95": list(self.interval),
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "chance": self.chance,
            "majority": self.majority,
            "classes": [vars(score) for score in self.classes],
            "emotions": list(self.emotions),
            "confusion": self.confusion.tolist(),
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
