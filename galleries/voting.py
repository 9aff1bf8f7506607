"""From neighbours to class scores: majority and distance-weighted votes, and who wins a tie. Pure numpy."""

from __future__ import annotations

import operator
from typing import List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError, unknown_name

WEIGHTS: Tuple[str, ...] = ("distance", "majority")
"""How a neighbour's voice may be weighed."""

MEAN = "mean"
"""Instead: not neighbours vote, but the mean of each emotion's references (:mod:`galleries.class_means`)."""

WAYS: Tuple[str, ...] = (*WEIGHTS, MEAN)
"""How a gallery may vote."""

SOFTENING = 0.1
"""Share of a query's mean distance that is added to each of its distances before they are inverted."""

_EQUAL = 1e-9


def vote(
    distances: NDArray[np.floating],
    labels: NDArray[np.integer],
    n_classes: int,
    weights: str = "distance",
    shares: Optional[NDArray[np.float64]] = None,
) -> NDArray[np.float64]:
    """Let each query's neighbours vote.

    ``"majority"`` (Cover & Hart, *Nearest neighbor pattern classification*, 1967): every neighbour has one voice.
    ``"distance"`` (after Dudani, *The distance-weighted k-nearest-neighbor rule*, 1976): neighbour i has the weight
    ``1 / (d_i + 0.1 * m)``, ``m`` being the mean distance of that query's neighbours. The share of ``m`` keeps a
    neighbour at distance zero finite (at most 11 times one at the mean distance) and makes the vote independent of
    the distances' unit; when all distances are zero, all weights are equal.

    Args:
        distances: (B, k), not negative, nearest first.
        labels: (B, k), 0 … n_classes - 1, or -1 for a place without a neighbour.
        n_classes: Number of classes C.
        weights: ``"distance"`` or ``"majority"``.
        shares: float64 (B, k, C), how each neighbour divides its voice, rows summing to 1
            (:mod:`galleries.opinions`); None gives it to its label.

    Returns:
        float64 (B, C), each row sums to 1; a row without any neighbour is all zero.

    Raises:
        GalleryError: Shapes that differ, a label outside the range, or a distance that is negative or not a number.
        ConfigError: Unknown ``weights``.
    """
    if weights not in WEIGHTS:
        raise unknown_name("way of weighing votes", str(weights), WEIGHTS)
    distances, labels = _checked(distances, labels)
    if labels.size and int(labels.max()) >= n_classes:
        raise GalleryError(f"A neighbour has label {int(labels.max())}, but there are only {n_classes} classes.")
    present = labels >= 0
    everyone = bool(present.all())
    if weights == "distance":
        known = distances if everyone else np.where(present, distances, 0.0)
        voters = max(labels.shape[1], 1) if everyone else np.maximum(present.sum(axis=1, keepdims=True), 1)  # (B, 1)
        mean = known.sum(axis=1, keepdims=True) / voters  # (B, 1)
        unit = np.where(mean > 0, mean, 1.0)
        weight = 1.0 / (known / unit + SOFTENING)  # the same shares as 1 / (d + 0.1 m), without over- or underflow
    else:
        weight = np.ones(labels.shape)
    if not everyone:  # an absent neighbour adds weight 0 to class 0
        weight, labels = weight * present, np.maximum(labels, 0)
    if shares is None:
        cells = np.arange(len(labels))[:, None] * n_classes + labels  # (B, k) into scores, flattened
        scores = np.bincount(cells.ravel(), weight.ravel(), len(labels) * n_classes).reshape(len(labels), n_classes)
    else:
        scores = np.einsum("bk,bkc->bc", weight, shares)
    total = scores.sum(axis=1, keepdims=True)
    return scores / np.where(total > 0, total, 1.0)


