"""What an emotion is worth that was enrolled from a few pictures and never trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.heads import knn_vote
from eval.intervals import mean_interval
from galleries.encoder import OnnxEncoder
from galleries.errors import DataError
from siamese.datasets.base import FaceDataset


@dataclass(frozen=True)
class EnrolmentScore:
    """Accuracy of galleries with the same few shots of every emotion, over many draws of the shots.

    Attributes:
        accuracy: Mean over the draws, 0-1.
        spread: Half the width of the 95 % interval of that mean over draws.
        new_recall: Mean recall of the emotion that was never trained on, 0-1.
        new_recall_spread: As ``spread``.
        chance: Accuracy of guessing.
        n_shots: References of each emotion.
        n_draws: Galleries drawn.
        n_queries: Pictures asked for each.
    """

    accuracy: float
    spread: float
    new_recall: float
    new_recall_spread: float
    chance: float
    n_shots: int
    n_draws: int
    n_queries: int


def draw_shots(
    labels: NDArray[np.int64], rows: NDArray[np.int64], n_shots: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The same number of random rows of every class.

    Args:
        labels: int64 of the whole data set.
        rows: int64, where to draw from.
        n_shots: Rows of each class.
        rng: The random state.

    Raises:
        DataError: A class has fewer rows than shots.
    """
    drawn = []
    for label in np.unique(labels[rows]):
        own = rows[labels[rows] == label]
        if len(own) < n_shots:
            raise DataError(f"{n_shots} shots were asked for and class {label} has {len(own)} pictures; ask for fewer.")
        drawn.append(rng.choice(own, n_shots, replace=False))
    return np.concatenate(drawn)


def few_shot_enrolment(
    dataset: FaceDataset,
    vectors: NDArray[np.float32],
    support: NDArray[np.int64],
    queries: NDArray[np.int64],
    encoder: OnnxEncoder,
    new_emotion: str,
    n_shots: int = 5,
    n_draws: int = 100,
    seed: int = 0,
) -> EnrolmentScore:
    """Score galleries of a few shots an emotion, among them one the tower never saw in training.

    Args:
        dataset: All emotions.
        vectors: float32 (N, D) of the whole data set.
        support: int64 rows the shots come from: other people than the queries'.
        queries: int64 rows that are asked.
        encoder: The tower the vectors come from.
        new_emotion: The one that was not in training.
        n_shots: References of each emotion.
        n_draws: Galleries drawn, 2 or more.
        seed: Of the draws.

    Raises:
        DataError: An emotion has fewer pictures than shots.
    """
    rng = np.random.default_rng(seed)
    truth = dataset.labels[queries]
    new = truth == dataset.emotions.index(new_emotion)
    accuracies, recalls = [], []
    for _ in range(n_draws):
        rows = draw_shots(dataset.labels, support, n_shots, rng)
        answers = knn_vote(vectors[rows], dataset.labels[rows], vectors[queries], encoder.metric, n_shots)
        right = answers == truth
        accuracies.append(float(right.mean()))
        recalls.append(float(right[new].mean()))
    return EnrolmentScore(
        float(np.mean(accuracies)),
        _spread(accuracies),
        float(np.mean(recalls)),
        _spread(recalls),
        1 / len(dataset.emotions),
        n_shots,
        n_draws,
        len(queries),
    )


def _spread(values: list[float]) -> float:
    interval = mean_interval(values)
    assert interval is not None
    return (interval[1] - interval[0]) / 2
