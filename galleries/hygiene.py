"""What is wrong in a gallery: suspected mislabels, duplicates, lonely references, imbalance, one-person emotions."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.left_out import nearest_outside

HYGIENE_NEIGHBORS = 15
"""Neighbours that are asked about each reference unless told otherwise."""


@dataclass(frozen=True)
class Suspect:
    """A reference whose neighbours say something else.

    Attributes:
        number: Of the reference.
        emotion: What it is called.
        suggested: What its neighbours vote for.
        suspicion: The suggestion's vote share minus that of its own emotion, 0-1.
        neighbours: Numbers of the neighbours that voted, nearest first.
    """

    number: int
    emotion: str
    suggested: str
    suspicion: float
    neighbours: Tuple[int, ...]


@dataclass(frozen=True)
class DuplicateGroup:
    """References that are the same picture or the same vector.

    Attributes:
        numbers: Two or more, ascending.
        emotions: What they are called, in that order.
    """

    numbers: Tuple[int, ...]
    emotions: Tuple[str, ...]

    @property
    def conflicting(self) -> bool:
        """Whether they are called differently."""
        return len(set(self.emotions)) > 1


@dataclass(frozen=True)
class Hygiene:
    """What was found in a gallery.

    Attributes:
        size: References.
        n_neighbors: How many were asked about each.
        agreement: Share of references whose neighbours vote for what they are called, 0-1.
        suspects: The most suspicious first.
        duplicates: Groups of equal references.
        lonely: Numbers of references that are further from the nearest of their own emotion than 99 % are.
        counts: References by emotion.
        imbalance: The most frequent emotion's references divided by the rarest one's.
        one_person: Emotions that only one person shows.
        missing: (person, emotion) that is missing although most people show the emotion.
    """

    size: int
    n_neighbors: int
    agreement: float
    suspects: Tuple[Suspect, ...]
    duplicates: Tuple[DuplicateGroup, ...]
    lonely: Tuple[int, ...]
    counts: Dict[str, int]
    imbalance: float
    one_person: Tuple[str, ...]
    missing: Tuple[Tuple[str, str], ...]

    def to_json(self) -> Dict[str, Any]:
        """The findings as a plain dict."""
        plain = asdict(self)
        for found, group in zip(plain["duplicates"], self.duplicates):
            found["conflicting"] = group.conflicting
        return plain


def check_gallery(gallery: Gallery, n_neighbors: int = HYGIENE_NEIGHBORS) -> Hygiene:
    """Look through a gallery.

    Args:
        gallery: Two references or more.
        n_neighbors: How many others are asked about each reference; lowered to all others if they are fewer.

    Raises:
        GalleryError: The gallery holds one reference only.
    """
    if len(gallery) < 2:
        raise GalleryError("A gallery of one reference has nothing to be compared with; add others first.")
    groups = _duplicates(gallery)
    distances, found = neighbours_of_each(gallery, n_neighbors)
    labels = gallery.labels[found]  # (N, k)
    shares = gallery.tally(distances, found)
    own = np.arange(len(gallery))
    answers = shares.argmax(axis=1)
    suspicion = shares[own, answers] - shares[own, gallery.labels]
    order = [int(i) for i in np.argsort(-suspicion, kind="stable") if suspicion[i] > 0]
    suspects = tuple(
        Suspect(
            int(gallery.numbers[i]),
            gallery.references[i].label,
            gallery.emotions[int(answers[i])],
            float(suspicion[i]),
            tuple(int(number) for number in gallery.numbers[found[i]]),
        )
        for i in order
    )
    counts = dict(zip(gallery.emotions, np.bincount(gallery.labels, minlength=len(gallery.emotions)).tolist()))
    one_person, missing = _people(gallery)
    return Hygiene(
        len(gallery),
        found.shape[1],
        float((suspicion <= 0).mean()),
        suspects,
        groups,
        _lonely(gallery, distances, labels),
        counts,
        max(counts.values()) / min(counts.values()),
        one_person,
        missing,
    )


def neighbours_of_each(gallery: Gallery, n_neighbors: int) -> Tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The nearest others of every reference, copies of it left out: they would only repeat its own label.

    Args:
        gallery: Two references or more.
        n_neighbors: How many; fewer where the gallery has not as many.

    Returns:
        Distances float32 (N, k), nearest first, and indices int64 (N, k).
    """
    size, vectors, keys = len(gallery), gallery.vectors, _keys(gallery)
    k = min(n_neighbors, size - 1)
    distances, found = np.empty((size, k), np.float32), np.empty((size, k), np.int64)
    lacking = size - np.bincount(keys)[keys] < k  # nearly all of a small gallery are copies: then copies count
    for rows, groups in ((np.flatnonzero(~lacking), keys), (np.flatnonzero(lacking), np.arange(size))):
        answer = nearest_outside(gallery.kneighbors, vectors[rows], groups[rows], groups, k)
        distances[rows], found[rows] = answer
    return distances, found


