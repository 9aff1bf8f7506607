"""How well a gallery's order of references serves: recall@k, R-precision and MAP@R, without torch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from eval.intervals import Bootstrap
from galleries.gallery import Gallery
from galleries.ranking import SPARE

RECALL_AT = (1, 2, 4, 8)
Nearest = Tuple[NDArray[np.float32], NDArray[np.int64]]

_BLOCK = 256
_THREADS = 2
_RAISED = np.float32(2**-16)  # of the lengths, added to each squared distance: more than the product's rounding


@dataclass(frozen=True)
class Retrieval:
    """What each query finds among the references.

    R is the number of references of the query's emotion.

    Attributes:
        recall: k → bool (Q,): whether one of the k nearest references shows the query's emotion. Only k ≤ references.
        r_precision: float64 (Q,): share of the R nearest that show it; 0 where R is 0.
        average_precision: float64 (Q,): MAP@R of the query (Musgrave, Belongie & Lim, "A Metric Learning Reality
            Check", 2020): mean over the places 1 … R of the precision up to there where the place is right, else 0.
        share: float64 (Q,): R over all references, what a random order would give for R-precision.
        r: int64 (Q,): R.
        nearest: Distances float32 and indices int64 (Q, k), as ``gallery.kneighbors`` gives them.
    """

    recall: dict[int, NDArray[np.bool_]]
    r_precision: NDArray[np.float64]
    average_precision: NDArray[np.float64]
    share: NDArray[np.float64]
    r: NDArray[np.int64]
    nearest: Nearest

    def summary(self, draws: Bootstrap, kept: Optional[NDArray[np.bool_]] = None) -> RetrievalScores:
        """Means over the queries, with intervals.

        Args:
            draws: Of the kept queries.
            kept: bool (Q,), which queries count; None for all.
        """
        chosen = np.ones(len(self.share), bool) if kept is None else kept
        share, r = self.share[chosen], np.maximum(self.r[chosen], 1)
        values = {f"recall_at_{k}": found[chosen].astype(float) for k, found in self.recall.items()}
        floors = {f"recall_at_{k}": 1 - (1 - share) ** k for k in self.recall}
        values["r_precision"], values["map_at_r"] = self.r_precision[chosen], self.average_precision[chosen]
        harmonic = np.log(r) + np.euler_gamma + 0.5 / r
        floors["r_precision"], floors["map_at_r"] = share, share**2 + share * (1 - share) * harmonic / r
        return RetrievalScores(
            {name: float(column.mean()) for name, column in values.items()},
            dict(zip(values, draws.means(np.column_stack(list(values.values()))))),
            {name: float(column.mean()) for name, column in floors.items()},
        )


@dataclass(frozen=True)
class RetrievalScores:
    """Means over queries, 0-1, under ``recall_at_K``, ``r_precision`` and ``map_at_r``.

    Attributes:
        values: The means.
        intervals: Their 95 % bootstrap intervals.
        floors: What references in random order would give.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    floors: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {
            name: {"value": value, "interval_95": list(self.intervals[name]), "floor": self.floors[name]}
            for name, value in self.values.items()
        }


def retrieve(gallery: Gallery, vectors: NDArray[np.float32], truth: Sequence[str], n_neighbors: int = 1) -> Retrieval:
    """Rank all references for every query, in blocks of queries so that memory stays small.

    Ranks come from float32 products, so references whose squared distances differ by less than about 1e-7 of the
    vectors' squared lengths may change places; where they are equal, those of another emotion come first.

    Args:
        gallery: The references.
        vectors: float32 (Q, D), at least one.
        truth: Q emotions.
        n_neighbors: Nearest references that are wanted by name, 1 … ``len(gallery)``; 8 are named at least.
    """
    k = max(n_neighbors, min(RECALL_AT[-1], len(gallery)))
    codes = {name: code for code, name in enumerate(gallery.emotions)}
    own = np.array([codes.get(name, -1) for name in truth], np.int64)
    sizes = np.bincount(gallery.labels, minlength=len(codes))
    r = np.where(own >= 0, sizes[own], 0).astype(np.int64)
    r_precision, average, found = _rank_all(gallery, vectors, own, r, min(len(gallery), k + SPARE))
    # an index that does not compare every vector is asked itself, as its users do
    nearest = gallery.kneighbors(vectors, k, candidates=found if gallery.index == "flat" else None)
    alike = gallery.labels[nearest[1]] == own[:, None]  # (Q, k)
    recall = {at: alike[:, :at].any(axis=1) for at in RECALL_AT if at <= alike.shape[1]}
    return Retrieval(recall, r_precision, average, r / len(gallery), r, nearest)


def _rank_all(
    gallery: Gallery, vectors: NDArray[np.float32], own: NDArray[np.int64], r: NDArray[np.int64], wide: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """R-precision and MAP@R of each query: float64 (Q,) both; and its ``wide`` nearest: int64 (Q, wide)."""
    order = np.argsort(gallery.labels, kind="stable")  # an emotion's references side by side
    first = np.searchsorted(gallery.labels[order], np.arange(len(gallery.emotions) + 1)).tolist()
    references = gallery.vectors[order]
    lengths = np.einsum("nd,nd->n", references, references)
    columns = np.column_stack([-2 * references, lengths, np.ones_like(lengths)]).T  # (D + 2, N)
    longest = lengths.max()
    ranks = np.arange(1, len(gallery) + 1, dtype=np.float64)
    r_precision, average = np.zeros(len(vectors)), np.zeros(len(vectors))
    found = np.empty((len(vectors), wide), np.int64)

    def rank(start: int) -> None:
        block = vectors[start : start + _BLOCK].astype(np.float32)
        if gallery.metric == "cosine":
            block = block / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-30)
        own_lengths = np.einsum("bd,bd->b", block, block)
        raised = own_lengths + _RAISED * (own_lengths + longest)
        squares = np.column_stack([block, np.ones_like(raised), raised]) @ columns  # (B, N) squared distances, raised
        for place, row in enumerate(squares, start):
            size, label = int(r[place]), int(own[place])
            keys = _sortable(row, slice(first[label], first[label + 1]) if size else slice(0))
            nearest = np.partition(keys, max(size, wide) - 1)[: max(size, wide)]
            nearest.sort()
            within = np.flatnonzero(keys <= nearest[wide - 1])
            found[place] = within if len(within) == wide else within[np.argsort(keys[within], kind="stable")[:wide]]
            if size:
                hits = np.flatnonzero(nearest[:size] & 1)
                r_precision[place] = len(hits) / size
                average[place] = (ranks[: len(hits)] / ranks[hits]).sum() / size

    with ThreadPoolExecutor(_THREADS) as pool:  # NumPy multiplies and sorts outside the interpreter's lock
        list(pool.map(rank, range(0, len(vectors), _BLOCK)))
    return r_precision, average, order[found]


def _sortable(squares: NDArray[np.float32], alike: slice) -> NDArray[np.int32]:
    """Whole numbers in the order of a row of positive numbers, their last bit telling unlike (0) from like (1).

    Positive floats are in the order of their bits read as whole numbers. Works in place.
    """
    keys = squares.view(np.int32)
    keys &= np.int32(-2)
    keys[alike] |= np.int32(1)
    return keys
