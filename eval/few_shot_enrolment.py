"""What an emotion is worth that was enrolled from a few pictures and never trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galleries.encoder import OnnxEncoder
from galleries.errors import DataError
from galleries.gallery import Gallery
from siamese.datasets.base import FaceDataset
from siamese.enrolling import index_vectors


@dataclass(frozen=True)
class EnrolmentScore:
    """Accuracy of galleries with the same few shots of every emotion, over many draws of the shots.

    Attributes:
        accuracy: Mean over the draws, 0-1.
        spread: Half of the 95 % interval of that mean over draws (1.96 standard errors).
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
        n_draws: Galleries drawn.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    truth = np.array([dataset.emotions[label] for label in dataset.labels[queries]])
    new = truth == new_emotion
    accuracies, recalls = [], []
    for _ in range(n_draws):
        rows = draw_shots(dataset.labels, support, n_shots, rng)
        gallery: Gallery = index_vectors(dataset, rows, vectors[rows], encoder, thumbnails=False)
        right = np.array(gallery.predict(vectors[queries], n_shots)) == truth
        accuracies.append(right.mean())
        recalls.append(right[new].mean())
    error = 1.96 / np.sqrt(n_draws)
    return EnrolmentScore(
        float(np.mean(accuracies)),
        float(np.std(accuracies) * error),
        float(np.mean(recalls)),
        float(np.std(recalls) * error),
        1 / len(dataset.emotions),
        n_shots,
        n_draws,
        len(queries),
    )
