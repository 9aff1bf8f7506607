"""Allotting whole groups of pictures to parts, so that each part gets its share of every class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import SplitError

_TRIES, _STEPS = 64, 20_000


def allot(
    labels: NDArray[np.int64], groups: NDArray[np.int64], ratios: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """Allot every group to one part.

    Groups come in random order, each to the part where it lessens the chi-square distance between the parts' class
    counts and the wished ones most. Few groups are tried in several orders, and the best outcome is kept: first that
    the first part (training) has every class, then that the others do, then the distance.

    Args:
        labels: int64 (N,) classes.
        groups: int64 (N,) group of each row.
        ratios: Wished share of each part, summing to about 1; a part with 0 stays empty.
        seed: Decides the orders.

    Returns:
        int64 (N,): each row's part, an index into ``ratios``.

    Raises:
        SplitError: There are fewer groups than parts.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    shares = np.asarray(ratios, np.float64)
    wanted = int(np.count_nonzero(shares))
    if len(names) < wanted:
        raise SplitError(
            f"{len(names)} groups of pictures that belong together cannot fill {wanted} parts; add pictures of other "
            "people or films, or choose fewer parts or the method random."
        )
    counts = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(counts, (group_of, labels), 1)
    rng = np.random.default_rng(seed)
    tries = max(1, min(_TRIES, _STEPS // len(names)))
    outcomes = [_greedy(counts, shares, rng.permutation(len(names))) for _ in range(tries)]
    best = min(outcomes, key=lambda outcome: _badness(counts, shares, outcome))
    return best[group_of]


def _greedy(counts: NDArray[np.float64], shares: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Part of each group, the groups taken in ``order``; the last ones fill parts that would stay empty."""
    totals = counts.sum(axis=0)
    target = np.maximum(shares[:, None] * totals, 1e-9)  # (parts, classes)
    filled = np.zeros_like(target)
    empty = shares > 0
    parts = np.zeros(len(counts), np.int64)
    for left, group in zip(range(len(order), 0, -1), order):
        own = counts[group]
        cost = (own * (2 * (filled - target) + own) / target).sum(axis=1)
        cost[shares == 0] = np.inf
        if left <= int(empty.sum()):
            cost[~empty] = np.inf
        part = int(cost.argmin())
        parts[group] = part
        filled[part] += own
        empty[part] = False
    return parts


def _badness(
    counts: NDArray[np.float64], shares: NDArray[np.float64], parts: NDArray[np.int64]
) -> tuple[int, int, float]:
    """Classes the first part lacks, classes the others lack, chi-square distance: smaller is better."""
    used = np.flatnonzero(shares > 0)
    present = counts.sum(axis=0) > 0
    filled = np.stack([counts[parts == part].sum(axis=0) for part in used])[:, present]
    target = shares[used][:, None] * counts.sum(axis=0)[present]
    lacking = (filled == 0).sum(axis=1)
    return int(lacking[0]), int(lacking[1:].sum()), float(((filled - target) ** 2 / target).sum())
