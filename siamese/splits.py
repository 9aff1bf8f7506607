"""Splits: who is trained on, who is validated on, who is tested on, so that the test says something about new faces.

A picture of the same person, a frame of the same film, or an exact copy on both sides makes a test easier than life.
Grouped methods keep such pictures together; copies stay together under every method but ``official`` and ``random``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from galleries.errors import SplitError, unknown_name
from siamese.allotting import allot
from siamese.datasets.base import SPLIT_NAMES, FaceDataset
from siamese.grouping import group_rows
from siamese.split_file import Split, digest_ids, load_split

__all__ = [
    "METHODS",
    "Split",
    "check_trainable",
    "choose_method",
    "find_split",
    "k_folds",
    "load_split",
    "make_split",
    "parse_ratios",
]

METHODS = ("auto", "official", "random", "subject", "sequence", "duplicate")
"""``auto`` is official if the data set has a split, else subject if three or more people are known, else duplicate."""

VALIDATION_SHARE = 0.15
"""Of the pictures outside a fold, those that validation chooses the epoch by, unless told otherwise."""


def make_split(
    dataset: FaceDataset,
    method: str = "auto",
    ratios: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    near: int | None = None,
) -> Split:
    """Split a data set.

    Args:
        dataset: The faces.
        method: One of :data:`METHODS`.
        ratios: Wished shares of train, val and test; parts with 0 stay empty. The official split has its own.
        seed: Which of the possible splits to draw.
        near: Grouped methods only: near copies within this many of 64 hash bits stay together as well.

    Returns:
        The split. Classes are spread over the parts as evenly as the groups allow.

    Raises:
        SplitError: The data set lacks what the method needs, or a class has too few pictures or groups.
        ConfigError: The method is unknown.
    """
    if method not in METHODS:
        raise unknown_name("split method", method, METHODS)
    ratios = _checked(ratios)
    if method == "auto":
        method = choose_method(dataset)
    if method == "official":
        return _official(dataset, ratios, seed, near)
    groups = _groups(dataset, method, near)
    _check_classes(dataset, groups, method)
    parts = allot(dataset.labels, groups, ratios, seed)
    return _split(dataset, [np.flatnonzero(parts == part) for part in range(3)], method, seed, ratios)


def choose_method(dataset: FaceDataset) -> str:
    """What ``auto`` means for this data set: ``"official"``, ``"subject"`` or ``"duplicate"``."""
    if dataset.official is not None and "train" in dataset.official and len(set(dataset.official)) > 1:
        return "official"
    return "subject" if dataset.subjects is not None and len(set(dataset.subjects)) >= 3 else "duplicate"


def k_folds(
    dataset: FaceDataset,
    k: int,
    method: str = "auto",
    seed: int = 0,
    val: float = VALIDATION_SHARE,
    near: int | None = None,
) -> list[Split]:
    """Split a data set k times so that every picture is tested on exactly once.

    Args:
        dataset: The faces.
        k: Number of folds, at least 2.
        method: ``"auto"`` (subject if three or more people are known, else duplicate) or a method but ``"official"``.
        seed: Which of the possible folds to draw.
        val: Share of the pictures outside a fold to validate on, 0 to below 1; their groups are kept together too.
        near: As in :func:`make_split`.

    Returns:
        k splits: fold i is the test part of split i.

    Raises:
        SplitError: There are too few groups for k folds, or as :func:`make_split`.
        ConfigError: The method is unknown.
    """
    if method not in METHODS:
        raise unknown_name("split method", method, METHODS)
    if method == "official" or k < 2 or not 0 <= val < 1:
        raise SplitError(
            f"{k} folds by the method {method} with a val share of {val} cannot be made; give 2 or more folds, another "
            "method than official, and a share from 0 to below 1."
        )
    if method == "auto":
        method = choose_method(replace(dataset, official=None))
    groups = _groups(dataset, method, near)
    _check_classes(dataset, groups, method)
    folds = allot(dataset.labels, groups, (1 / k,) * k, seed)
    rest_share = 1 - 1 / k
    wished = (rest_share * (1 - val), rest_share * val, 1 / k)
    splits = []
    for fold in range(k):
        rest = np.flatnonzero(folds != fold)
        inner = allot(dataset.labels[rest], groups[rest], (1 - val, val), seed + 1 + fold)
        rows = [rest[inner == 0], rest[inner == 1], np.flatnonzero(folds == fold)]
        splits.append(_split(dataset, rows, method, seed, wished))
    return splits


def parse_ratios(text: str) -> tuple[float, float, float]:
    """Read ``"70/15/15"``, ``"80/10/10"``, ``"0.8,0.1,0.1"`` or ``"80/20"`` (no validation) as shares that sum to 1.

    Raises:
        SplitError: It is not two or three numbers of at least 0, the first above 0.
    """
    try:
        numbers = [float(part) for part in text.replace(",", "/").replace(":", "/").split("/")]
    except ValueError:
        numbers = []
    if len(numbers) == 2:
        numbers.insert(1, 0.0)
    total = sum(numbers)
    whole = abs(total - 1) < 1e-3 or abs(total - 100) < 0.1
    if len(numbers) != 3 or min(numbers) < 0 or numbers[0] == 0 or not whole:
        raise SplitError(f"The ratios {text!r} cannot be read; give train/val/test such as 70/15/15 or 0.8,0.1,0.1.")
    return (numbers[0] / total, numbers[1] / total, numbers[2] / total)


def find_split(dataset: FaceDataset, wanted: str, ratios: str = "70/15/15", seed: int = 0) -> Split:
    """The split a person asked for: a saved one by the path of its ``.json`` file, or one made by a method.

    Args:
        dataset: The faces.
        wanted: A path that ends in ``.json``, or one of :data:`METHODS`.
        ratios: As :func:`parse_ratios` reads them.
        seed: As in :func:`make_split`.

    Raises:
        SplitError: As :func:`make_split`, :func:`parse_ratios` and :func:`siamese.split_file.load_split`.
        ConfigError: The method is unknown.
    """
    if wanted.endswith(".json"):
        return load_split(wanted, dataset)
    return make_split(dataset, wanted, parse_ratios(ratios), seed)


def check_trainable(dataset: FaceDataset, split: Split) -> None:
    """Refuse a split that cannot be trained on.

    Raises:
        SplitError: There is only one emotion, or an emotion has fewer than two training pictures.
    """
    counts = dataset.counts(split.train)
    if len(counts) < 2:
        only = ", ".join(counts) or "nothing"
        raise SplitError(f"{dataset.name} ({dataset.root}) holds only {only}; training needs at least two emotions.")
    few = {emotion: count for emotion, count in counts.items() if count < 2}
    if few:
        listed = ", ".join(f"{emotion} ({count})" for emotion, count in few.items())
        raise SplitError(
            f"Too few training pictures of {listed} in {dataset.name}; each emotion needs at least 2, so add pictures "
            "or leave the emotion out with --emotions."
        )


def _checked(ratios: Sequence[float]) -> tuple[float, float, float]:
    sound = len(ratios) == 3 and all(np.isfinite(ratio) and ratio >= 0 for ratio in ratios)
    if not sound or abs(sum(ratios) - 1) > 1e-3 or ratios[0] == 0:
        raise SplitError(f"Ratios {ratios!r} were given; train, val and test must sum to 1, and train be above 0.")
    return (float(ratios[0]), float(ratios[1]), float(ratios[2]))


def _groups(dataset: FaceDataset, method: str, near: int | None) -> NDArray[np.int64]:
    if method == "random":
        return np.arange(len(dataset), dtype=np.int64)
    return group_rows(dataset, method, near)


def _check_classes(dataset: FaceDataset, groups: NDArray[np.int64], method: str) -> None:
    """Refuse an emotion that cannot stand in two parts."""
    for label, (emotion, count) in enumerate(dataset.counts().items()):
        own = len(np.unique(groups[dataset.labels == label]))
        if count and own < 2:
            what = "only 1 picture" if count == 1 else f"{count} pictures that all belong together (method {method})"
            raise SplitError(
                f"{emotion} has {what} in {dataset.name}, so it cannot be both trained and tested on; add pictures, "
                "leave it out with --emotions, or choose another --split."
            )


def _official(dataset: FaceDataset, ratios: Sequence[float], seed: int, near: int | None) -> Split:
    """The data set's own split; what it lacks of val is taken from train, whole groups at a time."""
    if dataset.official is None or "train" not in dataset.official or len(set(dataset.official)) < 2:
        raise SplitError(
            f"{dataset.name} ({dataset.root}) has no official split; choose auto, random, subject, sequence or "
            "duplicate."
        )
    column = np.array(dataset.official)
    train, val, test = (np.flatnonzero(column == name) for name in SPLIT_NAMES)
    notes = []
    if not len(test):
        test, val = val, test
        notes.append("The data set has no test part: its validation part is tested on.")
    if not len(val) and ratios[1] > 0:
        by = "duplicate" if dataset.subjects is None else "subject"
        groups = group_rows(dataset.subset(train), by, near)
        inner = allot(dataset.labels[train], groups, (ratios[0], ratios[1]), seed)
        train, val = train[inner == 0], train[inner == 1]
        notes.append(f"{len(val)} pictures for validation were taken from the training part, grouped by {by}.")
    shares = (len(train) / len(dataset), len(val) / len(dataset), len(test) / len(dataset))
    return _split(dataset, [train, val, test], "official", seed, shares, notes)


def _split(
    dataset: FaceDataset,
    rows: Sequence[NDArray[np.int64]],
    method: str,
    seed: int,
    ratios: tuple[float, float, float],
    notes: Sequence[str] = (),
) -> Split:
    """Check the parts, note the emotions missing from one, and make the split."""
    counts = [dataset.counts(part) for part in rows]
    occurring = {name: count for name, count in dataset.counts().items() if count}
    untrained = [f"{name} ({count})" for name, count in occurring.items() if not counts[0][name]]
    if untrained:
        raise SplitError(
            f"No training picture of {', '.join(untrained)} is left by the {method} split of {dataset.name}; choose "
            "another --split, other ratios or another seed, or leave the emotion out with --emotions."
        )
    thin = [
        f"The {part} part has no picture of {', '.join(absent)}."
        for part, own in zip(SPLIT_NAMES[1:], counts[1:])
        if sum(own.values()) and (absent := [name for name in occurring if not own[name]])
    ]
    digest = digest_ids([[dataset.ids[int(row)] for row in part] for part in rows])
    train, val, test = rows
    return Split(train, val, test, method, seed, ratios, digest, (*notes, *thin))
