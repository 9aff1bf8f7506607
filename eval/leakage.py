"""Who and what crosses a split: people, films and copies that stand in training and in the test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from eval.crossing import Crossing, cross, of_dataset
from siamese.datasets.base import FaceDataset
from siamese.splits import Split


@dataclass(frozen=True)
class LeakageReport:
    """What a split lets through.

    Attributes:
        subjects: People on both sides, sorted; None if the data set does not say who is on its pictures.
        sequences: Films on both sides, sorted; None if unknown.
        copies: int64 rows of val or test that are exact copies of a training picture, rising.
        val_copies: How many of them are in val.
        test_copies: How many of them are in test.
        distinct: Distinct pictures in the whole data set.
        duplicate_groups: Groups of two or more equal pictures in the whole data set.
        conflicting_groups: Those whose pictures carry different labels.
        near: int64 rows of val or test that are near copies of a training picture, but no exact ones, rising; None if
            near copies were not looked for.
        val_near: How many of them are in val.
        test_near: How many of them are in test.
        conflicts: Pictures of val or test of which a training copy, exact or near, carries another label.
        leaking: int64 rows of val or test that are known from training in any way, rising.
        test_leaking: How many of them are in test.
        test_size: Pictures in test.
        blank: Pictures that were left out when the data set was read because they show nothing.
    """

    subjects: Optional[tuple[str, ...]]
    sequences: Optional[tuple[str, ...]]
    copies: NDArray[np.int64]
    val_copies: int
    test_copies: int
    distinct: int
    duplicate_groups: int
    conflicting_groups: int
    near: Optional[NDArray[np.int64]] = None
    val_near: int = 0
    test_near: int = 0
    conflicts: int = 0
    leaking: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    test_leaking: int = 0
    test_size: int = 0
    blank: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing crosses the split, as far as the data set tells."""
        return not (self.subjects or self.sequences or len(self.leaking))

    def to_json(self) -> dict[str, Any]:
        """The counts as a plain dict, and the people and films by name."""
        return {
            "leaking": not self.is_clean,
            "subjects": None if self.subjects is None else list(self.subjects),
            "sequences": None if self.sequences is None else list(self.sequences),
            "val_copies": self.val_copies,
            "test_copies": self.test_copies,
            "near_sought": self.near is not None,
            "val_near": self.val_near,
            "test_near": self.test_near,
            "conflicts": self.conflicts,
            "test_leaking": self.test_leaking,
            "test_size": self.test_size,
            "distinct": self.distinct,
            "duplicate_groups": self.duplicate_groups,
            "conflicting_groups": self.conflicting_groups,
            "blank": self.blank,
            "sentences": self.sentences(),
        }

    def sentences(self) -> list[str]:
        """The report in words, one finding a sentence."""
        found = []
        for noun, names in (("people", self.subjects), ("sequences", self.sequences)):
            if names is None:
                found.append(f"The data set does not say which {noun} its pictures show.")
            elif names:
                found.append(f"{len(names)} {noun} stand on both sides of the split, such as {names[0]}.")
            else:
                found.append(f"No {noun} cross the split.")
        found.append(f"{self.test_copies} test and {self.val_copies} val pictures are exact copies of training ones.")
        if self.near is not None:
            found.append(f"{self.test_near} test and {self.val_near} val pictures are near copies of training ones.")
        if self.conflicts:
            found.append(f"{self.conflicts} of these test and val pictures carry another label than a training copy.")
        conflicts = f"{self.conflicting_groups} of them with conflicting labels"
        found.append(f"There are {self.duplicate_groups} groups of equal pictures, {conflicts}.")
        if self.blank:
            found.append(f"{self.blank} blank pictures were left out when the data set was read.")
        return found


def audit(dataset: FaceDataset, split: Split, near: bool = False) -> LeakageReport:
    """Say what crosses a split, from training to validation or test.

    Args:
        dataset: The faces.
        split: A split of them.
        near: Whether near copies are looked for as well; see :mod:`siamese.near_copies`.
    """
    held_out = np.concatenate([split.val, split.test])
    digests = dataset.digests()
    trained, asked = (of_dataset(dataset, rows, digests, near) for rows in (split.train, held_out))
    found = cross(trained, asked)
    is_test = np.arange(len(held_out)) >= len(split.val)
    labels: dict[str, list[int]] = {}
    for digest, label in zip(digests, dataset.labels.tolist()):
        labels.setdefault(digest, []).append(label)
    several = [group for group in labels.values() if len(group) > 1]
    return LeakageReport(
        subjects=_named(dataset.subjects, held_out, found.people),
        sequences=_named(dataset.sequences, held_out, found.films),
        copies=np.sort(held_out[found.copies]),
        val_copies=int(found.copies[~is_test].sum()),
        test_copies=int(found.copies[is_test].sum()),
        distinct=len(labels),
        duplicate_groups=len(several),
        conflicting_groups=sum(len(set(group)) > 1 for group in several),
        near=np.sort(held_out[found.near]) if near else None,
        val_near=int(found.near[~is_test].sum()),
        test_near=int(found.near[is_test].sum()),
        conflicts=int(found.in_conflict.sum()),
        leaking=np.sort(held_out[found.rows]),
        test_leaking=int(found.rows[is_test].sum()),
        test_size=len(split.test),
        blank=sum("blank" in entry.reason for entry in dataset.skipped),
    )


def crossing_sentences(
    found: Crossing, people: Optional[tuple[str, ...]], films: Optional[tuple[str, ...]]
) -> list[str]:
    """What of a test stands in a gallery already, in words; what cannot be known is said too.

    Args:
        found: Of the test's pictures.
        people: People on both sides, sorted; None where unknown.
        films: Films on both sides, sorted; None where unknown.
    """
    size = len(found.copies)
    said = [f"{int(found.copies.sum())} of {size} pictures asked about stand in the gallery, or copies do."]
    if found.near_sought:
        said.append(f"{int(found.near.sum())} more are near copies of pictures in the gallery.")
    else:
        said.append("The gallery keeps no thumbnails, so copies under another name and near copies cannot be seen.")
    if found.in_conflict.any():
        said.append(f"{int(found.in_conflict.sum())} of them carry another emotion than a copy in the gallery.")
    if people is None:
        said.append("It is not known which people are on the pictures, so none can be shown to be new.")
    elif people:
        said.append(f"{len(people)} people stand in the gallery and in the test, such as {people[0]}.")
    else:
        said.append("Nobody who is asked about stands in the gallery.")
    if films:
        said.append(f"{len(films)} sequences stand in the gallery and in the test, such as {films[0]}.")
    return said


def learned_sentences(found: Crossing) -> list[str]:
    """What of a test its tower has learned from, in words.

    Args:
        found: Of the test's pictures, looked up among those that the tower was trained on.
    """
    exact, near = int(found.copies.sum()), int(found.near.sum())
    said = [
        f"The tower has learned from {exact} of the {len(found.copies)} pictures, or from exact copies of them, and "
        f"from near copies of {near} more."
    ]
    if found.people is not None and found.people.any():
        said.append(f"It has learned from other pictures of the people on {int(found.people.sum())} of them.")
    return said


def _named(
    column: Optional[tuple[str, ...]], rows: NDArray[np.int64], crosses: Optional[NDArray[np.bool_]]
) -> Optional[tuple[str, ...]]:
    if column is None:
        return None
    return () if crosses is None else tuple(sorted({column[int(row)] for row in rows[crosses]}))
