"""The mean vector of each emotion's references, and how far faces are from it: a vote in which every reference counts.

The nearest class mean (Mensink et al., "Distance-Based Image Classification: Generalizing to New Classes at Near-Zero
Cost", 2013; Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning", 2017). Each emotion has one voice,
however many references stand behind it, so five pictures of a new emotion are heard among thousands of others.
"""

from __future__ import annotations

from typing import Iterable, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.vectors import Vectors
from galleries.voting import SOFTENING

Values = NDArray[np.float64]
Codes = NDArray[np.int64]

_LEAST = 1e-9  # of the shares that a mean is taken over; less is nobody's
_BLOCK = 1024  # vectors that are compared together where each leaves some references out


class ClassMeans:
    """Sums of references' vectors by emotion, and so their means.

    Args:
        sums: float64 (C, D) or (G, C, D), for each of G groups of queries.
        totals: float64 (C,) or (G, C), how many references, or shares of them, each is the sum of.
        metric: ``"cosine"`` or ``"euclidean"``.
    """

    def __init__(self, sums: Values, totals: Values, metric: str) -> None:
        self._sums, self._totals, self._metric = sums, totals, metric
        self._is_here = totals > _LEAST
        means = sums / np.where(self._is_here, totals, 1.0)[..., None]
        if metric == "cosine":
            means /= np.maximum(np.linalg.norm(means, axis=-1, keepdims=True), 1e-12)
        self._means = means

    @classmethod
    def of(
        cls, blocks: Iterable[Vectors], labels: Codes, shares: Optional[Values], n_emotions: int, metric: str
    ) -> ClassMeans:
        """The means of references.

        Args:
            blocks: Their vectors in order, float32 (b, D) some at a time, as :func:`galleries.vectors.usable` gives
                them; at least one.
            labels: int64 (N,), 0 … C - 1.
            shares: float64 (N, C), how each divides its voice (:mod:`galleries.opinions`), so that it counts in several
                means; None lets it count for its label.
            n_emotions: C.
            metric: ``"cosine"`` or ``"euclidean"``.
        """
        sums: Optional[Values] = None
        totals, done = np.zeros(n_emotions), 0
        for block in blocks:
            some = slice(done, done + len(block))
            heard = _heard(labels[some], None if shares is None else shares[some], n_emotions)  # (b, C)
            part = heard.T @ block.astype(np.float64)
            sums = part if sums is None else sums + part
            totals += heard.sum(axis=0)
            done += len(block)
        assert sums is not None
        return cls(sums, totals, metric)

    def distances(self, ready: Vectors) -> Values:
        """How far vectors are from each mean.

        Args:
            ready: float32 (B, D) as :func:`galleries.vectors.usable` gives them; B = G where there are groups.

        Returns:
            float64 (B, C) in the metric: 1 - cosine (0-2) to the mean's direction, or Euclidean; infinite where an
            emotion has no reference. The same for a vector alone and among others.
        """
        asked = ready.astype(np.float64)[:, None, :]  # (B, 1, D)
        if self._metric == "cosine":
            far = np.clip(1.0 - np.einsum("...d,...d->...", asked, self._means), 0.0, 2.0)
        else:
            gaps = asked - self._means
            far = np.sqrt(np.einsum("...d,...d->...", gaps, gaps))
        return np.where(self._is_here, far, np.inf)

    def distances_outside(
        self,
        ready: Vectors,
        own: Codes,
        vectors: Vectors,
        labels: Codes,
        shares: Optional[Values],
        groups: Codes,
    ) -> Values:
        """:meth:`distances` to the means of those references that are not of a vector's own group.

        Args:
            ready: float32 (B, D).
            own: int64 (B,), the group that each leaves out; -1 leaves out nothing.
            vectors: float32 (N, D) of the references, like ``labels``, ``shares`` and ``groups``: int64 (N,), the group
                of each, -1 is in none.
            labels: As of :meth:`of`.
            shares: As of :meth:`of`.
            groups: As of :func:`galleries.left_out.nearest_outside`.
        """
        found = np.empty((len(ready), len(self._totals)))
        for start in range(0, len(ready), _BLOCK):
            some = slice(start, start + _BLOCK)
            names, which = np.unique(own[some], return_inverse=True)
            members = np.flatnonzero((groups >= 0) & np.isin(groups, names))
            place = np.searchsorted(names, groups[members])
            heard = _heard(labels[members], None if shares is None else shares[members], len(self._totals))
            sums, totals = np.zeros((len(names), *self._sums.shape)), np.zeros((len(names), len(self._totals)))
            np.add.at(totals, place, heard)
            for label in range(len(self._totals)):
                has = np.flatnonzero(heard[:, label])
                np.add.at(sums[:, label], place[has], heard[has, label, None] * vectors[members[has]])
            less = ClassMeans((self._sums - sums)[which], (self._totals - totals)[which], self._metric)
            found[some] = less.distances(ready[some])
        return found


def _heard(labels: Codes, shares: Optional[Values], n_emotions: int) -> Values:
    """How much each reference counts in each mean: float64 (b, C)."""
    return np.eye(n_emotions)[labels] if shares is None else shares


def vote_of_means(distances: Values) -> Tuple[Values, Codes]:
    """Let the means vote, each with the weight ``1 / (d + 0.1 * m)²``.

    ``m`` is the mean of a face's distances ``d`` to the means; the share of it keeps a mean at distance zero finite,
    as :func:`galleries.voting.vote` does. So many are the degrees to which fuzzy c-means (Bezdek, "Pattern Recognition
    with Fuzzy Objective Function Algorithms", 1981; its usual exponent) takes a face to belong to each.

    Args:
        distances: float64 (B, C) of :meth:`ClassMeans.distances`.

    Returns:
        Each emotion's share float64 (B, C), rows summing to 1, and the winners int64 (B,): the nearest mean, at equal
        distance that of the lower label; -1 where there is no mean at all, whose shares are zero.
    """
    here = np.isfinite(distances)
    far = np.where(here, distances, 0.0)
    mean = far.sum(axis=1, keepdims=True) / np.maximum(here.sum(axis=1, keepdims=True), 1)  # (B, 1)
    voices = here / (far / np.where(mean > 0, mean, 1.0) + SOFTENING) ** 2
    total = voices.sum(axis=1, keepdims=True)
    winners: Codes = np.where(here, distances, np.inf).argmin(axis=1).astype(np.int64)
    winners[~here.any(axis=1)] = -1
    return voices / np.where(total > 0, total, 1.0), winners
