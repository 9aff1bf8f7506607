"""What a person's own few references are worth: people who are not in the gallery are given some, and asked about."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Callable, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError
from galleries.gallery import Gallery

Progress = Optional[Callable[[int, int], None]]

WEIGHTS = (1.0, 1.5, 2.0, 3.0, 4.0)
"""Personal weights that are tried; 1 is the ordinary vote."""


@dataclass(frozen=True)
class OwnReferences:
    """People asked about after they were given references of their own.

    Attributes:
        shots: References of each emotion, or of one emotion alone, that each person was given.
        of_one: Whether they are of one emotion alone, drawn for each person.
        people: How many people there were.
        faces: How many other faces of theirs were asked about.
        without: Accuracy without any of the person's own references, 0-1.
        by_weight: (personal weight, accuracy with them).
    """

    shots: int
    of_one: bool
    people: int
    faces: int
    without: float
    by_weight: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {**asdict(self), "by_weight": [list(pair) for pair in self.by_weight]}


def own_references(
    load: Callable[[], Gallery],
    queries: NDArray[np.float32],
    truth: Sequence[str],
    subjects: Sequence[Optional[str]],
    shots: int,
    of_one: bool = False,
    n_neighbors: int = 5,
    seed: int = 0,
    progress: Progress = None,
) -> Optional[OwnReferences]:
    """Give each person in turn some references, ask about their other faces, take the references back.

    Args:
        load: Gives the gallery afresh, since it is changed.
        queries: float32 (Q, D) of faces that are not in it.
        truth: Q emotions.
        subjects: Q people; None where not known. People whom the gallery knows are left out.
        shots: References of each emotion that the person shows, from 1.
        of_one: Whether they are of one of these emotions alone.
        n_neighbors: k of the vote.
        seed: Of the drawing.
        progress: Called with (people done, people in all).

    Returns:
        The result; None where nobody who is named has faces left to be asked about.

    Raises:
        ConfigError: Fewer than one reference is to be given.
    """
    if shots < 1:
        raise ConfigError(f"{shots} references of one's own were asked for; give a whole number from 1.")
    gallery = load()
    gallery.thumbnails = None
    known = set(gallery.references.subjects())
    people = sorted({name for name in subjects if name is not None} - known)
    names, emotions = np.array(list(subjects), object), np.array(list(truth))
    rng = np.random.default_rng(seed)
    asked, right, right_without, counted = 0, np.zeros(len(WEIGHTS), int), 0, 0
    for done, person in enumerate(people, start=1):
        own, others = _deal(np.flatnonzero(names == person), emotions, shots, of_one, rng)
        if len(own) and len(others):
            said = gallery.predict(queries[others], n_neighbors)
            right_without += int((np.array(said) == emotions[others]).sum())
            numbers = gallery.add(queries[own], emotions[own].tolist(), subjects=[person] * len(own))
            for place, weight in enumerate(WEIGHTS):
                said = gallery.predict(queries[others], n_neighbors, subject=person, personal_weight=weight)
                right[place] += int((np.array(said) == emotions[others]).sum())
            gallery.remove(numbers.tolist())
            asked += len(others)
            counted += 1
        if progress is not None:
            progress(done, len(people))
    if not asked:
        return None
    shares = tuple((weight, float(count / asked)) for weight, count in zip(WEIGHTS, right))
    return OwnReferences(shots, of_one, counted, asked, right_without / asked, shares)


def _deal(
    rows: NDArray[np.int64], emotions: NDArray[Any], shots: int, of_one: bool, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A person's rows: those that become references, and those that are asked about."""
    shown = np.unique(emotions[rows])
    if of_one:
        shown = shown[[rng.integers(len(shown))]]
    own = np.concatenate([rng.permutation(rows[emotions[rows] == emotion])[:shots] for emotion in shown])
    return own, np.setdiff1d(rows, own)
