"""How often an approximate index finds the true nearest: measured against comparing with every vector."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict

import numpy as np

from galleries.index import VectorIndex

QUERIES = 256
"""References that are asked about unless told otherwise."""


@dataclass(frozen=True)
class Recall:
    """A measurement.

    Attributes:
        share: Of the k true nearest that are found, 0-1, mean over the queries.
        k: Nearest that were looked for.
        queries: References that were asked about.
        size: References of the gallery then.
    """

    share: float
    k: int
    queries: int
    size: int

    def to_json(self) -> Dict[str, Any]:
        """The measurement as a plain dict."""
        return asdict(self)

    def sentence(self) -> str:
        """The measurement in words."""
        return (
            f"recall@{self.k} {self.share:.3f}: that share of the nearest {self.k} is found, measured against exact "
            f"search on {self.queries} of {self.size:,} references."
        )


def measure_recall(index: VectorIndex, k: int = 5, queries: int = QUERIES, seed: int = 0) -> Recall:
    """Ask an index about vectors that it holds, each without itself, and compare with exact search.

    A vector that is as near as the k-th of the exact search counts as found, whichever of equals it is.

    Args:
        index: Of N vectors; of one alone the recall is 1.
        k: Nearest that are to be found; N - 1 if there are fewer.
        queries: How many vectors are asked about; all if there are fewer.
        seed: Of which.
    """
    size = len(index)
    k = min(k, size - 1)
    if k < 1:
        return Recall(1.0, 1, 1, size)
    chosen = np.sort(np.random.default_rng(seed).choice(size, min(queries, size), replace=False))
    asked = index.vectors_at(chosen)
    truth = index.exact(asked, k + 1)[:, -1]  # with itself, at distance 0
    distances = index.search(asked, k + 1)[0]
    found = (distances <= truth[:, None]).sum(axis=1) - 1  # without itself
    return Recall(float(np.clip(found / k, 0, 1).mean()), k, len(chosen), size)
