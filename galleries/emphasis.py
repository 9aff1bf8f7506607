"""An emotion with few references among many may count as nearer: what lets five pictures be heard among thousands.

Five pictures of a new emotion are hardly ever the nearest of two thousand, so the plain vote never names it. For such
classes S. Tan ("Neighbor-weighted K-nearest neighbor for unbalanced text corpus", 2005) weighs the neighbours' voices;
here a small class often has no neighbour to speak for it, so the distances are weighed, by the rule of
:mod:`galleries.felt`: those to an emphasised emotion's references are divided by its factor. That is fitted on the
gallery alone: the largest at which at most a given share of the other emotions' references, each asked with itself left
out, would go over to it. That share is about what the others pay, where references are like the faces that are asked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError
from galleries.left_out import nearest_outside
from galleries.voting import MEAN, decide, vote

if TYPE_CHECKING:
    from galleries.gallery import Gallery

TAKEN, TAKEN_OF_TYPICAL = 0.1, 0.001
"""Share of the other emotions' references that an emphasised emotion may take, unless told otherwise.

The most typical references of a larger gallery stand farther from it than faces do, and any reference stands farther
from a mean that is not its emotion's, so that it takes more faces than references. What it does to people:
docs/pretrained.md, ``emotions fewshot pretrained --data CK+48 --ways all --enrol``.
"""

RARE = 0.25
"""A new emotion is emphasised by itself if it has fewer references than this share of the others' average,
but not where means vote."""

LARGEST = 100.0
"""The largest factor: beyond it distances say nothing any more."""

_ASKED = 2000  # references of the others that are asked, drawn at random if there are more
_MOST = 5000  # references of an emotion that may be emphasised: whoever has more is not rare
_HALVINGS = 16


@dataclass(frozen=True)
class Emphasis:
    """A factor that was fitted.

    Attributes:
        emotion: Whose references count as nearer.
        factor: How many times, 1-100; 1 for the plain vote.
        references: How many they are.
        taken: Share of the others' references that go over to it at this factor, 0-1.
        asked: How many of the others' were asked.
        n_neighbors: How many voted.
    """

    emotion: str
    factor: float
    references: int
    taken: float
    asked: int
    n_neighbors: int

    def to_json(self) -> Dict[str, Any]:
        """The fit as a plain dict."""
        return asdict(self)


def check_factors(factors: Mapping[str, float]) -> None:
    """Refuse factors outside 1-100.

    Raises:
        GalleryError: One is no such number.
    """
    for emotion, factor in factors.items():
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 1 <= factor <= LARGEST:
            raise GalleryError(
                f"{emotion} was to count as {factor!r} times nearer; give 1 (as it is) to {LARGEST:g}, such as 3."
            )


def is_rare(gallery: Gallery, emotion: str) -> bool:
    """Whether an emotion has too few references for the plain vote to name it: :data:`RARE` of the others' mean.

    Where means vote none has: each has one voice.
    """
    if gallery.weights == MEAN:
        return False
    own = int((gallery.labels == gallery.emotions.index(emotion)).sum())
    others = len(gallery.emotions) - 1
    return others > 0 and own < RARE * (len(gallery) - own) / others


def usual_share(gallery: Gallery) -> float:
    """What an emotion may take of the others' references in this gallery, unless told otherwise, 0-1."""
    return TAKEN_OF_TYPICAL if gallery.typical or gallery.weights == MEAN else TAKEN


def fit_emphasis(
    gallery: Gallery, emotion: str, n_neighbors: int, taken: Optional[float] = None, seed: int = 0
) -> Emphasis:
    """Find the largest factor at which an emotion takes at most a share of the others' references.

    It is counted by their labels, also where references divide their votes (:mod:`galleries.opinions`).

    Args:
        gallery: Two emotions or more; not changed. What else is emphasised in it stays so.
        emotion: Canonical name of one that it holds.
        n_neighbors: How many vote, from 1; at most all but the one that is asked.
        taken: The share, 0-1; None for :func:`usual_share`.
        seed: Of the 2,000 references that are asked where there are more.

    Raises:
        GalleryError: The gallery does not hold the emotion, or nothing else, or more than 5,000 references of it; no
            neighbour is to vote, or a share outside 0-1.
    """
    if emotion not in gallery.emotions or len(gallery.emotions) < 2:
        raise GalleryError(
            f"{emotion} cannot be emphasised in a gallery of {', '.join(gallery.emotions)}; name one of several there."
        )
    taken = usual_share(gallery) if taken is None else taken
    if not 0 < taken < 1:
        raise GalleryError(f"A share of {taken!r} was given; give one between 0 and 1, such as 0.1.")
    if n_neighbors < 1:
        raise GalleryError(f"{n_neighbors} neighbours are to vote; give 1 or more.")
    label = gallery.emotions.index(emotion)
    own, others = np.flatnonzero(gallery.labels == label), np.flatnonzero(gallery.labels != label)
    if len(own) > _MOST:
        raise GalleryError(
            f"{emotion} has {len(own)} references; up to {_MOST} can be emphasised, who has more is heard."
        )
    if len(others) > _ASKED:
        others = np.sort(np.random.default_rng(seed).choice(others, _ASKED, replace=False))
    vectors, k = gallery.vectors[others], min(n_neighbors, len(gallery) - 1)
    plain = {name: factor for name, factor in gallery.emphasis.items() if name != emotion}
    if gallery.weights == MEAN:
        far, known, near = _to_means(gallery, label, vectors, others, plain)
    else:
        far, known, near = _to_references(gallery, label, vectors, others, plain, k)
    factor = _largest(far, known, near, label, len(gallery.emotions), taken)
    share = _share(far, known, near / factor, label, len(gallery.emotions))
    return Emphasis(emotion, factor, len(own), share, len(others), k)