def _keys(gallery: Gallery) -> NDArray[np.int64]:
    """A number for each reference, the same for the same vector: int64 (N,)."""
    _, keys = np.unique(np.round(gallery.vectors, 5), axis=0, return_inverse=True)
    return np.asarray(keys, np.int64).reshape(-1)


def _duplicates(gallery: Gallery) -> Tuple[DuplicateGroup, ...]:
    members: Dict[object, List[int]] = {}
    for index, key in enumerate(_keys(gallery).tolist()):
        members.setdefault(key, []).append(index)
    if gallery.thumbnails is not None:  # the same picture may have been enrolled by another cut
        for index, picture in enumerate(gallery.thumbnails):
            digest = hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=16).hexdigest()
            members.setdefault(digest, []).append(index)
    numbers = gallery.numbers
    groups = sorted({tuple(group) for group in members.values() if len(group) > 1})
    largest = [g for g in groups if not any(set(g) < set(other) for other in groups if other[0] <= g[0])]
    return tuple(
        DuplicateGroup(tuple(int(numbers[i]) for i in group), tuple(gallery.references[i].label for i in group))
        for group in largest
    )


def _lonely(gallery: Gallery, distances: NDArray[np.float32], labels: NDArray[np.int64]) -> Tuple[int, ...]:
    """References without a near one of their own emotion."""
    same = labels == gallery.labels[:, None]
    nearest = np.where(same, distances, np.inf).min(axis=1)  # inf: none of the k shows its emotion
    finite = nearest[np.isfinite(nearest)]
    if len(gallery) < 100 or not len(finite):
        return ()
    limit = float(np.quantile(finite, 0.99))
    return tuple(int(number) for number in gallery.numbers[np.isfinite(nearest) & (nearest > limit)])


def _people(gallery: Gallery) -> Tuple[Tuple[str, ...], Tuple[Tuple[str, str], ...]]:
    """Emotions that one person alone shows, and who lacks an emotion that most people show."""
    shown: Dict[str, set[str]] = {}
    for reference in gallery.references:
        if reference.subject is not None:
            shown.setdefault(reference.label, set()).add(reference.subject)
    people = set().union(*shown.values()) if shown else set()
    alone: List[str] = []
    for label, emotion in enumerate(gallery.emotions):
        unnamed = any(gallery.references[int(i)].subject is None for i in np.flatnonzero(gallery.labels == label))
        if len(shown.get(emotion, ())) == 1 and not unnamed and len(people) > 1:
            alone.append(emotion)
    missing = [
        (person, emotion)
        for emotion, who in sorted(shown.items())
        if len(who) > len(people) / 2
        for person in sorted(people - who)
    ]
    return tuple(alone), tuple(missing)


@dataclass(frozen=True)
class Fix:
    """What is to be done with a reference.

    Attributes:
        number: Of the reference.
        action: ``"relabel"`` or ``"remove"``.
        emotion: The new emotion, for ``"relabel"``.
    """

    number: int
    action: str
    emotion: Optional[str] = None


def apply_fixes(gallery: Gallery, fixes: List[Fix]) -> None:
    """Carry fixes out: relabelling first, then removing; all or nothing.

    Raises:
        GalleryError: A number that is not here, a number with two fixes, or an unknown action.
    """
    numbers = [fix.number for fix in fixes]
    for number, count in Counter(numbers).items():
        if count > 1:
            raise GalleryError(f"Reference {number} has {count} fixes; give one for each.")
    known = set(gallery.numbers.tolist())
    for fix in fixes:
        if fix.number not in known:
            raise GalleryError(f"The gallery holds no reference with number {fix.number}; nothing was changed.")
        if fix.action not in ("relabel", "remove") or (fix.action == "relabel") != (fix.emotion is not None):
            raise GalleryError(f"{fix.action!r} of reference {fix.number} is no fix; write remove, or relabel to what.")
    gone = [fix.number for fix in fixes if fix.action == "remove"]
    if len(gone) == len(gallery):
        raise GalleryError("The fixes would remove every reference; delete the gallery's folder instead.")
    by_emotion: Dict[str, List[int]] = {}
    for fix in fixes:
        if fix.emotion is not None:
            by_emotion.setdefault(fix.emotion, []).append(fix.number)
    for emotion, some in sorted(by_emotion.items()):
        gallery.relabel(some, emotion)
    if gone:
        gallery.remove(gone)
