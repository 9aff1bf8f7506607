"""References that count as nearer than they are: the one rule behind personal votes and emphasised emotions.

The distance to such a reference is divided by its factor; by these *felt* distances the nearest k vote, as in
:mod:`galleries.voting`, ties included. At equal felt distance the reference that counts as nearer comes first, then the
one with the lower index. References that are far away do not vote, so few of them do not draw everything to what they
show, as a fixed number of voters, or multiplied voices, would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.index import VectorIndex
from galleries.left_out import Search, nearest_outside


@dataclass(frozen=True)
class Nearer:
    """References of a gallery that count as nearer.

    Attributes:
        index: Their vectors.
        places: int64 (M,), their indices in the gallery, ascending.
        size: References of the whole gallery.
    """

    index: VectorIndex
    places: NDArray[np.int64]
    size: int


def nearest_felt(
    search: Search, nearer: Nearer, vectors: NDArray[np.float32], n_neighbors: int, factors: NDArray[np.float32]
) -> Tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """The nearest references where some count as nearer.

    Args:
        search: Finds the nearest of all references.
        nearer: Those that count as nearer.
        vectors: float32 (B, D).
        n_neighbors: k, from 1 to the number of references.
        factors: float32 (M,), by which the distance to each of these is divided, from 1.

    Returns:
        Felt distances float32 (B, k), nearest first; the distances themselves float32 (B, k), those of the others as
        ``search`` gives them; indices int64 (B, k).
    """
    groups = np.full(nearer.size, -1, np.int64)
    groups[nearer.places] = 0
    far, others = nearest_outside(search, vectors, np.zeros(len(vectors), np.int64), groups, n_neighbors)
    is_uniform = bool((factors == factors[0]).all())  # else a farther one may be felt nearer
    near, found = nearer.index.search(vectors, min(n_neighbors, len(factors)) if is_uniform else len(factors))
    mine = nearer.places[found]  # (B, m)
    distances = np.concatenate([far, near], axis=1)  # (B, k + m)
    felt = np.concatenate([far, near / factors[found]], axis=1)
    indices = np.concatenate([others, mine], axis=1)
    is_other = np.broadcast_to(np.arange(indices.shape[1]) < others.shape[1], indices.shape)
    rank = np.where(is_other, np.arange(indices.shape[1]), indices)  # the others stay in the order of the search
    order = np.lexsort((rank, is_other, felt), axis=1)[:, :n_neighbors]
    return (
        np.take_along_axis(felt, order, axis=1),
        np.take_along_axis(distances, order, axis=1),
        np.take_along_axis(indices, order, axis=1),
    )
