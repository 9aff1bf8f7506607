"""How well a gallery's vectors tell people apart, since an emotion's vector should not; and votes without oneself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery
from galleries.separation import left_out_answers


@dataclass(frozen=True)
class IdentityProbe:
    """What a thief of vectors could find out about people.

    Attributes:
        references: Those of people with two or more references that do not belong to one film.
        people: How many people they show.
        recovered: Share whose nearest other reference, of another film where films are known, shows the same person.
        chance: The same by drawing the reference at random.
        same_emotion: As ``recovered``, among references of the same emotion only; None where no person has two.
    """

    references: int
    people: int
    recovered: float
    chance: float
    same_emotion: Optional[float]

    def to_json(self) -> Dict[str, Any]:
        """The probe as a plain dict."""
        return asdict(self)


def probe_identity(gallery: Gallery) -> Optional[IdentityProbe]:
    """How often a reference's nearest other one shows the same person.

    Frames of one film are alike for other reasons than the person, so a reference's own film is left out.

    Args:
        gallery: The references.

    Returns:
        The probe; None where fewer than two people are named with two references each.
    """
    codes, films = _codes(gallery.references.subjects()), _codes(gallery.references.sequences())
    named = np.flatnonzero(codes >= 0)
    vectors, people, film = gallery.vectors[named], codes[named], films[named]
    emotions = gallery.labels[named]
    whole = _recovery(vectors, people, film, None)
    if whole is None:
        return None
    hits, chances, able = whole
    if len(np.unique(people[able])) < 2:
        return None
    within = _recovery(vectors, people, film, emotions)
    return IdentityProbe(
        int(able.sum()),
        len(np.unique(people[able])),
        float(hits[able].mean()),
        float(chances[able].mean()),
        None if within is None else float(within[0][within[2]].mean()),
    )


def _codes(names: Sequence[Optional[str]]) -> NDArray[np.int64]:
    """Names as numbers from 0; -1 where there is none."""
    places = {name: place for place, name in enumerate(sorted({name for name in names if name is not None}))}
    return np.array([-1 if name is None else places[name] for name in names], np.int64)


def _recovery(
    vectors: NDArray[np.float32],
    people: NDArray[np.int64],
    films: NDArray[np.int64],
    emotions: Optional[NDArray[np.int64]],
) -> Optional[Tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_]]]:
    """For each vector whether the nearest allowed one shows its person, by chance too, and whether there is one."""
    size = len(vectors)
    hits, chances, able = np.zeros(size, bool), np.zeros(size), np.zeros(size, bool)
    squares = (vectors**2).sum(axis=1)
    for start in range(0, size, 256):
        rows = np.arange(start, min(start + 256, size))
        gaps = squares[None, :] - 2 * vectors[rows] @ vectors.T  # (B, N), but for each row's own length
        allowed = rows[:, None] != np.arange(size)[None, :]
        allowed &= (films[rows][:, None] < 0) | (films[rows][:, None] != films[None, :])
        if emotions is not None:
            allowed &= emotions[rows][:, None] == emotions[None, :]
        same = allowed & (people[rows][:, None] == people[None, :])
        able[rows] = same.any(axis=1)
        nearest = np.where(allowed, gaps, np.inf).argmin(axis=1)
        hits[rows] = same[np.arange(len(rows)), nearest]
        chances[rows] = same.sum(axis=1) / np.maximum(allowed.sum(axis=1), 1)
    return (hits, chances, able) if able.any() else None


@dataclass(frozen=True)
class OwnPersonProbe:
    """What it is worth to a vote that the gallery knows the person who is asked about.

    Attributes:
        references: Those whose person is named.
        people: How many people they show.
        n_neighbors: How many vote.
        accuracy: Share of the references for which the others' vote is right, each left out of its own; 0-1.
        accuracy_without: The same where every reference of the same person is left out: what a stranger may expect.
    """

    references: int
    people: int
    n_neighbors: int
    accuracy: float
    accuracy_without: float

    def to_json(self) -> Dict[str, Any]:
        """The probe as a plain dict."""
        return asdict(self)


def probe_own_person(gallery: Gallery, n_neighbors: int = DEFAULT_NEIGHBORS) -> Optional[OwnPersonProbe]:
    """How right a gallery is of its own references, with and without others of the same person.

    Args:
        gallery: The references.
        n_neighbors: How many vote; at most all others.

    Returns:
        The probe; None where fewer than two people are named.
    """
    subjects = gallery.references.subjects()
    named = np.array([row for row, name in enumerate(subjects) if name is not None], np.int64)
    people = {name for name in subjects if name is not None}
    if len(people) < 2:
        return None
    truth = gallery.labels[named]
    with_them = left_out_answers(gallery, named, n_neighbors)
    others = predict_without(gallery, gallery.vectors[named], [subjects[row] for row in named], n_neighbors)
    without = np.array([gallery.emotions.index(answer) for answer in others])
    return OwnPersonProbe(
        len(named),
        len(people),
        min(n_neighbors, len(gallery) - 1),
        float((with_them == truth).mean()),
        float((without == truth).mean()),
    )


def predict_without(
    gallery: Gallery,
    vectors: NDArray[np.float32],
    subjects: Sequence[Optional[str]],
    n_neighbors: int = DEFAULT_NEIGHBORS,
    weights: Optional[str] = None,
) -> List[str]:
    """The emotion of each vector by the votes of other people: a query's own person is left out. Ties as in ``decide``.

    Args:
        gallery: The references.
        vectors: float32 (B, D).
        subjects: B people; None leaves nobody out.
        n_neighbors: How many vote; for a query whose others have not as many, all of theirs.
        weights: As of :meth:`galleries.gallery.Gallery.predict`.

    Raises:
        GalleryError: A query's person alone stands in the gallery, or the columns differ in length.
    """
    if len(subjects) != len(vectors):
        raise GalleryError(f"{len(subjects)} people were given for {len(vectors)} vectors; give one for each.")
    codes = _codes([*gallery.references.subjects(), *subjects])
    known, asked = codes[: len(gallery)], codes[len(gallery) :]
    _, found, winners = gallery.answers_outside(vectors, asked, known, n_neighbors, weights)
    if (found[:, :1] < 0).any():
        raise GalleryError("The gallery holds references of the person asked about alone; add other people.")
    return [gallery.emotions[winner] for winner in winners]