def decide(
    scores: NDArray[np.float64],
    distances: NDArray[np.floating],
    labels: NDArray[np.integer],
) -> NDArray[np.int64]:
    """Name each query's winner.

    The class with the highest score wins. Among classes with equal scores (to 1e-9) the one whose nearest neighbour is
    nearer wins; among those at equal distance the one with the lower label. Where voices are divided, a class may be
    nobody's label; it loses to one that is somebody's.

    Args:
        scores: (B, C) of :func:`vote`.
        distances: (B, k), as given to :func:`vote`.
        labels: (B, k), as given to :func:`vote`.

    Returns:
        int64 (B,), 0 … C - 1; -1 for a query without any neighbour.
    """
    distances, labels = _checked(distances, labels)
    tied = scores >= scores.max(axis=1, keepdims=True, initial=0.0) - _EQUAL  # (B, C)
    winner: NDArray[np.int64] = tied.argmax(axis=1).astype(np.int64)
    open_rows = np.flatnonzero(tied.sum(axis=1) > 1)
    if len(open_rows):
        far, known = distances[open_rows], labels[open_rows]
        nearest = np.full((len(open_rows), scores.shape[1]), np.inf)
        rows = np.arange(len(open_rows))
        for place in range(known.shape[1]):
            seen = known[:, place] >= 0
            at = (rows[seen], known[seen, place])
            nearest[at] = np.minimum(nearest[at], far[seen, place])
        # argmin takes the lower label of equals; a class that is tied, but nobody's label, is as far as can be
        nearest = np.minimum(nearest, np.finfo(np.float64).max)
        winner[open_rows] = np.where(tied[open_rows], nearest, np.inf).argmin(axis=1)
    winner[~(labels >= 0).any(axis=1)] = -1
    return winner


def vote_alone(
    distances: Sequence[float],
    labels: Sequence[int],
    n_classes: int,
    weights: str = "distance",
    shares: Optional[Sequence[Sequence[float]]] = None,
) -> Tuple[List[float], int]:
    """:func:`vote` and :func:`decide` of one query that has all its neighbours: the same numbers without numpy.

    With shares they are the same but for the order of the sums, which is some 1e-16.

    Args:
        distances: k, not negative, nearest first, k ≥ 1.
        labels: k, 0 … n_classes - 1.
        n_classes: Number of classes C.
        weights: ``"distance"`` or ``"majority"``.
        shares: k rows of C, how each neighbour divides its voice; None gives it to its label.

    Returns:
        The C scores and the winner.

    Raises:
        GalleryError: A distance that is negative or not a number.
        ConfigError: Unknown ``weights``.
    """
    if weights not in WEIGHTS:
        raise unknown_name("way of weighing votes", str(weights), WEIGHTS)
    for far in distances:
        if not far >= 0:
            raise _wrong_distance()
    mean = numpy_sum(distances) / len(distances)
    unit = mean if mean > 0 else 1.0
    scores = [0.0] * n_classes
    voices = [1.0 / (far / unit + SOFTENING) if weights == "distance" else 1.0 for far in distances]
    if shares is None:
        for voice, label in zip(voices, labels):
            scores[label] += voice
    else:
        scores = [sum(map(operator.mul, voices, column)) for column in zip(*shares)]
    total = numpy_sum(scores)
    scores = [score / total for score in scores]
    least = max(scores) - _EQUAL
    tied = [label for label, score in enumerate(scores) if score >= least]
    if len(tied) == 1:
        return scores, tied[0]
    heard = ((far, label) for far, label in zip(distances, labels) if label in tied)
    return scores, min(heard, default=(0.0, tied[0]))[1]


def check_way(weights: str) -> str:
    """A way in which a gallery may vote, itself.

    Raises:
        ConfigError: It is none of :data:`WAYS`.
    """
    if weights not in WAYS:
        raise unknown_name("way of weighing votes", str(weights), WAYS)
    return weights


def voters_of(weights: str) -> str:
    """Who votes in a way of :data:`WAYS`: ``"neighbours"`` or ``"means"``."""
    return "means" if weights == MEAN else "neighbours"


def numpy_sum(values: Sequence[float]) -> float:
    """The sum as numpy has it: one after the other if there are fewer than 8."""
    if len(values) >= 8:
        return float(np.add.reduce(np.array(values)))
    total = 0.0
    for value in values:
        total += value
    return total


def _checked(
    distances: NDArray[np.floating], labels: NDArray[np.integer]
) -> Tuple[NDArray[np.float64], NDArray[np.int64]]:
    far: NDArray[np.float64] = np.asarray(distances, np.float64)
    known: NDArray[np.int64] = np.asarray(labels, np.int64)
    if far.ndim != 2 or far.shape != known.shape:
        raise GalleryError(f"Distances {far.shape} and labels {known.shape} must both be (queries, neighbours).")
    if not (far >= 0).all() and not (far[known >= 0] >= 0).all():
        raise _wrong_distance()
    return far, known


def _wrong_distance() -> GalleryError:
    return GalleryError("A neighbour's distance is negative or not a number; distances of 0 and more were expected.")
