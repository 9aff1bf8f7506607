"""References that vote for several emotions: what their annotators said, where they did not agree.

A k-nearest-neighbour vote in which each reference belongs to every class by a degree is Keller, Gray and Givens's ("A
Fuzzy K-Nearest Neighbor Algorithm", 1985). Here the degrees come from people: of ten who saw a face, six said fear and
four surprise, and so it votes, while its label, by which it is counted, filtered and shown, stays one emotion.
"""

from __future__ import annotations

import math
from operator import itemgetter
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError, shown
from galleries.vocabulary import canonical

Votes = Sequence[Optional[Mapping[str, float]]]
"""Emotions to shares for each of many faces, or None where it votes for its emotion alone."""

DIGITS = 4
"""Decimal places of a share, in memory and in files: one vote of ten thousand."""


class Opinions:
    """A column of votes: a row of shares each, all zero where a reference votes for its emotion alone.

    Args:
        names: The M emotions that are voted for.
        table: float32 (N, M).
    """

    def __init__(self, names: Tuple[str, ...], table: NDArray[np.float32]) -> None:
        self.names, self.table = names, table

    @classmethod
    def of(cls, votes: Votes) -> Opinions:
        """The column of N votes, each emotions to shares or None."""
        names: Dict[str, int] = {}
        for cast in votes:
            for name in cast or ():
                names.setdefault(name, len(names))
        table = np.zeros((len(votes), len(names)), np.float32)
        for row, cast in zip(table, votes):
            for name, share in (cast or {}).items():
                row[names[name]] = share
        return cls(tuple(names), table)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def count(self) -> int:
        """How many do not vote for their emotion alone."""
        return int(self.table.any(axis=1).sum())

    def at(self, position: int) -> Optional[Dict[str, float]]:
        """The votes at a position, the largest share first, or None."""
        if not self.names:
            return None
        row = self.table[position].tolist()
        cast = [(name, round(share, DIGITS)) for name, share in zip(self.names, row) if share]
        return dict(sorted(cast, key=itemgetter(1), reverse=True)) or None

    def each(self) -> List[Optional[Dict[str, float]]]:
        """The votes of all."""
        return [self.at(position) for position in range(len(self))]

    def take(self, positions: NDArray[np.int64]) -> Opinions:
        """The votes at these positions, int64 (M,)."""
        return Opinions(self.names, self.table[positions])

    def without(self, positions: NDArray[np.int64]) -> Opinions:
        """The same votes, but for those at these positions, int64 (M,), that vote for their emotion alone."""
        if not self.names:
            return self
        table = self.table.copy()
        table[positions] = 0
        return Opinions(self.names, table)

    def joined(self, other: Opinions) -> Opinions:
        """These votes and others after them."""
        names = tuple(dict.fromkeys((*self.names, *other.names)))
        table = np.zeros((len(self) + len(other), len(names)), np.float32)
        table[: len(self), : len(self.names)] = self.table
        table[len(self) :, [names.index(name) for name in other.names]] = other.table
        return Opinions(names, table)

    def shares(self, emotions: Sequence[str], labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Rows that sum to 1, float64 (N, C); arguments as of :meth:`galleries.references.References.shares`."""
        shares = np.zeros((len(self), len(emotions)))
        for column, name in enumerate(emotions):
            if name in self.names:
                shares[:, column] = self.table[:, self.names.index(name)]
        silent = np.flatnonzero(~shares.any(axis=1))
        shares[silent, labels[silent]] = 1.0
        whole: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
        return whole


def checked_votes(votes: Optional[Votes], size: int) -> List[Optional[Dict[str, float]]]:
    """Votes with canonical names and shares that sum to 1, of so many references; None for all where there are none.

    Raises:
        GalleryError: Something else than shares from 0, or nothing but zeros.
        DataError: An emotion's name without a letter or digit.
    """
    if votes is None:
        return [None] * size
    known: Dict[Any, str] = {}
    return [None if cast is None else _checked(cast, place, known) for place, cast in enumerate(votes)]


def _checked(cast: Any, place: int, known: Dict[Any, str]) -> Dict[str, float]:
    is_votes = isinstance(cast, Mapping) and all(
        isinstance(share, (int, float)) and not isinstance(share, bool) and 0 <= share < math.inf
        for share in cast.values()
    )
    total = sum(cast.values()) if is_votes else 0
    if not total > 0 or not total < math.inf:
        raise GalleryError(
            f"Reference {place} votes for {shown(cast)}; give emotions and their shares, such as fear: 0.6."
        )
    shares: Dict[str, float] = {}
    for name, share in cast.items():
        called = known[name] if name in known else known.setdefault(name, canonical(name))
        shares[called] = shares.get(called, 0.0) + share / total
    return {name: share for name, share in shares.items() if round(share, DIGITS) > 0}


def votes_of(emotions: Sequence[str], shares: NDArray[np.floating]) -> Votes:
    """Rows of shares, float (N, C), as votes for C emotions; those below half a hundredth are left out."""
    rows = np.where(shares < 0.005, 0.0, shares)
    rows = rows / rows.sum(axis=1, keepdims=True)
    return [{name: round(share, DIGITS) for name, share in zip(emotions, row) if share} for row in rows.tolist()]
