"""A smaller gallery that votes as well: which references to keep."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError, unknown_name
from galleries.gallery import Gallery
from galleries.hygiene import neighbours_of_each

Vectors = NDArray[np.float32]


def herding(vectors: Vectors, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """References whose mean follows the class mean (Welling, "Herding Dynamical Weights to Learn", 2009).

    Args:
        vectors: float32 (N, D) of one emotion.
        count: How many to keep, 1 … N.
        rng: Not used; every way has the same arguments.

    Returns:
        int64 (count,), rows in the order they were chosen: the first ones are the best few.
    """
    exact = vectors.astype(np.float64)
    mean, total = exact.mean(axis=0), np.zeros(vectors.shape[1])
    free = np.ones(len(exact), bool)
    squares = (exact**2).sum(axis=1)
    chosen = np.empty(count, np.int64)
    for place in range(count):
        # |mean - (total + x) / n|² is smallest where |x|² - 2 x·(n mean - total) is
        gaps = squares - 2 * exact @ ((place + 1) * mean - total)
        chosen[place] = np.where(free, gaps, np.inf).argmin()
        total += exact[chosen[place]]
        free[chosen[place]] = False
    return chosen


def k_centres(vectors: Vectors, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """References no vector is far from (Gonzalez, "Clustering to Minimize the Maximum Intercluster Distance", 1985).

    Arguments and result as :func:`herding`; it begins with the reference nearest to the mean.
    """
    exact = vectors.astype(np.float64)
    chosen = np.empty(count, np.int64)
    chosen[0] = ((exact - exact.mean(axis=0)) ** 2).sum(axis=1).argmin()
    far = ((exact - exact[chosen[0]]) ** 2).sum(axis=1)
    for place in range(1, count):
        far[chosen[:place]] = -1.0
        chosen[place] = far.argmax()
        far = np.minimum(far, ((exact - exact[chosen[place]]) ** 2).sum(axis=1))
    return chosen


def typical(vectors: Vectors, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """References nearest to their emotion's mean, the most typical first. Arguments and result as :func:`herding`.

    They draw the borders between emotions about where the nearest class mean (Mensink et al., "Distance-Based Image
    Classification: Generalizing to New Classes at Near-Zero Cost", 2013) draws them, and stay faces that can be shown.
    """
    exact = vectors.astype(np.float64)
    gaps = ((exact - exact.mean(axis=0)) ** 2).sum(axis=1)
    return np.argsort(gaps, kind="stable")[:count].astype(np.int64)


def drawn(vectors: Vectors, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """References drawn at random, the yardstick for the other ways. Arguments and result as :func:`herding`."""
    return rng.permutation(len(vectors))[:count].astype(np.int64)


WAYS: Dict[str, Callable[[Vectors, int, np.random.Generator], NDArray[np.int64]]] = {
    "herding": herding,
    "k-centres": k_centres,
    "typical": typical,
    "random": drawn,
}
"""How to choose among one emotion's references; ``condensed`` is :func:`condensed`'s."""


def condense(
    gallery: Gallery,
    size: int,
    way: str = "herding",
    edited: bool = True,
    n_neighbors: int = 15,
    seed: int = 0,
    sound: Optional[NDArray[np.bool_]] = None,
) -> NDArray[np.int64]:
    """Which references to keep so that a smaller gallery votes as well as it can.

    Every emotion keeps its share, one reference at least.

    Args:
        gallery: The references.
        size: How many to keep in all, about; from the number of emotions to ``len(gallery)``.
        way: A name of :data:`WAYS`.
        edited: Whether references that their neighbours outvote are left out first (Wilson, "Asymptotic Properties of
            Nearest Neighbor Rules Using Edited Data", 1972), as far as an emotion has others.
        n_neighbors: Neighbours of that vote.
        seed: Of ``random``.
        sound: What :func:`sound_references` gave of this gallery, if it is known already.

    Returns:
        int64, numbers of the references to keep, ascending.

    Raises:
        GalleryError: A size that cannot be.
        ConfigError: An unknown way.
    """
    if way not in WAYS:
        raise unknown_name("way to condense", way, WAYS)
    if not len(gallery.emotions) <= size <= len(gallery):
        raise GalleryError(
            f"A gallery of {len(gallery)} references and {len(gallery.emotions)} emotions cannot be condensed to "
            f"{size}; give {len(gallery.emotions)} to {len(gallery)}."
        )
    if not edited:
        sound = np.ones(len(gallery), bool)
    elif sound is None:
        sound = sound_references(gallery, n_neighbors)
    rng = np.random.default_rng(seed)
    vectors, kept = gallery.vectors, []
    for label in range(len(gallery.emotions)):
        own = np.flatnonzero(gallery.labels == label)
        count = max(1, round(size * len(own) / len(gallery)))
        pool = own[sound[own]]
        pool = pool if len(pool) >= count else own
        kept.append(pool[WAYS[way](vectors[pool], min(count, len(pool)), rng)])
    numbers: NDArray[np.int64] = np.sort(gallery.numbers[np.concatenate(kept)])
    return numbers


def sound_references(gallery: Gallery, n_neighbors: int = 15) -> NDArray[np.bool_]:
    """References whose neighbours vote for what they are called, copies of them left out: bool (N,)."""
    distances, found = neighbours_of_each(gallery, n_neighbors)
    sound: NDArray[np.bool_] = gallery.winners(distances, found) == gallery.labels
    return sound


def condensed(gallery: Gallery, seed: int = 0, limit: Optional[int] = None) -> NDArray[np.int64]:
    """References with which the nearest one answers rightly for all others (Hart, "The Condensed Nearest Neighbor
    Rule", 1968).

    The size follows from the gallery: a noisy one keeps many. References are looked at in random order, again and
    again, and kept where the nearest one kept so far is of another emotion.

    Args:
        gallery: The references.
        seed: Of the order.
        limit: Stop when so many are kept; None for no limit.

    Returns:
        int64, numbers of the references to keep, ascending.
    """
    vectors = gallery.vectors.astype(np.float64)
    order = np.random.default_rng(seed).permutation(len(gallery))
    kept: List[int] = [int(order[0])]
    nearest = ((vectors - vectors[kept[0]]) ** 2).sum(axis=1)  # squared distance to the nearest kept one
    holder = np.full(len(gallery), kept[0])  # and which that is
    changed = True
    while changed:
        changed = False
        for index in order.tolist():
            if limit is not None and len(kept) >= limit:
                return np.sort(gallery.numbers[kept])
            if gallery.labels[holder[index]] == gallery.labels[index]:
                continue
            kept.append(index)
            gaps = ((vectors - vectors[index]) ** 2).sum(axis=1)
            nearer = gaps < nearest
            nearest[nearer], holder[nearer] = gaps[nearer], index
            holder[index], nearest[index] = index, 0.0
            changed = True
    numbers: NDArray[np.int64] = np.sort(gallery.numbers[kept])
    return numbers
