"""Which pictures asked about are known already: the picture itself or a copy, its person, its film."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.gallery import Gallery
from galleries.images import InputSpec
from siamese.datasets.base import FaceDataset
from siamese.near_copies import VIEW, difference_hashes, near_copies, view

Names = Sequence[Optional[str]]


@dataclass(frozen=True)
class Known:
    """What is known of N pictures.

    Attributes:
        keys: Equal exactly for exact copies.
        emotions: What they show.
        people: Who is on them, or None where that is unknown.
        films: From which film or burst, or None.
        pictures: uint8 (N, 48, 48) grey for near copies, or None to leave them aside.
    """

    keys: Sequence[Any]
    emotions: Sequence[str]
    people: Optional[Names] = None
    films: Optional[Names] = None
    pictures: Optional[NDArray[np.uint8]] = None


@dataclass(frozen=True)
class Crossing:
    """Which of Q queries are known.

    Attributes:
        copies: bool (Q,): an exact copy is.
        near: bool (Q,): no exact copy, but a near one.
        in_conflict: bool (Q,): a copy, exact or near, carries another emotion.
        people: bool (Q,): the person is; None where either side does not name people.
        films: bool (Q,): the film is; None where unknown.
        near_sought: Whether near copies were looked for.
    """

    copies: NDArray[np.bool_]
    near: NDArray[np.bool_]
    in_conflict: NDArray[np.bool_]
    people: Optional[NDArray[np.bool_]]
    films: Optional[NDArray[np.bool_]]
    near_sought: bool

    @property
    def rows(self) -> NDArray[np.bool_]:
        """bool (Q,): known in any way."""
        found = self.copies | self.near
        for other in (self.people, self.films):
            found = found if other is None else found | other
        return found


def cross(references: Known, queries: Known) -> Crossing:
    """Look every query up among the references."""
    hashes, candidates = None, np.arange(len(references.keys))
    if references.pictures is not None and queries.pictures is not None:
        theirs, ours = hashes = difference_hashes(references.pictures), difference_hashes(queries.pictures)
        candidates = np.flatnonzero(np.isin(theirs.view(np.uint64), ours.view(np.uint64)))  # all others are no copies
    emotions: dict[Any, set[str]] = {}
    for place in candidates.tolist():
        emotions.setdefault(references.keys[place], set()).add(references.emotions[place])
    asked = list(queries.keys)
    copies = np.array([key in emotions for key in asked], bool)
    conflict = np.array(
        [bool(emotions.get(key, set()) - {emotion}) for key, emotion in zip(asked, queries.emotions)], bool
    )
    near = np.zeros(len(copies), bool)
    if references.pictures is not None and queries.pictures is not None:
        pairs = near_copies(references.pictures, queries.pictures, hashes)
        near[pairs[:, 0]] = True
        near &= ~copies
        for query, reference in pairs.tolist():
            conflict[query] |= queries.emotions[query] != references.emotions[reference]
    people, films = _both(references.people, queries.people), _both(references.films, queries.films)
    return Crossing(copies, near, conflict, people, films, hashes is not None)


def _both(references: Optional[Names], queries: Optional[Names]) -> Optional[NDArray[np.bool_]]:
    """Which queries' names stand among the references'; None where either side has no names."""
    names = set(references or ()) - {None}
    if queries is None or not names:
        return None
    return np.array([name is not None and name in names for name in queries], bool)


def of_dataset(dataset: FaceDataset, rows: NDArray[np.int64], keys: Sequence[str], near: bool) -> Known:
    """What a data set says of some of its pictures.

    Args:
        dataset: The faces.
        rows: int64 (N,), which.
        keys: The digests of all its pictures.
        near: Whether the pictures themselves are wanted too, for near copies.
    """
    return Known(
        [keys[int(row)] for row in rows],
        _emotions(dataset, rows),
        _pick(dataset.subjects, rows),
        _pick(dataset.sequences, rows),
        dataset.batch(rows, VIEW)[:, 0] if near else None,
    )


def of_gallery(gallery: Gallery) -> Known:
    """What a gallery remembers of its references: by their thumbnails, or by their sources where it has none."""
    references = gallery.references
    thumbnails = gallery.thumbnails
    return Known(
        references.sources() if thumbnails is None else Digests(thumbnails),
        references.emotions(),
        references.subjects(),
        references.sequences(),
        None if thumbnails is None else view(thumbnails),
    )


def as_asked(gallery: Gallery, dataset: FaceDataset, rows: NDArray[np.int64]) -> Known:
    """What a data set says of some of its pictures, in the form in which the gallery remembers its own."""
    keys: Sequence[Any] = [dataset.ids[int(row)] for row in rows]
    pictures = None
    if gallery.thumbnails is not None:
        height, width, *colours = gallery.thumbnails.shape[1:]
        faces = dataset.batch(rows, InputSpec(height, width, 3 if colours else 1))  # (Q, C, h, w)
        shown = np.ascontiguousarray(faces.transpose(0, 2, 3, 1)) if colours else faces[:, 0]
        keys, pictures = Digests(shown), view(shown)
    people, films = _pick(dataset.subjects, rows), _pick(dataset.sequences, rows)
    return Known(keys, _emotions(dataset, rows), people, films, pictures)


class Digests(Sequence[bytes]):
    """A checksum of each picture, uint8 (N, h, w) or (N, h, w, 3), made when it is asked for."""

    def __init__(self, pictures: NDArray[np.uint8]) -> None:
        self._flat = np.ascontiguousarray(pictures).reshape(len(pictures), -1)

    def __len__(self) -> int:
        return len(self._flat)

    def __getitem__(self, place: Any) -> Any:
        return hashlib.blake2b(self._flat[place].data, digest_size=16).digest()


def _emotions(dataset: FaceDataset, rows: NDArray[np.int64]) -> list[str]:
    return [dataset.emotions[int(label)] for label in dataset.labels[rows]]


def _pick(column: Optional[tuple[str, ...]], rows: NDArray[np.int64]) -> Optional[list[str]]:
    return None if column is None else [column[int(row)] for row in rows]
