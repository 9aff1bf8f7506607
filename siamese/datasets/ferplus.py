"""FER+: ten annotators' votes laid over FER-2013.

Barsoum, Zhang, Canton Ferrer and Zhang, "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
Label Distribution", 2016. The file ``fer2013new.csv`` has a row for each row of FER-2013's CSV, in the same order.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError, require
from galleries.vocabulary import CANONICAL, canonical, fold
from siamese.datasets.base import FaceDataset, Skipped
from siamese.datasets.fer2013 import USAGES

_REJECTED = ("unknown", "nf")


def lay_votes(dataset: FaceDataset, path: Path, soft: bool = False) -> FaceDataset:
    """Replace FER-2013's labels by the annotators' majority.

    A row without a single most-voted emotion (tied, "unknown", "not a face") is left out and counted. Emotions that
    are never the majority are dropped, and their votes with them.

    Args:
        dataset: FER-2013 as read from its CSV file, whole.
        path: ``fer2013new.csv``.
        soft: Also give the votes over the emotions as ``soft_labels``, rows summing to 1.

    Returns:
        The data set with up to eight emotions.

    Raises:
        DataError: ``dataset`` is not the CSV, or the file is missing, malformed, or made for other rows.
    """
    votes = _votes_of(dataset, path)
    winner, reasons = _majority(votes)
    kept = np.flatnonzero(winner >= 0)
    if not len(kept):
        raise DataError(f"{path} gives no picture a majority emotion; the published fer2013new.csv was expected.")
    columns, labels = np.unique(winner[kept], return_inverse=True)  # (emotions that occur,), (kept,)
    shares = votes[kept][:, columns].astype(np.float64)
    return replace(
        dataset.subset(kept),
        name=f"{dataset.name}+ferplus",
        emotions=tuple(CANONICAL[int(column)] for column in columns),
        labels=labels.astype(np.int64),
        soft_labels=(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32) if soft else None,
        skipped=(*dataset.skipped, *(Skipped(dataset.ids[row], reason) for row, reason in reasons.items())),
        notes=(*dataset.notes, f"Labels are the majority of FER+ votes; {len(reasons)} pictures have none."),
    )


def votes_beside(dataset: FaceDataset, path: Path, share: float) -> FaceDataset:
    """Keep FER-2013's labels, and blend into them what the annotators' votes say of them.

    How likely each label is, given ten votes, is learned by a logistic regression from the training part alone. So a
    label that nobody else would have given counts less, and its alternatives count too: the votes are privileged
    information, there in training and never needed after (Lopez-Paz, Bottou, Schölkopf and Vapnik, "Unifying
    distillation and privileged information", 2016).

    Args:
        dataset: FER-2013 as read from its CSV file, whole.
        path: ``fer2013new.csv``.
        share: The votes' share of ``soft_labels``, 0-1; the rest is the label.

    Returns:
        The data set with its own labels, ``soft_labels`` for cross-entropy, and the ``votes`` themselves.

    Raises:
        DataError: As for :func:`lay_votes`, or the file does not say which rows are for training.
    """
    votes = _votes_of(dataset, path)
    train = np.flatnonzero(np.asarray(dataset.official or ()) == "train")
    if not len(train) or len(np.unique(dataset.labels[train])) != len(dataset.emotions):
        raise DataError(
            f"What votes say of a label is learned from the rows for training, and {dataset.root} has none for every "
            "emotion; give FER-2013's CSV with its Usage column, or leave out --votes."
        )
    facts = np.concatenate([votes / 10.0, np.log((votes + 0.5) / 10.0)], axis=1)  # (N, 10) -> (N, 20)
    model = require("sklearn.linear_model", "eval").LogisticRegression(max_iter=2000)
    model.fit(facts[train], dataset.labels[train])
    likely = model.predict_proba(facts)  # (N, emotions)
    own = np.eye(len(dataset.emotions))[dataset.labels]
    return replace(
        dataset,
        soft_labels=((1 - share) * own + share * likely).astype(np.float32),
        votes=_shares(votes[:, : len(CANONICAL)]),
        notes=(
            *dataset.notes,
            f"FER+ votes are {share:.0%} of what a face teaches and votes for; the labels stay FER-2013's.",
        ),
    )


def _shares(votes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Votes (N, n) as shares of each row's; zeros where there are none."""
    shares: NDArray[np.float32] = (votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)).astype(np.float32)
    return shares


def _votes_of(dataset: FaceDataset, path: Path) -> NDArray[np.int64]:
    """The votes on a data set's pictures, int64 (N, 10), once it is seen that they belong to it."""
    if dataset.format != "fer2013-csv":
        raise DataError(
            f"FER+ votes belong to the rows of FER-2013's CSV file, but {dataset.root} was read as {dataset.format}; "
            "give fer2013.csv, or no votes."
        )
    usages, votes = _read_votes(path)
    _check_rows(dataset, path, usages)
    return votes[[int(face_id[len("row:") :]) for face_id in dataset.ids]]


def _majority(votes: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Each row's most-voted emotion, -1 where there is none, and why there is none."""
    top = votes.max(axis=1)
    winner = votes.argmax(axis=1).astype(np.int64)
    reasons: dict[int, str] = {}
    for row in np.flatnonzero((votes == top[:, None]).sum(axis=1) > 1):
        reasons[int(row)] = "FER+: the votes are tied"
    for row in np.flatnonzero((winner >= len(CANONICAL)) | (top == 0)):
        reasons.setdefault(int(row), "FER+: most annotators saw no known emotion, or no face")
    winner[list(reasons)] = -1
    return winner, dict(sorted(reasons.items()))


def _read_votes(path: Path) -> tuple[list[str], NDArray[np.int64]]:
    """Usage of each row, and votes (rows, 10): the canonical emotions in order, then unknown and not-a-face."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as FER+ votes ({error}); give fer2013new.csv.") from error
    header = [canonical(name) if fold(name) else "" for name in rows[0]] if rows else []
    missing = [name for name in (*CANONICAL, *_REJECTED, "usage") if name not in header]
    if missing:
        raise DataError(f"{path} has no column {', '.join(missing)}; the published fer2013new.csv was expected.")
    columns = [header.index(name) for name in (*CANONICAL, *_REJECTED)]
    try:
        votes = np.array([[int(row[column]) for column in columns] for row in rows[1:]], np.int64)
        usages = [row[header.index("usage")] for row in rows[1:]]
    except (ValueError, IndexError) as error:
        raise DataError(f"{path} has a row that is not whole numbers of votes ({error}); get it again.") from error
    if votes.size and int(votes.min()) < 0:
        raise DataError(f"{path} has negative votes; the published fer2013new.csv was expected.")
    return usages, votes.reshape(-1, len(columns))


def _check_rows(dataset: FaceDataset, path: Path, usages: list[str]) -> None:
    """Refuse votes made for other rows: the number of rows and each row's part of the split must agree."""
    rows = len(dataset) + len(dataset.skipped)
    if len(usages) != rows:
        raise DataError(
            f"{path} has {len(usages)} rows of votes but {dataset.root} has {rows} rows; both must be the complete "
            "published files, in their published order."
        )
    for face_id, part in zip(dataset.ids, dataset.official or ()):
        usage = usages[int(face_id[len("row:") :])]
        if USAGES.get(usage.strip().lower(), part) != part:
            raise DataError(
                f"{path} says {usage!r} for {face_id} of {dataset.root}, which is in {part!r} there; the rows are in "
                "another order, so the votes would go to the wrong faces. Use both files as published."
            )