def _to_means(
    gallery: Gallery,
    label: int,
    vectors: NDArray[np.float32],
    others: NDArray[np.int64],
    plain: Mapping[str, float],
) -> Tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.floating]]:
    """:func:`_to_references` where means vote: each is a neighbour, k is the number of the other emotions."""
    far = gallery.distances_to_means(vectors, own=others, groups=np.arange(len(gallery)), emphasis=plain)
    rest = np.delete(np.arange(len(gallery.emotions)), label)
    return far[:, rest], np.broadcast_to(rest, (len(far), len(rest))), far[:, [label]]


def _to_references(
    gallery: Gallery,
    label: int,
    vectors: NDArray[np.float32],
    others: NDArray[np.int64],
    plain: Mapping[str, float],
    k: int,
) -> Tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.floating]]:
    """What votes on references of other emotions, each left out of its own.

    Args:
        gallery: The references.
        label: The emotion that is to be emphasised.
        vectors: float32 (Q, D).
        others: int64 (Q,), their positions.
        plain: What else is emphasised.
        k: How many vote.

    Returns:
        Distances (Q, k) to the nearest of other emotions, nearest first, infinite where there are none; their labels,
        int64 (Q, k); distances (Q, m) to the nearest of the emotion itself.
    """
    own = np.flatnonzero(gallery.labels == label)
    far, found = nearest_outside(
        lambda some, width: gallery.kneighbors(some, width, emphasis=plain),
        vectors,
        others,
        np.arange(len(gallery)),
        min(k + len(own), len(gallery) - 1),
    )
    is_own = gallery.labels[found] == label
    places = np.argsort(is_own, axis=1, kind="stable")[:, :k]  # the others' nearest first
    far = np.where(np.take_along_axis(is_own, places, axis=1), np.inf, np.take_along_axis(far, places, axis=1))
    known = gallery.labels[np.take_along_axis(found, places, axis=1)]
    return far, known, gallery.part(own).search(vectors, min(k, len(own)))[0]


def _largest(
    far: NDArray[np.floating],
    known: NDArray[np.int64],
    near: NDArray[np.floating],
    label: int,
    n_classes: int,
    taken: float,
) -> float:
    """The largest factor by bisection of its logarithm, rounded down to three digits; 1 if that is too much."""
    if _share(far, known, near, label, n_classes) > taken:
        return 1.0
    low, high = 0.0, float(np.log(LARGEST))
    if _share(far, known, near / LARGEST, label, n_classes) <= taken:
        return LARGEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _share(far, known, near / np.exp(middle), label, n_classes) <= taken:
            low = middle
        else:
            high = middle
    factor = float(np.exp(low))
    unit = 10.0 ** (np.floor(np.log10(factor)) - 2)
    return float(max(1.0, round(np.floor(factor / unit) * unit, 4)))


def _share(
    far: NDArray[np.floating], known: NDArray[np.int64], near: NDArray[np.floating], label: int, n_classes: int
) -> float:
    """Share of queries that are given to ``label``: others' distances (Q, k) and labels, its own distances (Q, m)."""
    k = far.shape[1]
    distances = np.concatenate([near, far], axis=1)  # its own first: they win at equal distance
    labels = np.concatenate([np.full(near.shape, label), known], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    distances, labels = np.take_along_axis(distances, order, axis=1), np.take_along_axis(labels, order, axis=1)
    present = np.isfinite(distances)
    distances, labels = np.where(present, distances, 0.0), np.where(present, labels, -1)
    return float((decide(vote(distances, labels, n_classes), distances, labels) == label).mean())
