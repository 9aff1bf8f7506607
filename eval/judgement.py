"""The test of a finished run: its gallery votes on pictures it has not seen, with and without leaking ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from eval.leakage import LeakageReport, audit
from eval.metrics import Scores, score
from galleries.gallery import Gallery
from siamese.datasets.base import FaceDataset
from siamese.splits import Split


@dataclass(frozen=True)
class Judgement:
    """How a gallery does on a test.

    Attributes:
        knn: The neighbours' vote.
        knn_without_leaks: The same without the test pictures that are known from training: a copy, exact or near, a
            person or a film; None if that is all or none.
        softmax: The head's answers, or None without a head.
        softmax_without_leaks: The same without them, or None.
        leaks: How many they are.
        leakage: What crosses the split.
        n_neighbors: k of the vote.
    """

    knn: Scores
    knn_without_leaks: Optional[Scores]
    softmax: Optional[Scores]
    softmax_without_leaks: Optional[Scores]
    leaks: int
    leakage: LeakageReport
    n_neighbors: int

    def to_json(self) -> dict[str, Any]:
        """The judgement as a plain dict."""

        def maybe(scores: Optional[Scores]) -> Optional[dict[str, Any]]:
            return None if scores is None else scores.to_json()

        return {
            "leaking": not self.leakage.is_clean,
            "leaks": self.leaks,
            "n_neighbors": self.n_neighbors,
            "knn": self.knn.to_json(),
            "knn_without_leaks": maybe(self.knn_without_leaks),
            "softmax": maybe(self.softmax),
            "softmax_without_leaks": maybe(self.softmax_without_leaks),
            "leakage": self.leakage.to_json(),
        }


def judge(
    dataset: FaceDataset,
    split: Split,
    gallery: Gallery,
    queries: NDArray[np.float32],
    n_neighbors: int,
    scores: Optional[NDArray[np.float32]] = None,
    leakage: Optional[LeakageReport] = None,
) -> Judgement:
    """Judge a gallery of the training pictures on the test pictures.

    Args:
        dataset: The data.
        split: Its test part is judged.
        gallery: Of the training part.
        queries: float32 (T, D), the test pictures' vectors, in the split's order.
        n_neighbors: k of the vote.
        scores: float32 (T, C), a softmax head's scores in the order of ``dataset.emotions``, or None.
        leakage: What :func:`eval.leakage.audit` found with near copies, if it is known already.
    """
    truth = np.array([dataset.emotions[label] for label in dataset.labels[split.test]])
    answers = np.array(gallery.predict(queries, n_neighbors))
    leakage = audit(dataset, split, near=True) if leakage is None else leakage
    known = np.isin(split.test, leakage.leaking)
    emotions = sorted(set(dataset.emotions) | set(gallery.emotions))

    def both(said: NDArray[Any]) -> tuple[Scores, Optional[Scores]]:
        whole = score(truth.tolist(), said.tolist(), emotions)
        if not known.any() or known.all():
            return whole, None
        return whole, score(truth[~known].tolist(), said[~known].tolist(), emotions)

    knn, knn_clean = both(answers)
    softmax, softmax_clean = (None, None)
    if scores is not None:
        softmax, softmax_clean = both(np.array(dataset.emotions)[scores.argmax(1)])
    return Judgement(knn, knn_clean, softmax, softmax_clean, int(known.sum()), leakage, n_neighbors)
