"""The papers' similarity mode, judged: which references under a distance threshold show the anchor's emotion?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError
from galleries.gallery import Gallery

BINS = 2000
"""Thresholds that are tried, evenly spaced over all distances that can occur."""

_BLOCK = 256


@dataclass(frozen=True)
class ThresholdScore:
    """Pairs of an anchor and a reference, called alike when their distance is at most the threshold.

    Attributes:
        threshold: In the gallery's metric.
        precision: Of the pairs called alike, the share that show one emotion; 1 where none is called alike.
        recall: Of the pairs that show one emotion, the share called alike.
        f1: Harmonic mean of both.
    """

    threshold: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class SimilarityScores:
    """The similarity mode's result.

    Attributes:
        chosen: Validation's scores at the threshold with its best F1.
        test: The test's scores at that threshold.
        curve: The test's scores at a few thresholds around it, rising.
        always: The test's scores for calling every pair alike: the floor of F1, and of precision.
        anchors: Test pictures.
        references: In the gallery.
    """

    chosen: ThresholdScore
    test: ThresholdScore
    curve: tuple[ThresholdScore, ...]
    always: ThresholdScore
    anchors: int
    references: int

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return asdict(self)


def similarity_scores(
    gallery: Gallery,
    validation: tuple[NDArray[np.float32], Sequence[str]],
    test: tuple[NDArray[np.float32], Sequence[str]],
    shown: int = 11,
) -> SimilarityScores:
    """Choose the threshold with the best F1 on validation, and apply it to the test.

    Every query is an anchor; every reference is compared with it. Scores are over all such pairs.

    Args:
        gallery: The references.
        validation: Vectors float32 (V, D) and their emotions.
        test: Vectors float32 (T, D) and their emotions.
        shown: Thresholds of the curve.

    Raises:
        DataError: Validation or test is empty, or no pair of it shows one emotion.
    """
    for name, (vectors, _) in (("validation", validation), ("test", test)):
        if not len(vectors):
            raise DataError(f"The {name} part is empty; a threshold needs pictures to be found on and to be tested on.")
    longest = _longest(gallery, validation[0], test[0])
    edges = np.linspace(0.0, longest, BINS + 1)
    tuned = _scores(edges, *_histogram(gallery, *validation, longest))
    best = max(range(len(tuned)), key=lambda place: tuned[place].f1)
    tested = _scores(edges, *_histogram(gallery, *test, longest))
    around = np.unique(np.linspace(0, min(2 * best, BINS), shown).round().astype(int))
    return SimilarityScores(
        tuned[best], tested[best], tuple(tested[int(place)] for place in around), tested[-1], len(test[0]), len(gallery)
    )


def _longest(gallery: Gallery, *queries: NDArray[np.float32]) -> float:
    """No distance is longer."""
    if gallery.metric == "cosine":
        return 2.0
    lengths = [float(np.linalg.norm(vectors, axis=1).max()) for vectors in (gallery.vectors, *queries)]
    return lengths[0] + max(lengths[1:]) or 1.0


def _histogram(
    gallery: Gallery, vectors: NDArray[np.float32], truth: Sequence[str], longest: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many pairs of one emotion, and of two, lie at each distance: int64 (BINS + 1,) both.

    Place i counts the distances above edge i - 1 and up to edge i; place 0 those of 0.
    """
    own = np.array(gallery.references.emotions())
    references = gallery.vectors.astype(np.float32)
    cosine = gallery.metric == "cosine"
    if cosine:
        references = _normal(references)
    squares = (references**2).sum(axis=1)
    counts = np.zeros((2, BINS + 1), np.int64)
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        block = _normal(block) if cosine else block
        product = block @ references.T  # (B, N)
        if cosine:
            distances = 1 - product
        else:
            distances = np.sqrt(np.maximum((block**2).sum(axis=1)[:, None] + squares[None, :] - 2 * product, 0.0))
        places = np.ceil(np.clip(distances, 0.0, longest) * (BINS / longest)).astype(np.int64)
        alike = np.array(truth[start : start + _BLOCK])[:, None] == own[None, :]
        counts[0] += np.bincount(places[alike], minlength=BINS + 1)[: BINS + 1]
        counts[1] += np.bincount(places[~alike], minlength=BINS + 1)[: BINS + 1]
    if not counts[0].sum():
        raise DataError("No reference shows an emotion that is asked about, so no threshold can be found.")
    return counts[0], counts[1]


def _normal(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    normal: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return normal


def _scores(edges: NDArray[np.float64], alike: NDArray[np.int64], different: NDArray[np.int64]) -> list[ThresholdScore]:
    """The scores at every edge."""
    right, wrong = np.cumsum(alike), np.cumsum(different)
    called = right + wrong
    precision = np.where(called > 0, right / np.maximum(called, 1), 1.0)
    recall = right / alike.sum()
    f1 = 2 * right / (called + alike.sum())
    return [ThresholdScore(*map(float, row)) for row in zip(edges, precision, recall, f1)]
