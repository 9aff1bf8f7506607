"""How many neighbours should vote: tried on validation, and fixed before the test is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError
from galleries.gallery import Gallery

MOST = 51
"""The largest number of neighbours that is tried; from 1 in steps of 2."""


@dataclass(frozen=True)
class NeighborSweep:
    """Validation accuracy of several numbers of neighbours.

    Attributes:
        tried: The numbers, rising.
        accuracies: Share of right answers of each, 0-1.
        chosen: The best of them; among equals the smallest.
        pictures: Validation pictures that were asked about.
    """

    tried: tuple[int, ...]
    accuracies: tuple[float, ...]
    chosen: int
    pictures: int

    @property
    def best(self) -> float:
        """Validation accuracy of the chosen one."""
        return self.accuracies[self.tried.index(self.chosen)]

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {**vars(self), "tried": list(self.tried), "accuracies": list(self.accuracies), "best": self.best}


def sweep_neighbors(
    gallery: Gallery, vectors: NDArray[np.float32], truth: Sequence[str], weights: Optional[str] = None
) -> NeighborSweep:
    """Try 1, 3, 5 … 51 neighbours on validation pictures.

    Args:
        gallery: The references.
        vectors: float32 (V, D).
        truth: Their V emotions.
        weights: Of the neighbours' vote; None for the gallery's own.

    Raises:
        DataError: There are no pictures.
    """
    if not len(vectors):
        raise DataError(
            "No validation picture is left to choose the number of neighbours on; give one with --neighbors."
        )
    tried = tuple(range(1, min(MOST, len(gallery)) + 1, 2))
    distances, indices = gallery.kneighbors(vectors, tried[-1])
    codes = {name: code for code, name in enumerate(gallery.emotions)}
    own = np.array([codes.get(name, -1) for name in truth])
    accuracies = tuple(
        float((gallery.answers(vectors, distances[:, :k], indices[:, :k], weights)[1] == own).mean()) for k in tried
    )
    return NeighborSweep(tried, accuracies, tried[int(np.argmax(accuracies))], len(vectors))
