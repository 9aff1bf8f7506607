"""A map of a gallery: its faces, where they lie, how well their emotions part, and queries laid over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.map_points import (
    ClusterQuality,
    MapPoints,
    Progress,
    Queries,
    choose_rows,
    cluster_quality,
    query_points,
    reference_points,
)
from eval.projection import Projection, project
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery


@dataclass(frozen=True)
class FaceMap:
    """All that a map shows.

    Attributes:
        references: The gallery's faces.
        projection: Where they lie.
        quality: How well their emotions part.
        held: References in the whole gallery, of which those here may be a sample.
        queries: Faces laid over them, or None.
        seed: Of the projection.
    """

    references: MapPoints
    projection: Projection
    quality: ClusterQuality
    held: int
    queries: Optional[MapPoints] = None
    seed: int = 0

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return int(self.projection.places.shape[1])

    @property
    def layers(self) -> tuple[tuple[MapPoints, NDArray[np.float32]], ...]:
        """References and their places, then queries and theirs, if there are any."""
        first = (self.references, self.projection.places)
        return (first,) if self.queries is None else (first, (self.queries, self.projection.overlay))

    @property
    def emotions(self) -> tuple[str, ...]:
        """Every emotion that is shown; the references' come first."""
        return tuple(dict.fromkeys(name for points, _ in self.layers for name in points.emotions))

    def to_json(self) -> dict[str, Any]:
        """What can be said of the map in numbers."""
        queries = self.queries
        return {
            "references": self.held,
            "drawn": len(self.references),
            "method": self.projection.method,
            "instead_of": self.projection.instead_of,
            "dimensions": self.dimensions,
            "seed": self.seed,
            "variance": self.projection.variance,
            "clusters": self.quality.to_json(),
            "misclassified": int(self.references.wrong.sum()),
            "isolated": int(self.references.isolated.sum()),
            "queries": None
            if queries is None
            else {
                "data": queries.datasets[0],
                "drawn": len(queries),
                "misclassified": int(queries.wrong.sum()),
                "isolated": int(queries.isolated.sum()),
            },
        }


def make_map(
    gallery: Gallery,
    *,
    method: str = "umap",
    dimensions: int = 2,
    seed: int = 0,
    sample: Optional[int] = None,
    n_neighbors: int = DEFAULT_NEIGHBORS,
    weights: str = "distance",
    datasets: Optional[Sequence[str]] = None,
    queries: Optional[Queries] = None,
    progress: Optional[Progress] = None,
) -> FaceMap:
    """Map a gallery.

    Args:
        gallery: The references.
        method: As in :func:`eval.projection.project`.
        dimensions: 2 or 3.
        seed: Of everything random.
        sample: References drawn at most; their neighbours come from the whole gallery. None draws all.
        n_neighbors: k of every vote.
        weights: As in :func:`galleries.voting.vote`.
        datasets: For every reference where it comes from, or None.
        queries: Faces to be laid over the references, at least one, or None.
        progress: Called with (done, total) while neighbours are looked for.

    Raises:
        EmotionsError: The map cannot be made as asked.
    """
    rows = choose_rows(len(gallery), sample, seed)
    points = reference_points(gallery, rows, n_neighbors, weights, datasets, progress)
    asked = None if queries is None else query_points(gallery, queries, points, n_neighbors, weights)
    overlay = None if asked is None else asked.vectors
    placed = project(points.vectors, overlay, method, dimensions, seed)
    return FaceMap(points, placed, cluster_quality(points, gallery.metric, seed), len(gallery), asked, seed)
