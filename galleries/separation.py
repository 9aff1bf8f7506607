"""How well an emotion stands apart in a gallery: each of its references asked about, with itself left out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery


@dataclass(frozen=True)
class Separation:
    """What the gallery answers for an emotion's own references.

    Attributes:
        emotion: Its name.
        references: How many it has.
        right: For how many the others' vote is right.
        collisions: (emotion, count) of the wrong answers, the most frequent first.
        people: How many people its references show; 0 if none is named.
        n_neighbors: How many voted.
    """

    emotion: str
    references: int
    right: int
    collisions: Tuple[Tuple[str, int], ...]
    people: int
    n_neighbors: int

    @property
    def accuracy(self) -> float:
        """Leave-one-out accuracy, 0-1."""
        return self.right / self.references

    def to_json(self) -> Dict[str, Any]:
        """The result as a plain dict."""
        return {**asdict(self), "collisions": [list(pair) for pair in self.collisions], "accuracy": self.accuracy}

    def warnings(self) -> List[str]:
        """What to be careful about, one sentence each."""
        found = []
        if self.references < 5:
            found.append(f"{self.emotion} has only {self.references} references; five and more make it steadier.")
        if self.people == 1 and self.references > 1:
            found.append(
                f"All references of {self.emotion} show one person; how others show it is unknown, so add more people."
            )
        if self.accuracy < 0.5 and self.collisions:
            worst = ", ".join(f"{name} ({count})" for name, count in self.collisions[:3])
            found.append(
                f"{self.emotion} does not stand apart: {self.references - self.right} of {self.references} references "
                f"would be called something else, {worst}."
            )
        return found


def left_out_answers(
    gallery: Gallery,
    positions: NDArray[np.int64],
    n_neighbors: int = DEFAULT_NEIGHBORS,
    weights: Optional[str] = None,
) -> NDArray[np.int64]:
    """What the gallery would answer for its own references, each left out of its own vote.

    Args:
        gallery: The references.
        positions: int64 (P,), which, as indices into ``references``.
        n_neighbors: How many others vote; at most all of them.
        weights: As of :meth:`galleries.gallery.Gallery.predict`.

    Returns:
        int64 (P,), labels as in ``gallery.emotions``.

    Raises:
        GalleryError: The gallery holds one reference only.
    """
    if len(gallery) < 2:
        raise GalleryError("A gallery of one reference cannot be asked about itself; add others first.")
    k = min(n_neighbors, len(gallery) - 1)
    everyone = np.arange(len(gallery))
    return gallery.answers_outside(gallery.vectors[positions], positions, everyone, k, weights)[2]


def separation(gallery: Gallery, emotion: str, n_neighbors: int = DEFAULT_NEIGHBORS) -> Separation:
    """How well an emotion stands apart, by leave-one-out over its references.

    Args:
        gallery: The references.
        emotion: Canonical name of one that it holds.
        n_neighbors: How many others vote.

    Raises:
        GalleryError: The gallery does not hold the emotion, or nothing else.
    """
    if emotion not in gallery.emotions:
        raise GalleryError(f"The gallery holds no {emotion}; it holds {', '.join(gallery.emotions)}.")
    label = gallery.emotions.index(emotion)
    positions = np.flatnonzero(gallery.labels == label)
    answers = left_out_answers(gallery, positions, n_neighbors)
    wrong, counts = np.unique(answers[answers != label], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    people = {gallery.references[int(i)].subject for i in positions} - {None}
    return Separation(
        emotion,
        len(positions),
        int((answers == label).sum()),
        tuple((gallery.emotions[int(wrong[i])], int(counts[i])) for i in order),
        len(people),
        min(n_neighbors, len(gallery) - 1),
    )
