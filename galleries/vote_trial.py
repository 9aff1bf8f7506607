"""Which way of voting suits a gallery: tried on its own references, each asked without those of its person or film."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery
from galleries.voting import WAYS

ASKED = 5000
"""References that are asked at most, drawn at random where there are more."""


@dataclass(frozen=True)
class VoteTrial:
    """How right each way of voting is of a gallery's own references.

    Attributes:
        n_neighbors: How many voted, but for ``"mean"``.
        asked: How many references were asked.
        left_out: What each was asked without: ``"person"``, ``"film"``, or ``"reference"``, itself alone.
        accuracy: Way of voting to the share that was named rightly, 0-1.
        recalls: Way of voting to each emotion's share that was named rightly, of emotions that could be asked.
    """

    n_neighbors: int
    asked: int
    left_out: str
    accuracy: Dict[str, float]
    recalls: Dict[str, Dict[str, float]]

    @property
    def balanced(self) -> Dict[str, float]:
        """Way of voting to the share that was named rightly with every emotion as heavy as the others, 0-1."""
        return {way: sum(found.values()) / len(found) for way, found in self.recalls.items()}

    @property
    def best(self) -> str:
        """The way that is most right with every emotion as heavy; of equal ones the first."""
        balanced = self.balanced
        return max(balanced, key=lambda way: balanced[way])

    def to_json(self) -> Dict[str, Any]:
        """The trial as a plain dict."""
        return {**asdict(self), "balanced": self.balanced, "best": self.best}


def try_votes(gallery: Gallery, n_neighbors: int = DEFAULT_NEIGHBORS, seed: int = 0) -> VoteTrial:
    """Ask a gallery about its own references in every way of voting.

    Where every reference names its person, all of that person's are left out; else where every one names its film, all
    of that film's; else the reference alone, whose copies then make the neighbours' vote look better than it is.

    Args:
        gallery: Two references of each of two emotions, or more.
        n_neighbors: How many vote; at most all others.
        seed: Of the references that are asked where there are more than :data:`ASKED`.

    Raises:
        GalleryError: No reference has another one that may be asked of its emotion and of another.
    """
    groups, left_out = _groups(gallery)
    rows = np.arange(len(gallery))
    if len(rows) > ASKED:
        rows = np.sort(np.random.default_rng(seed).choice(rows, ASKED, replace=False))
    able = rows[_has_others(gallery, groups)[rows]]
    if not len(able):
        raise GalleryError(
            "No reference can be asked without those of its own person or film, as its emotion has no others or there "
            "is one emotion; add references of more people."
        )
    truth, accuracy, recalls = gallery.labels[able], {}, {}
    for way in WAYS:
        said = gallery.answers_outside(gallery.vectors[able], groups[able], groups, n_neighbors, way)[2]
        right = said == truth
        accuracy[way] = float(right.mean())
        recalls[way] = {
            gallery.emotions[label]: float(right[truth == label].mean()) for label in np.unique(truth).tolist()
        }
    return VoteTrial(min(n_neighbors, len(gallery)), len(able), left_out, accuracy, recalls)


def _groups(gallery: Gallery) -> Tuple[NDArray[np.int64], str]:
    """The group of each reference, int64 (N,), all of which is left out when one of it is asked; and what it is."""
    known = gallery.references
    for names, what in ((known.subjects(), "person"), (known.sequences(), "film")):
        if all(name is not None for name in names):
            return _codes(names), what
    return np.arange(len(gallery)), "reference"


def _codes(names: Sequence[Any]) -> NDArray[np.int64]:
    places: Dict[Any, int] = {}
    codes: List[int] = [places.setdefault(name, len(places)) for name in names]
    return np.array(codes, np.int64)


def _has_others(gallery: Gallery, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a reference's emotion, and another one, have references of other groups: bool (N,)."""
    seen = np.zeros((int(groups.max()) + 1, len(gallery.emotions)), bool)
    seen[groups, gallery.labels] = True
    of = seen.sum(axis=0)  # (C,): groups that show each emotion
    elsewhere = of[None, :] - seen > 0  # (G, C): whether groups other than this one do
    able: NDArray[np.bool_] = elsewhere[groups, gallery.labels] & (elsewhere[groups].sum(axis=1) > 1)
    return able
