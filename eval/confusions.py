"""The hardest confusions of a test: which emotions are taken for which, and the faces on which it is clearest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.metrics import Scores
from eval.report import Evidence
from galleries.gallery import Gallery

Picture = NDArray[np.uint8]

SHOWN = 6
"""Neighbours shown beside a face."""


@dataclass(frozen=True)
class Confusion:
    """One emotion taken for another.

    Attributes:
        truth: What the faces show.
        answer: What the vote said.
        count: How many of them.
        of: Faces of that emotion.
    """

    truth: str
    answer: str
    count: int
    of: int


def hardest_confusions(scores: Scores, wanted: int = 4) -> list[Confusion]:
    """The confusions with the greatest share of their emotion's faces, greatest first.

    Args:
        scores: A classification.
        wanted: How many at most.
    """
    wrong = scores.confusion * (1 - np.eye(len(scores.emotions), dtype=np.int64))
    sizes = np.maximum(scores.confusion.sum(axis=1, keepdims=True), 1)
    order = np.argsort(-(wrong / sizes), axis=None, kind="stable")
    found = []
    for place in order[:wanted].tolist():
        row, column = divmod(place, len(scores.emotions))
        if wrong[row, column]:
            names = (scores.emotions[row], scores.emotions[column])
            found.append(Confusion(*names, int(wrong[row, column]), int(sizes[row, 0])))
    return found


def confusion_examples(
    gallery: Gallery,
    vectors: NDArray[np.float32],
    truth: Sequence[str],
    confusion: Confusion,
    query_picture: Callable[[int], Picture],
    reference_picture: Callable[[int], Optional[Picture]],
    n_neighbors: int,
    wanted: int = 2,
) -> list[Evidence]:
    """Faces on which a confusion is clearest: the wrong answer had the greatest share of the vote.

    Faces that also stand in the gallery (distance 0) are left out: there the labels disagree, not the tower.

    Args:
        gallery: The references.
        vectors: float32 (Q, D), the test faces'.
        truth: Q emotions.
        confusion: Which confusion.
        query_picture: Gives test face i.
        reference_picture: Gives reference i (its index in the gallery), or None where it is not known.
        n_neighbors: k of the vote.
        wanted: How many at most.
    """
    rows = np.array([row for row, name in enumerate(truth) if name == confusion.truth], np.int64)
    answers = gallery.classify(vectors[rows], n_neighbors)
    chosen = [
        (answer.confidence, int(row), answer)
        for row, answer in zip(rows, answers)
        if answer.emotion == confusion.answer and answer.neighbours[0].distance > 0
    ]
    chosen.sort(key=lambda entry: (-entry[0], entry[1]))
    numbers = gallery.numbers
    examples = []
    for confidence, row, answer in chosen[:wanted]:
        near = []
        for neighbour in answer.neighbours[:SHOWN]:
            picture = reference_picture(int(np.searchsorted(numbers, neighbour.number)))
            if picture is not None:
                near.append((picture, neighbour.emotion, neighbour.distance))
        examples.append(Evidence(query_picture(row), confusion.truth, answer.emotion, confidence, tuple(near)))
    return examples
