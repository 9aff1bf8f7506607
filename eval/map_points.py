"""The points of a map: faces with what their neighbours say, and how well the emotions part in the embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError, GalleryError, require
from galleries.gallery import Gallery
from galleries.left_out import nearest_outside

ISOLATED = 0.99
"""A face is isolated when its k-th neighbour is farther away than this share of the references has theirs."""

SILHOUETTE_SAMPLE = 4000
"""Faces at most that the silhouette is computed of: its cost grows with their square."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MapPoints:
    """Faces to be drawn.

    Attributes:
        vectors: float32 (N, D); of unit length under cosine.
        emotions: Names of the C codes below.
        labels: int64 (N,), what each shows.
        answers: int64 (N,), what its neighbours voted for.
        neighbours: int64 (N, k), the emotions of its neighbours, nearest first.
        reach: float32 (N,), distance to its k-th neighbour.
        isolated: bool (N,).
        sources: N paths or row names.
        subjects: N people, None where not known.
        datasets: N names of data sets.
        thumbnails: uint8 (N, h, w) or (N, h, w, 3), or None.
    """

    vectors: NDArray[np.float32]
    emotions: tuple[str, ...]
    labels: NDArray[np.int64]
    answers: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    reach: NDArray[np.float32]
    isolated: NDArray[np.bool_]
    sources: tuple[str, ...]
    subjects: tuple[Optional[str], ...]
    datasets: tuple[str, ...]
    thumbnails: Optional[NDArray[np.uint8]]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """bool (N,): the neighbours voted for another emotion than the face shows."""
        wrong: NDArray[np.bool_] = self.labels != self.answers
        return wrong


def choose_rows(size: int, wanted: Optional[int], seed: int = 0) -> NDArray[np.int64]:
    """Which references are drawn: all, or so many at random.

    Args:
        size: References there are.
        wanted: How many at most; None for all.
        seed: Of the drawing.

    Returns:
        int64, rising.

    Raises:
        ConfigError: Fewer than three are wanted.
    """
    if wanted is not None and wanted < 3:
        raise ConfigError(f"A map of {wanted} faces was asked for; ask for at least 3.")
    if wanted is None or wanted >= size:
        return np.arange(size, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(size, wanted, replace=False)).astype(np.int64)


def reference_points(
    gallery: Gallery,
    rows: NDArray[np.int64],
    n_neighbors: int,
    weights: str = "distance",
    datasets: Optional[Sequence[str]] = None,
    progress: Optional[Progress] = None,
) -> MapPoints:
    """References with the vote of their neighbours in the whole gallery, each left out of its own vote.

    Args:
        gallery: The references.
        rows: int64 (N,), which of them.
        n_neighbors: k of the vote; a smaller gallery takes all others.
        weights: As in :func:`galleries.voting.vote`.
        datasets: For every reference of the gallery the data set it comes from; None calls it all ``"gallery"``.
        progress: Called with (done, total).

    Raises:
        GalleryError: The gallery has fewer than three references.
        ConfigError: k is less than 1, or the weights are unknown.
    """
    if len(gallery) < 3:
        raise GalleryError(f"The gallery holds {len(gallery)} references; a map needs at least 3, so add some.")
    vectors = gallery.vectors[rows]
    k, everyone = min(n_neighbors, len(gallery) - 1), np.arange(len(gallery))
    distances, near = nearest_outside(gallery.kneighbors, vectors, rows, everyone, k, progress)
    voters = gallery.labels[near]
    answers = gallery.winners(distances, near, weights)
    reach = distances[:, -1]
    known = [gallery.references[int(row)] for row in rows]
    return MapPoints(
        vectors=vectors,
        emotions=gallery.emotions,
        labels=gallery.labels[rows],
        answers=answers,
        neighbours=voters,
        reach=reach,
        isolated=reach > np.quantile(reach, ISOLATED),
        sources=tuple(reference.source for reference in known),
        subjects=tuple(reference.subject for reference in known),
        datasets=tuple("gallery" if datasets is None else datasets[int(row)] for row in rows),
        thumbnails=None if gallery.thumbnails is None else gallery.thumbnails[rows],
    )


