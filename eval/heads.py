"""Heads that answer from a few shots: the neighbours' vote, the nearest class mean, and logistic regression."""

from __future__ import annotations

from typing import Callable

import numpy as np
from numpy.typing import NDArray

from galleries.errors import require
from galleries.index import VectorIndex
from galleries.vectors import usable
from galleries.voting import decide, vote

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]
Head = Callable[[Vectors, Labels, Vectors, str, int], Labels]
"""``head(support, labels, queries, metric, n_neighbors)`` → labels.

Support is float32 (S, D), its labels int64 (S,) with every value 0 … N - 1, queries float32 (T, D), the metric
``"cosine"`` or ``"euclidean"``; the answer is int64 (T,). Only the vote looks at ``n_neighbors``, 1 … S.
"""


def knn_vote(support: Vectors, labels: Labels, queries: Vectors, metric: str, n_neighbors: int) -> Labels:
    """The distance-weighted vote of the nearest shots: what a gallery of these shots answers.

    Cover & Hart, "Nearest neighbor pattern classification", 1967; weights and ties as in :mod:`galleries.voting`.
    """
    index = VectorIndex.build(support, np.arange(len(support)), metric=metric)
    distances, found = index.search(queries, n_neighbors)
    near = labels[found]  # (T, k)
    return decide(vote(distances, near, int(labels.max()) + 1), distances, near)


def nearest_mean(support: Vectors, labels: Labels, queries: Vectors, metric: str, n_neighbors: int) -> Labels:
    """The class whose mean shot is nearest.

    Snell, Swersky & Zemel, "Prototypical Networks for Few-shot Learning", 2017. The distance is the tower's own: under
    cosine the mean of unit vectors is compared by its direction.
    """
    shots, asked = usable(support, metric), usable(queries, metric)
    means = np.stack([shots[labels == label].mean(axis=0) for label in range(int(labels.max()) + 1)])  # (N, D)
    if metric == "cosine":
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    # |q - m|² without the query's own length, which is the same for every class
    distances = (means**2).sum(axis=1)[None, :] - 2 * asked @ means.T  # (T, N)
    answers: Labels = distances.argmin(axis=1).astype(np.int64)
    return answers


def logistic_regression(support: Vectors, labels: Labels, queries: Vectors, metric: str, n_neighbors: int) -> Labels:
    """Multinomial logistic regression on the shots.

    Tian et al., "Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?", 2020: on unit vectors,
    with scikit-learn's own regularisation (C = 1). Euclidean vectors are scaled to mean square length 1.
    """
    shots, asked = usable(support, metric), usable(queries, metric)
    scale = max(float(np.sqrt((shots**2).sum(axis=1).mean())), 1e-12)
    sklearn, linear = require("sklearn", "eval"), require("sklearn.linear_model", "eval")
    with sklearn.config_context(assume_finite=True):
        model = linear.LogisticRegression(max_iter=1000, tol=1e-3).fit(shots / scale, labels)
        answers: Labels = model.predict(asked / scale).astype(np.int64)
    return answers


HEADS: dict[str, Head] = {"knn": knn_vote, "prototype": nearest_mean, "logistic": logistic_regression}
"""Every head by name."""

TITLES = {"knn": "k-NN vote", "prototype": "nearest mean", "logistic": "logistic"}
"""What a person reads for each."""
