"""Which pairs of emotions a batch shows when: from hard to tell to easy to tell, the reverse, or mixed."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError
from galleries.vocabulary import canonical

ORDERS = ("mixed", "similar-first", "distinct-first")
"""``mixed`` draws every pair of emotions alike, the shuffled pairs that the other two are to be compared with."""

BANDS = ("similar", "moderate", "distinct")
"""The siamese paper's three kinds of pairs, the hardest to tell apart first."""

PairName = tuple[str, str]
"""Two emotions, in alphabetical order."""

PairWeights = Callable[[float], NDArray[np.float64]]
"""From the share of an epoch that is done, 0-1, to the weight of each pair of labels, float64 (C, C)."""


def pair_of(first: str, second: str) -> PairName:
    """Two emotions as a pair, whatever their order."""
    return (first, second) if first <= second else (second, first)


def pairs_of(emotions: Sequence[str]) -> list[PairName]:
    """Every pair of these emotions, in alphabetical order."""
    return list(combinations(sorted(emotions), 2))


def read_pair(value: Any) -> PairName:
    """A pair as a recipe or a file writes it: ``["anger", "fear"]`` or ``"anger+fear"``, any spelling.

    Raises:
        ConfigError: It is no pair of two emotions.
    """
    names = value.split("+") if isinstance(value, str) else value
    good = isinstance(names, (list, tuple)) and len(names) == 2 and all(isinstance(n, str) and n.strip() for n in names)
    pair = pair_of(canonical(names[0]), canonical(names[1])) if good else ("", "")
    if pair[0] == pair[1]:
        raise ConfigError(f'{value!r} is no pair of emotions; write ["anger", "fear"].')
    return pair


def weigh_pairs(
    emotions: Sequence[str], bands: Sequence[Sequence[PairName]], order: str, focus: float, progress: float
) -> NDArray[np.float64]:
    """How often each pair of emotions is to be drawn at a moment of training.

    Training is cut into as many equal spans as there are bands that hold a pair of these emotions. In each span the
    band whose turn it is gets the share ``focus`` of the draws, spread evenly over its pairs, and the pairs of the
    other bands share the rest, so that nothing learnt is forgotten for want of examples.

    Args:
        emotions: Names of the C labels.
        bands: The pairs of each band, the hardest to tell apart first; those of other emotions are ignored.
        order: One of :data:`ORDERS`.
        focus: Share of the draws for the band whose turn it is, 0-1.
        progress: Share of the training that is done, 0-1.

    Returns:
        float64 (C, C), symmetric, its upper triangle summing to 1, the diagonal 0.

    Raises:
        ConfigError: A pair of the emotions is in no band, or in two.
    """
    known = set(pairs_of(emotions))
    held = [[pair for pair in band if pair in known] for band in bands]
    listed = [pair for band in held for pair in band]
    if order == "mixed":
        return _matrix(emotions, dict.fromkeys(known, 1.0))
    if len(set(listed)) != len(listed) or set(listed) != known:
        wrong = sorted(known - set(listed)) or [pair for pair in listed if listed.count(pair) > 1]
        where = "no band" if known - set(listed) else "two bands"
        raise ConfigError(f"The pair {'+'.join(wrong[0])} stands in {where} of pair_bands; name each pair once.")
    filled = [band for band in held if band]
    turn = min(int(progress * len(filled)), len(filled) - 1)
    if order == "distinct-first":
        turn = len(filled) - 1 - turn
    others = len(known) - len(filled[turn])
    weights = dict.fromkeys(known, (1 - focus) / others if others else 0.0)
    weights.update(dict.fromkeys(filled[turn], (focus if others else 1.0) / len(filled[turn])))
    return _matrix(emotions, weights)


def _matrix(emotions: Sequence[str], weights: dict[PairName, float]) -> NDArray[np.float64]:
    matrix = np.zeros((len(emotions), len(emotions)))
    for i, first in enumerate(emotions):
        for j, second in enumerate(emotions):
            if i != j:
                matrix[i, j] = weights[pair_of(first, second)]
    upper = float(np.triu(matrix).sum())
    return matrix / upper if upper else matrix
