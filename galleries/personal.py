"""A person's own references before the general ones: they count as if they were nearer.

People show an emotion in their own ways, and a few pictures of the person who is asked about say more than many of
strangers. The rule: the distance to a reference of that person is divided by the *personal weight*; by these felt
distances the nearest k vote, as in :mod:`galleries.voting`, ties included. At equal felt distance the person's own
reference comes first, then the one with the lower index. A weight of 1 is the ordinary vote. A person's references
that are far away do not vote, so few pictures of one emotion do not draw everything to it, as a fixed number of own
voters, or multiplied voices, would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError
from galleries.index import VectorIndex
from galleries.left_out import Search, nearest_outside

PERSONAL_WEIGHT = 2.0
"""How many times nearer a person's own references count.

A larger weight wins more where the gallery fits badly, and otherwise draws faces to what the person has enrolled.
Drawn people asked of a gallery of FER-2013 (k = 5): with three references of each emotion 49.0 % right instead of the
ordinary vote's 41.0 %, and 56.4 % with a weight of 4; with three of one emotion alone 37.4 % instead of 37.2 %, and
36.0 %: ``emotions benchmark upkeep RUN --own 1,3 -k 5 --split all --data synthetic:subjects=20,pictures=42,seed=5,
emotions=anger+disgust+fear+happiness+sadness+surprise+neutral``, RUN being ``compact`` on FER-2013.
"""


@dataclass(frozen=True)
class Own:
    """A person's own references in a gallery.

    Attributes:
        index: Their vectors.
        places: int64 (M,), their indices in the gallery, ascending.
        size: References of the whole gallery.
    """

    index: VectorIndex
    places: NDArray[np.int64]
    size: int


def check_weight(weight: float) -> None:
    """Refuse a personal weight that is no number from 1.

    Raises:
        GalleryError: It is none.
    """
    if not 1 <= weight < np.inf:
        raise GalleryError(f"A personal weight of {weight!r} was given; give 1 (no preference) or more, such as 2.")


def nearest_felt(
    search: Search, own: Own, vectors: NDArray[np.float32], n_neighbors: int, weight: float
) -> Tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """The nearest references where a person's own count as nearer.

    Args:
        search: Finds the nearest of all references.
        own: The person's.
        vectors: float32 (B, D).
        n_neighbors: k, from 1 to the number of references.
        weight: By which the distances to the person's own are divided, from 1.

    Returns:
        Felt distances float32 (B, k), nearest first; the distances themselves float32 (B, k); indices int64 (B, k).
    """
    groups = np.full(own.size, -1, np.int64)
    groups[own.places] = 0
    far, others = nearest_outside(search, vectors, np.zeros(len(vectors), np.int64), groups, n_neighbors)
    near, found = own.index.search(vectors, min(n_neighbors, len(own.places)))
    mine = own.places[found]  # (B, m)
    distances = np.concatenate([far, near], axis=1)  # (B, k + m)
    felt = np.concatenate([far, near / np.float32(weight)], axis=1)
    indices = np.concatenate([others, mine], axis=1)
    is_other = np.broadcast_to(np.arange(indices.shape[1]) < others.shape[1], indices.shape)
    order = np.lexsort((indices, is_other, felt), axis=1)[:, :n_neighbors]
    return (
        np.take_along_axis(felt, order, axis=1),
        np.take_along_axis(distances, order, axis=1),
        np.take_along_axis(indices, order, axis=1),
    )
