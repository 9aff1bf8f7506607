"""What is looked at after every epoch: k-NN vote and softmax accuracy on validation, and whether vectors collapse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from galleries.index import VectorIndex
from galleries.voting import decide, vote
from siamese.datasets.base import FaceDataset
from siamese.feeding import PixelFeed, encode
from siamese.towers import Tower


@dataclass(frozen=True)
class Validation:
    """One epoch's result.

    Attributes:
        knn: Share of validation pictures whose neighbours' vote is right, 0-1; None without validation pictures.
        softmax: The head's accuracy, or None without a head or validation pictures.
        spread: Mean distance of two validation vectors, in units of the metric; of two references' without them.
        collapsed: Whether all distances are alike: vectors (nearly) equal.
    """

    knn: Optional[float]
    softmax: Optional[float]
    spread: float
    collapsed: bool

    def row(self) -> dict[str, Any]:
        """Its part of an epoch's row."""
        measured = {"val_knn": self.knn, "val_softmax": self.softmax}
        known = {name: value for name, value in measured.items() if value is not None}
        return {**known, "spread": self.spread, "collapsed": self.collapsed}


def reference_sample(labels: NDArray[np.int64], limit: Optional[int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of at most ``limit`` pictures, every class in its share (at least one), sorted."""
    if limit is None or len(labels) <= limit:
        return np.arange(len(labels))
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        chosen.append(rng.permutation(rows)[: max(1, round(limit * len(rows) / len(labels)))])
    return np.sort(np.concatenate(chosen))


class Validator:
    """Scores a tower on the validation pictures against a fixed sample of the training pictures.

    Args:
        dataset: The data.
        train: int64 positions of the training pictures.
        val: int64 positions of the validation pictures. Without any only the spread is looked at.
        tower: Gives the input and the metric.
        n_neighbors: k of the vote (lowered to the number of references if they are fewer).
        limit: References to search, None for all training pictures.
        seed: Of the sample.
    """

    def __init__(
        self,
        dataset: FaceDataset,
        train: NDArray[np.int64],
        val: NDArray[np.int64],
        tower: Tower,
        n_neighbors: int,
        limit: Optional[int],
        seed: int,
    ) -> None:
        kept = reference_sample(dataset.labels[train], limit, np.random.default_rng([seed, 7]))
        self.references = PixelFeed(dataset, train[kept], tower.input_spec)
        self.queries = PixelFeed(dataset, val, tower.input_spec)
        self.metric = tower.metric
        self.n_neighbors = min(n_neighbors, len(kept))
        self.n_classes = len(dataset.emotions)

    def __call__(self, tower: Tower, head: Optional[nn.Module], device: torch.device) -> Validation:
        """Encode both sides, search, vote, count."""
        references = encode(tower, self.references, device)
        if not len(self.queries):
            return Validation(None, None, *collapse(references, self.metric))
        queries = encode(tower, self.queries, device)
        spread, collapsed = collapse(queries, self.metric)
        knn = 0.0
        if np.isfinite(references).all() and np.isfinite(queries).all() and not collapsed:
            said = self._answers(references, queries)
            knn = float((said == self.queries.labels).mean())
        softmax = None
        if head is not None:
            with torch.inference_mode():
                scores = head.eval()(torch.from_numpy(queries).to(device))
            softmax = float((scores.argmax(1).cpu().numpy() == self.queries.labels).mean())
        return Validation(knn, softmax, spread, collapsed)

    def _answers(self, references: NDArray[np.float32], queries: NDArray[np.float32]) -> NDArray[np.int64]:
        known = self.references
        return knn_answers(references, known.labels, queries, self.metric, self.n_neighbors, known.soft)

    def confusion(self, tower: Tower, device: torch.device) -> NDArray[np.int64]:
        """Which emotion is taken for which by the vote: int64 (C, C), rows are true emotions, columns answers."""
        counts = np.zeros((self.n_classes, self.n_classes), np.int64)
        if not len(self.queries):
            return counts
        references = encode(tower, self.references, device)
        queries = encode(tower, self.queries, device)
        said = self._answers(references, queries)
        np.add.at(counts, (self.queries.labels, said), 1)
        return counts


def knn_answers(
    references: NDArray[np.float32],
    reference_labels: NDArray[np.int64],
    queries: NDArray[np.float32],
    metric: str,
    n_neighbors: int,
    shares: Optional[NDArray[np.float32]] = None,
) -> NDArray[np.int64]:
    """The label that each query's n nearest references vote for, weighted by distance: int64 (Q,).

    Args:
        references: float32 (N, D).
        reference_labels: int64 (N,).
        queries: float32 (Q, D).
        metric: ``"cosine"`` or ``"euclidean"``.
        n_neighbors: 1 … N.
        shares: float32 (N, C), what each reference votes for, rows summing to 1; None for its label alone.
    """
    index = VectorIndex.build(references, np.arange(len(references)), metric=metric)
    distances, neighbours = index.search(queries, n_neighbors)
    neighbour_labels = np.where(neighbours >= 0, reference_labels[neighbours], -1)
    n_classes = int(reference_labels.max()) + 1 if shares is None else shares.shape[1]
    divided = None if shares is None else shares[neighbours].astype(np.float64)
    scores = vote(distances, neighbour_labels, n_classes, shares=divided)
    return decide(scores, distances, neighbour_labels)


def collapse(vectors: NDArray[np.float32], metric: str, sample: int = 500) -> tuple[float, bool]:
    """Mean distance of two vectors, and whether they have collapsed: all alike, or not finite.

    Vectors have collapsed when that mean is below a ten-thousandth of their mean length (Euclidean) or below 1e-6
    (cosine): neighbours are then rounding errors.

    Args:
        vectors: float32 (N, D).
        metric: ``"euclidean"`` or ``"cosine"``.
        sample: Vectors looked at, evenly spaced.
    """
    if len(vectors) < 2:
        return 0.0, False
    some = vectors[:: max(1, len(vectors) // sample)].astype(np.float64)
    if not np.isfinite(some).all():
        return float("nan"), True
    length = np.linalg.norm(some, axis=1)
    if metric == "cosine":
        some = some / np.maximum(length, 1e-12)[:, None]
    squared = (some**2).sum(1)
    gaps = np.maximum(squared[:, None] + squared[None, :] - 2 * some @ some.T, 0.0)
    distances = gaps / 2 if metric == "cosine" else np.sqrt(gaps)
    mean = float(distances.sum() / (len(some) * (len(some) - 1)))
    floor = 1e-6 if metric == "cosine" else 1e-4 * float(length.mean())
    return mean, bool(mean <= floor or length.mean() == 0)
