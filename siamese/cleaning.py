"""A training part without what misleads: copies of one picture, conflicting labels, copies of what is tested on."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from galleries.atomic import write_text
from galleries.errors import DataError
from siamese.datasets.base import FaceDataset
from siamese.grouping import Groups
from siamese.near_copies import VIEW, near_copies
from siamese.split_file import Split, digest_ids

CLEANED_FILE = "cleaned.tsv"

COPY, CONFLICT, HELD_OUT = "copy", "conflict", "held-out"
REASONS = {
    COPY: "copies of other training pictures",
    CONFLICT: "pictures whose copies carry another label",
    HELD_OUT: "copies of validation and test pictures",
}


@dataclass(frozen=True)
class Dropped:
    """A picture that is not trained on.

    Attributes:
        picture: Its id.
        reason: A key of :data:`REASONS`.
        because_of: The id of the copy.
    """

    picture: str
    reason: str
    because_of: str


def clean_training(dataset: FaceDataset, split: Split, held_out: bool = False) -> tuple[Split, tuple[Dropped, ...]]:
    """Leave pictures out of the training part.

    Copies, exact or near (see :mod:`siamese.near_copies`), are found as the audit of a split finds them. Of training
    pictures that are copies of each other the first is kept. Where their labels conflict all are left out; with
    annotators' votes (``dataset.soft_labels``) the first of those is kept whose label has most votes over all copies.
    Labels of validation and test pictures are not looked at.

    Args:
        dataset: The faces.
        split: Only its training part changes.
        held_out: Whether training pictures that are copies of validation or test pictures are left out, too.

    Returns:
        The split, its notes saying what was done, and what was left out, in the order of the training part.
    """
    others = np.concatenate([split.val, split.test]) if held_out else split.val[:0]
    groups = _copies(dataset, np.concatenate([split.train, others]))
    trained, tested = groups[: len(split.train)], groups[len(split.train) :]
    first_held_out: dict[int, int] = {}
    for group, row in zip(tested.tolist(), others.tolist()):
        first_held_out.setdefault(group, row)
    members: dict[int, list[int]] = {}
    for group, row in zip(trained.tolist(), split.train.tolist()):
        members.setdefault(group, []).append(row)
    found: dict[int, tuple[str, int]] = {}
    for group, rows in members.items():
        if group in first_held_out:
            found.update(dict.fromkeys(rows, (HELD_OUT, first_held_out[group])))
        elif len(rows) > 1:
            found.update(_judge(dataset, rows))
    kept = np.array([row for row in split.train.tolist() if row not in found], np.int64)
    dropped = tuple(
        Dropped(dataset.ids[row], found[row][0], dataset.ids[found[row][1]])
        for row in split.train.tolist()
        if row in found
    )
    ids = [[dataset.ids[int(row)] for row in part] for part in (kept, split.val, split.test)]
    notes = (*split.notes, _sentence(count_dropped(dropped), len(split.train)))
    return replace(split, train=kept, digest=digest_ids(ids), notes=notes), dropped


def _copies(dataset: FaceDataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which of some pictures are copies of each other: a number for each, int64 (N,)."""
    groups = Groups(len(rows))
    groups.join_equal([dataset.store.digest(int(dataset.rows[row])) for row in rows])
    pictures = dataset.batch(rows, VIEW)[:, 0]
    for a, b in near_copies(pictures, pictures).tolist():
        groups.join(a, b)
    return groups.numbers()


def _judge(dataset: FaceDataset, rows: Sequence[int]) -> dict[int, tuple[str, int]]:
    """Which of several copies go: row to the reason and the row it goes for."""
    labels = [int(dataset.labels[row]) for row in rows]
    if len(set(labels)) == 1:
        return dict.fromkeys(rows[1:], (COPY, rows[0]))
    kept: Optional[int] = None
    if dataset.soft_labels is not None:
        votes = dataset.soft_labels[list(rows)].sum(axis=0)
        best = max(sorted(set(labels)), key=lambda label: float(votes[label]))
        kept = rows[labels.index(best)]
    gone = {}
    for row, label in zip(rows, labels):
        if row != kept:
            rival = next(other for other, its in zip(rows, labels) if its != label)
            gone[row] = (CONFLICT, rival if kept is None else kept)
    return gone


def count_dropped(dropped: Sequence[Dropped]) -> dict[str, int]:
    """How many pictures went for each of :data:`REASONS`."""
    return {reason: sum(entry.reason == reason for entry in dropped) for reason in REASONS}


def _sentence(counts: dict[str, int], size: int) -> str:
    parts = ", ".join(f"{count} {REASONS[reason]}" for reason, count in counts.items() if count)
    return f"Of {size} training pictures {sum(counts.values())} are left out: {parts or 'there are no copies'}."


def write_dropped(dropped: Sequence[Dropped], path: Path) -> None:
    """Write what was left out, a tab-separated line each, atomically.

    Raises:
        EmotionsError: The file cannot be written.
    """
    table = io.StringIO()
    writer = csv.writer(table, delimiter="\t", lineterminator="\n")
    writer.writerow(["picture", "reason", "because_of"])
    writer.writerows((entry.picture, entry.reason, entry.because_of) for entry in dropped)
    write_text(path, table.getvalue().encode("utf-8", "backslashreplace").decode())


def read_dropped(path: Path) -> tuple[Dropped, ...]:
    """Read back what :func:`write_dropped` wrote.

    Raises:
        DataError: It is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a list of pictures ({error}); train the run anew.") from error
    good = rows[:1] == [["picture", "reason", "because_of"]]
    if not good or any(len(row) != 3 or row[1] not in REASONS for row in rows[1:]):
        raise DataError(f"{path} is damaged: picture, reason and because_of were expected in each line; train anew.")
    return tuple(Dropped(*row) for row in rows[1:])
