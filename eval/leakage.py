"""Who and what crosses a split: people, films and exact copies that stand in training and in the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

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
    """

    subjects: Optional[tuple[str, ...]]
    sequences: Optional[tuple[str, ...]]
    copies: NDArray[np.int64]
    val_copies: int
    test_copies: int
    distinct: int
    duplicate_groups: int
    conflicting_groups: int

    @property
    def is_clean(self) -> bool:
        """Whether nothing crosses the split, as far as the data set tells."""
        return not (self.subjects or self.sequences or len(self.copies))

    def to_json(self) -> dict[str, Any]:
        """The counts as a plain dict, and the people and films by name."""
        return {
            "subjects": None if self.subjects is None else list(self.subjects),
            "sequences": None if self.sequences is None else list(self.sequences),
            "val_copies": self.val_copies,
            "test_copies": self.test_copies,
            "distinct": self.distinct,
            "duplicate_groups": self.duplicate_groups,
            "conflicting_groups": self.conflicting_groups,
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
        conflicts = f"{self.conflicting_groups} of them with conflicting labels"
        found.append(f"There are {self.duplicate_groups} groups of equal pictures, {conflicts}.")
        return found


def audit(dataset: FaceDataset, split: Split) -> LeakageReport:
    """Say what crosses a split, from training to validation or test.

    Args:
        dataset: The faces.
        split: A split of them.
    """
    digests = dataset.digests()
    trained = {digests[int(row)] for row in split.train}
    copies = {
        name: np.array([row for row in rows if digests[int(row)] in trained], np.int64)
        for name, rows in (("val", split.val), ("test", split.test))
    }
    labels: dict[str, list[int]] = {}
    for digest, label in zip(digests, dataset.labels.tolist()):
        labels.setdefault(digest, []).append(label)
    several = [group for group in labels.values() if len(group) > 1]
    return LeakageReport(
        subjects=_on_both_sides(dataset.subjects, split),
        sequences=_on_both_sides(dataset.sequences, split),
        copies=np.sort(np.concatenate([copies["val"], copies["test"]])),
        val_copies=len(copies["val"]),
        test_copies=len(copies["test"]),
        distinct=len(labels),
        duplicate_groups=len(several),
        conflicting_groups=sum(len(set(group)) > 1 for group in several),
    )


def leaking_rows(
    dataset: FaceDataset, reference_indices: NDArray[np.int64], query_indices: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which queries are exact copies of a reference, so that accuracy can be stated without them.

    Args:
        dataset: The faces.
        reference_indices: int64 (R,) rows that are trained on or stand in the gallery.
        query_indices: int64 (Q,) rows that are asked about.

    Returns:
        bool (Q,): True where the same pixels, in the same size, stand among the references.
    """
    digest = dataset.store.digest
    references = {digest(int(dataset.rows[row])) for row in reference_indices}
    return np.array([digest(int(dataset.rows[row])) in references for row in query_indices], np.bool_)


def _on_both_sides(column: Optional[tuple[str, ...]], split: Split) -> Optional[tuple[str, ...]]:
    if column is None:
        return None
    held_out = {column[int(row)] for rows in (split.val, split.test) for row in rows}
    return tuple(sorted(held_out & {column[int(row)] for row in split.train}))