@dataclass(frozen=True)
class Queries:
    """Faces that are laid over a gallery's.

    Attributes:
        vectors: float32 (Q, D), of the gallery's tower.
        truth: Q emotions.
        sources: Q paths or row names.
        subjects: Q people, None where not known.
        dataset: Where they come from.
        thumbnails: uint8 (Q, h, w) or (Q, h, w, 3), or None.
    """

    vectors: NDArray[np.float32]
    truth: tuple[str, ...]
    sources: tuple[str, ...]
    subjects: tuple[Optional[str], ...]
    dataset: str
    thumbnails: Optional[NDArray[np.uint8]] = None


def query_points(
    gallery: Gallery, queries: Queries, references: MapPoints, n_neighbors: int, weights: str = "distance"
) -> MapPoints:
    """Queries with the gallery's vote on them.

    Args:
        gallery: The references.
        queries: The faces asked about; an emotion that the gallery does not hold can only be answered wrongly.
        references: What isolation is measured against.
        n_neighbors: k of the vote; a smaller gallery takes all.
        weights: As in :func:`galleries.voting.vote`.
    """
    emotions = (*gallery.emotions, *sorted(set(queries.truth) - set(gallery.emotions)))
    distances, near = gallery.kneighbors(queries.vectors, min(n_neighbors, len(gallery)))
    voters = gallery.labels[near]
    answers = gallery.winners(distances, near, weights)
    reach = distances[:, -1]
    return MapPoints(
        vectors=_unit(queries.vectors) if gallery.metric == "cosine" else queries.vectors,
        emotions=emotions,
        labels=np.array([emotions.index(name) for name in queries.truth], np.int64),
        answers=answers,
        neighbours=voters,
        reach=reach,
        isolated=reach > np.quantile(references.reach, ISOLATED),
        sources=queries.sources,
        subjects=queries.subjects,
        datasets=(queries.dataset,) * len(queries.truth),
        thumbnails=queries.thumbnails,
    )


@dataclass(frozen=True)
class ClusterQuality:
    """How well the emotions part among the references, in the embedding itself, not in the map.

    Attributes:
        purity: Mean share of a face's k neighbours that show its emotion, itself left out; 0-1.
        purity_floor: What it would be if the neighbours were drawn at random: the sum of squared shares.
        leave_one_out: Share of faces whose neighbours vote for what they show; 0-1.
        silhouette: Mean silhouette, -1 to 1 (Rousseeuw, "Silhouettes: a graphical aid …", 1987); None where there is
            one emotion only, or every face has its own.
        silhouette_n: Faces it was computed of.
        n_neighbors: k.
        n: Faces.
    """

    purity: float
    purity_floor: float
    leave_one_out: float
    silhouette: Optional[float]
    silhouette_n: int
    n_neighbors: int
    n: int

    def to_json(self) -> dict[str, Any]:
        """The numbers as a plain dict."""
        return dict(vars(self))


def cluster_quality(points: MapPoints, metric: str, seed: int = 0) -> ClusterQuality:
    """Measure how well the emotions part.

    Args:
        points: References.
        metric: The gallery's, ``"cosine"`` or ``"euclidean"``.
        seed: Which faces the silhouette is computed of, where there are many.
    """
    counts = np.bincount(points.labels, minlength=len(points.emotions)) / len(points)
    chosen = choose_rows(len(points), SILHOUETTE_SAMPLE, seed)
    labels = points.labels[chosen]
    silhouette = None
    if 2 <= len(np.unique(labels)) < len(labels):
        score = require("sklearn.metrics", "eval").silhouette_score
        silhouette = float(score(points.vectors[chosen], labels, metric=metric))
    return ClusterQuality(
        purity=float((points.neighbours == points.labels[:, None]).mean()),
        purity_floor=float((counts**2).sum()),
        leave_one_out=float(1 - points.wrong.mean()),
        silhouette=silhouette,
        silhouette_n=len(chosen),
        n_neighbors=points.neighbours.shape[1],
        n=len(points),
    )


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
