"""What a finished run's folder tells, read without torch and checked: the facts a report rests on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from eval.metrics import Scores, scores_from_json
from galleries.errors import DataError
from siamese.history import HISTORY_FILE, read_history

_NEEDED: dict[str, dict[str, type]] = {
    "run.json": {"data": str, "training": dict},
    "card.json": {"tower": str, "input": dict, "embedding_dim": int, "emotions": list, "data": dict, "training": dict},
    "split.json": {"method": str, "seed": int, "train": list, "val": list, "test": list, "notes": list},
    "result.json": {"tower": str, "parameters": int, "epochs": int, "best_epoch": int},
}


@dataclass(frozen=True)
class RunFacts:
    """A run.

    Attributes:
        folder: Where it lies.
        request: ``run.json``, what was asked for.
        card: ``card.json``, what was trained.
        split: ``split.json``, who was trained and tested on.
        history: Rows of ``history.csv``; each has ``epoch``, ``loss`` and ``val_knn``.
        result: ``result.json``; None if the run has not ended.
        scores: Every classification of the test by its name in ``result.json``, such as ``"knn"``; empty if untested.
    """

    folder: Path
    request: dict[str, Any]
    card: dict[str, Any]
    split: dict[str, Any]
    history: list[dict[str, float]]
    result: Optional[dict[str, Any]]
    scores: dict[str, Scores]

    @property
    def test(self) -> dict[str, Any]:
        """What ``result.json`` says of the test; empty if there was none."""
        found = (self.result or {}).get("test")
        return found if isinstance(found, dict) else {}

    @property
    def n_neighbors(self) -> int:
        """k of the vote."""
        return int(self.test.get("n_neighbors", self.request["training"].get("n_neighbors", 5)))

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Pictures of each emotion in each part."""
        found: dict[str, dict[str, int]] = self.card["data"]["counts"]
        return found


def read_run(folder: Path) -> RunFacts:
    """Read a run.

    Args:
        folder: What ``emotions train`` wrote.

    Raises:
        DataError: It is no run, or one of its files is missing or damaged.
        TrainingError: Its history is.
    """
    if not (folder / "run.json").is_file():
        raise DataError(f"{folder} is not a run: it has no run.json. Give the folder that emotions train wrote.")
    result = _read(folder / "result.json") if (folder / "result.json").exists() else None
    history = [row for row in read_history(folder / HISTORY_FILE) if {"epoch", "loss", "val_knn"} <= set(row)]
    if not history:
        raise DataError(f"{folder / HISTORY_FILE} holds no epoch, so there is nothing to report; train some first.")
    card = _read(folder / "card.json")
    _check_counts(card, folder / "card.json")
    return RunFacts(
        folder,
        _read(folder / "run.json"),
        card,
        _read(folder / "split.json"),
        history,
        result,
        {} if result is None else _scores(result.get("test"), folder / "result.json"),
    )


def _read(path: Path) -> dict[str, Any]:
    """A JSON file of a run with all that is needed of it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; the run has not got so far, or was moved in part.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); copy it from a good run.") from error
    for key, kind in _NEEDED[path.name].items():
        value = content.get(key) if isinstance(content, dict) else None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise DataError(f"{path} is damaged: {key!r} is no {kind.__name__}; copy it from a good run.")
    found: dict[str, Any] = content
    return found


def _check_counts(card: dict[str, Any], path: Path) -> None:
    counts = card["data"].get("counts")
    parts = list(counts.values()) if isinstance(counts, dict) else [None]
    numbers = [n for part in parts for n in (part.values() if isinstance(part, dict) else [None])]
    if not parts or not all(isinstance(n, int) for n in numbers) or "name" not in card["data"]:
        raise DataError(f"{path} is damaged: it does not count its pictures; copy it from a good run.")


def _scores(test: Any, path: Path) -> dict[str, Scores]:
    """The classifications among the entries of a test."""
    if test is None:
        return {}
    try:
        entries = {key: value for key, value in test.items() if isinstance(value, dict) and "confusion" in value}
        found = {key: scores_from_json(value) for key, value in entries.items()}
        sizes = [(scores.confusion.shape, (len(scores.emotions),) * 2, scores.n) for scores in found.values()]
        if "knn" not in found or any(shape != wanted or n < 1 for shape, wanted, n in sizes):
            raise ValueError("a confusion matrix of another size")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is damaged: its test cannot be read ({error}); copy it from a good run.") from error
    return found
