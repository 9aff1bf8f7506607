"""A split: which rows are trained, validated and tested on, and the JSON file that keeps it with a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galleries.atomic import write_text
from galleries.errors import SplitError
from galleries.tower_card import Taught
from siamese.datasets.base import SPLIT_NAMES, FaceDataset

VERSION = 1


@dataclass(frozen=True)
class Split:
    """Rows of a data set for training, validation and test.

    Attributes:
        train: int64 row numbers, rising.
        val: As ``train``; may be empty.
        test: As ``train``; may be empty.
        method: How it was made: one of :data:`siamese.splits.METHODS` without ``auto``.
        seed: The seed it was drawn with.
        ratios: Wished shares of train, val and test; they sum to 1.
        digest: Hex digest of the ids in each part: equal exactly for equal splits.
        notes: Sentences about what had to be decided, for the person.
    """

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]
    method: str
    seed: int
    ratios: tuple[float, float, float]
    digest: str
    notes: tuple[str, ...] = ()

    def parts(self) -> dict[str, NDArray[np.int64]]:
        """The rows of ``train``, ``val`` and ``test`` by name."""
        return {"train": self.train, "val": self.val, "test": self.test}

    def to_json(self, dataset: FaceDataset) -> dict[str, Any]:
        """The split as a plain dict: how it was made, and the ids of every part."""
        return {
            "version": VERSION,
            "dataset": dataset.name,
            "method": self.method,
            "seed": self.seed,
            "ratios": list(self.ratios),
            "digest": self.digest,
            "notes": list(self.notes),
            **{name: [dataset.ids[int(row)] for row in rows] for name, rows in self.parts().items()},
        }

    def save(self, path: str | Path, dataset: FaceDataset) -> None:
        """Write the split to a JSON file, atomically.

        Raises:
            EmotionsError: The file cannot be written; what was there before is unharmed.
        """
        write_text(path, json.dumps(self.to_json(dataset), indent=1, ensure_ascii=True) + "\n")


def narrow(
    dataset: FaceDataset, split: Split, emotions: Sequence[str], train: NDArray[np.int64] | None = None
) -> tuple[FaceDataset, Split]:
    """A data set and its split with only some emotions.

    Args:
        dataset: The faces.
        split: Of ``dataset``.
        emotions: Canonical names, in the order of the new labels.
        train: Rows of ``split.train`` to keep; None for all that show one of the emotions.

    Returns:
        The view, and the split with the view's rows.
    """
    wanted = np.isin(dataset.labels, [dataset.emotions.index(emotion) for emotion in emotions])
    place = np.cumsum(wanted) - 1  # row of the data set -> row of the view
    kept = [split.train if train is None else train, split.val, split.test]
    parts = [np.sort(rows[wanted[rows]]) for rows in kept]
    digest = digest_ids([[dataset.ids[int(row)] for row in rows] for rows in parts])
    rows = dict(zip(SPLIT_NAMES, (place[part] for part in parts)))
    return dataset.select(emotions), replace(split, digest=digest, **rows)


def load_split(path: str | Path, dataset: FaceDataset) -> Split:
    """Read a saved split back for a data set.

    Args:
        path: The JSON file that :meth:`Split.save` wrote.
        dataset: The faces; it may hold more pictures than the split names, not fewer.

    Raises:
        SplitError: The file is missing, damaged, changed, or names pictures the data set lacks.
    """
    body = _read_json(Path(path))
    row_of = {face_id: row for row, face_id in enumerate(dataset.ids)}
    ids = [body[name] for name in SPLIT_NAMES]
    named = [face_id for part in ids for face_id in part]
    missing = [face_id for face_id in named if face_id not in row_of]
    if missing:
        raise SplitError(
            f"{path} names {len(missing)} of {len(named)} pictures that are not in {dataset.name} ({dataset.root}), "
            f"such as {missing[0]!r}; it was made for other data or other emotions, so give those, or make a new split."
        )
    if len(set(named)) != len(named) or digest_ids(ids) != body["digest"]:
        raise SplitError(f"{path} was changed or damaged after it was saved (its digest differs); make a new split.")
    train, val, test = (np.array(sorted(row_of[face_id] for face_id in part), np.int64) for part in ids)
    notes = list(body["notes"])
    if len(named) < len(dataset):
        notes.append(f"{len(dataset) - len(named)} pictures of {dataset.name} are in no part of the saved split.")
    ratios = (float(body["ratios"][0]), float(body["ratios"][1]), float(body["ratios"][2]))
    return Split(train, val, test, body["method"], body["seed"], ratios, body["digest"], tuple(notes))


def same_pictures(name: str, other: str) -> bool:
    """Whether data sets of these names have the same pictures: FER+'s labels leave those of FER-2013 the same."""
    return name.split("+")[0] == other.split("+")[0]


def trained_ids(path: str | Path, name: str) -> set[str]:
    """The pictures that a run was trained or validated on, as far as they are of one data set.

    Args:
        path: The run's split.json; a missing one names no picture.
        name: The data set's.

    Raises:
        SplitError: The file is damaged.
    """
    path = Path(path)
    if not path.is_file():
        return set()
    body = _read_json(path)
    if not same_pictures(str(body["dataset"]), name):
        return set()
    return {*body["train"], *body["val"]}


def taught_by(dataset: FaceDataset, split: Split) -> Taught:
    """What a tower that is trained on a split says of it."""
    return Taught(dataset.name, split.method, split.digest)


def learned_rows(
    dataset: FaceDataset, split: Split, taught: Taught, parts: Sequence[str] = ("train",)
) -> NDArray[np.int64] | None:
    """Which of a data set's pictures a tower was trained on.

    Args:
        dataset: Told from others by its name.
        split: One of it.
        taught: What the tower says.
        parts: Those of its parts that are meant.

    Returns:
        int64 rows, rising: none where it was trained on other data; with those that were left out as copies, where it
        was another split but an official one. None where it cannot be told.
    """
    if not same_pictures(taught.data, dataset.name):
        return np.zeros(0, np.int64)
    if taught.digest == split.digest:
        return np.sort(np.concatenate([split.parts()[part] for part in parts]))
    if taught.split == "official" and dataset.official is not None:
        return np.flatnonzero(np.isin(dataset.official, parts))
    return None


def digest_ids(ids: Sequence[Sequence[str]]) -> str:
    """Hex digest over the sorted ids of each part: what tells whether two splits are equal."""
    text = json.dumps([sorted(part) for part in ids])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    """A saved split's fields, each of the right type."""
    try:
        body = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SplitError(f"{path} does not exist; give the split.json of a run.") from error
    except (OSError, ValueError) as error:
        raise SplitError(f"{path} cannot be read as a saved split ({error}); make a new split.") from error
    if not isinstance(body, dict) or body.get("version") != VERSION:
        raise SplitError(f"{path} is no split of version {VERSION}, the one this toolkit reads; make a new split.")
    lists = [body.get(name) for name in (*SPLIT_NAMES, "notes")]
    texts = all(isinstance(part, list) and all(isinstance(entry, str) for entry in part) for part in lists)
    ratios = body.get("ratios")
    numbers = isinstance(ratios, list) and len(ratios) == 3 and all(isinstance(r, (int, float)) for r in ratios)
    plain = all(isinstance(body.get(name), kind) for name, kind in (("method", str), ("seed", int), ("digest", str)))
    if not (texts and numbers and plain):
        raise SplitError(f"{path} lacks a field of a saved split, or holds a wrong one; make a new split.")
    return body
