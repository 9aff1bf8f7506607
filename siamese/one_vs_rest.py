"""What a confusion matrix says: each emotion against all others, as the siamese paper counts it, and accuracies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def one_vs_rest_counts(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """TP, TN, FP and FN of each emotion.

    Args:
        confusion: int64 (C, C): rows are true emotions, columns answers.

    Returns:
        int64 (C, 4); each row sums to the number of pictures.
    """
    right = np.diag(confusion)
    named, shown = confusion.sum(axis=0), confusion.sum(axis=1)
    return np.stack([right, confusion.sum() - named - shown + right, named - right, shown - right], axis=1)  # (C, 4)


def one_vs_rest_mean(confusion: NDArray[np.int64]) -> float:
    """Mean over emotions of (TP + TN) / all, which the siamese paper calls precision; 0-1.

    It is an easy measure: with C emotions, never saying yes gives (C - 1) / C, and an accuracy of a gives
    1 - 2 (1 - a) / C.
    """
    counts = one_vs_rest_counts(confusion)
    return float(counts[:, :2].sum() / max(1, counts.sum()))


def one_vs_rest_floor(n_classes: int) -> float:
    """The one-vs-rest mean of never saying yes, whatever the emotions' frequencies."""
    return (n_classes - 1) / n_classes


def multi_class_accuracy(confusion: NDArray[np.int64]) -> float:
    """Share of pictures whose answer was right, 0-1; 0 where there is none."""
    return float(np.trace(confusion) / max(1, confusion.sum()))


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Mean share of right answers of the emotions that occur, 0-1; whatever their frequencies, chance is 1 / C."""
    shown = confusion.sum(axis=1)
    occurs = shown > 0
    return float((np.diag(confusion)[occurs] / shown[occurs]).mean()) if occurs.any() else 0.0


def majority_share(confusion: NDArray[np.int64]) -> float:
    """Accuracy of always naming the most frequent emotion, 0-1."""
    return float(confusion.sum(axis=1).max() / max(1, confusion.sum()))
