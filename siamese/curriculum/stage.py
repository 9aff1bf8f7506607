"""One stage: some emotions, trained in a run folder of its own and scored on validation; done once, read afterwards."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from galleries.atomic import write_text
from galleries.errors import SplitError, TrainingError
from siamese.checkpoint import CARD_FILE, load_checkpoint
from siamese.config import TrainingConfig
from siamese.datasets.base import FaceDataset
from siamese.observer import Observer
from siamese.one_vs_rest import (
    balanced_accuracy,
    majority_share,
    multi_class_accuracy,
    one_vs_rest_floor,
    one_vs_rest_mean,
)
from siamese.run import SPLIT_FILE, RunRequest, data_card
from siamese.split_file import Split, narrow
from siamese.state import STATE_FILE
from siamese.training import CollapsedEmbedding, fit
from siamese.validation import Validator

STAGE_FILE = "stage.json"

_MEASURES = {"multi-class": multi_class_accuracy, "balanced": balanced_accuracy, "one-vs-rest": one_vs_rest_mean}


@dataclass(frozen=True)
class StageResult:
    """What came of a stage.

    Attributes:
        name: Its folder below the curriculum's.
        emotions: What was trained on.
        confusion: int64 (C, C) on validation, rows are true emotions, all 0 without validation pictures; None if the
            embedding collapsed twice.
        epochs: Epochs trained.
        best_epoch: The one kept.
        seconds: Time it took.
        training_pictures: Pictures trained on.
        restarted: Whether it collapsed once and was begun again with an easier band.
        started_from: The stage or run whose weights it began with, or None.
        precision: What it trained in.
    """

    name: str
    emotions: tuple[str, ...]
    confusion: Optional[NDArray[np.int64]]
    epochs: int
    best_epoch: int
    seconds: float
    training_pictures: int
    restarted: bool
    started_from: Optional[str]
    precision: str = ""

    def value(self, criterion: str) -> Optional[float]:
        """One of :data:`siamese.curriculum.config.CRITERIA` on validation, 0-1; None after a collapse or without it."""
        validated = self._validated
        return None if validated is None else _MEASURES[criterion](validated)

    @property
    def _validated(self) -> Optional[NDArray[np.int64]]:
        """The confusion, None where it says nothing."""
        return None if self.confusion is None or not self.confusion.any() else self.confusion

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict, with every criterion and the floors."""
        return {
            **asdict(self),
            "emotions": list(self.emotions),
            "confusion": None if self.confusion is None else self.confusion.tolist(),
            "validation_pictures": None if self.confusion is None else int(self.confusion.sum()),
            "accuracy": self.value("multi-class"),
            "chance": 1 / len(self.emotions),
            "majority": None if self._validated is None else majority_share(self._validated),
            "balanced_accuracy": self.value("balanced"),
            "one_vs_rest_mean": self.value("one-vs-rest"),
            "one_vs_rest_floor": one_vs_rest_floor(len(self.emotions)),
        }

    @classmethod
    def from_json(cls, values: Any) -> StageResult:
        """Read :meth:`to_json` back.

        Raises:
            ValueError: It is no stage's result.
        """
        try:
            size, counts = len(values["emotions"]), values["confusion"]
            confusion = None if counts is None else np.array(counts)
            if confusion is not None and (confusion.shape != (size, size) or confusion.dtype.kind != "i"):
                raise ValueError("its confusion matrix has another shape than its emotions")
            return cls(
                str(values["name"]),
                tuple(str(emotion) for emotion in values["emotions"]),
                None if confusion is None else confusion.astype(np.int64),
                int(values["epochs"]),
                int(values["best_epoch"]),
                float(values["seconds"]),
                int(values["training_pictures"]),
                bool(values["restarted"]),
                None if values["started_from"] is None else str(values["started_from"]),
                str(values["precision"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{error} is missing or wrong") from error


def stage_data(
    dataset: FaceDataset, split: Split, emotions: Sequence[str], per_class: Optional[int], seed: int
) -> tuple[FaceDataset, Split]:
    """A data set and split with only some emotions, and of each at most so many training pictures.

    The pictures kept are the same for every set of emotions.

    Raises:
        SplitError: An emotion has fewer than two training pictures, or no validation picture where others have some.
    """
    kept = []
    for emotion in emotions:
        rows = split.train[dataset.labels[split.train] == dataset.emotions.index(emotion)]
        rng = np.random.default_rng([seed, *emotion.encode()])
        kept.append(rows if per_class is None else rng.permutation(rows)[:per_class])
        validated = int((dataset.labels[split.val] == dataset.emotions.index(emotion)).sum())
        if len(rows) < 2 or (len(split.val) and not validated):
            raise SplitError(
                f"{emotion} has {len(rows)} training and {validated} validation pictures in {dataset.name}; a "
                "curriculum needs 2 and 1 at least: add pictures, choose other --ratios, or leave it out by --emotions."
            )
    return narrow(dataset, split, emotions, np.concatenate(kept))


@dataclass(frozen=True)
class StageSetting:
    """What all stages of a curriculum share.

    Attributes:
        out: The curriculum's folder.
        dataset: All emotions.
        split: Of ``dataset``.
        request: What the person asked for; each stage's own is made from it.
        per_class: Training pictures of an emotion at most.
        device: As :func:`siamese.training.fit` takes it.
    """

    out: Path
    dataset: FaceDataset
    split: Split
    request: RunRequest
    per_class: Optional[int]
    device: str

    def data(self, emotions: Sequence[str]) -> tuple[FaceDataset, Split]:
        """The data set and split of some emotions."""
        return stage_data(self.dataset, self.split, emotions, self.per_class, self.request.config.seed)


def read_stage(folder: Path, emotions: Sequence[str]) -> Optional[StageResult]:
    """What came of a stage; None if it is not done yet.

    Raises:
        TrainingError: Its file is damaged or of other emotions.
    """
    path = folder / STAGE_FILE
    if not path.is_file():
        return None
    try:
        result = StageResult.from_json(json.loads(path.read_text(encoding="utf-8")))
        if result.emotions != tuple(emotions):
            raise ValueError(f"it is of {', '.join(result.emotions)}")
        if result.confusion is not None and not (folder / CARD_FILE).is_file():
            raise ValueError(f"{CARD_FILE} is missing")
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(
            f"{path} is damaged or of another curriculum ({error}); remove the folder {folder} to train it again."
        ) from error
    return result


def run_stage(
    setting: StageSetting,
    name: str,
    emotions: Sequence[str],
    config: TrainingConfig,
    init: Optional[Path],
    observer: Observer,
    restart: bool = True,
) -> StageResult:
    """Train a stage, or read what came of it if it is done; one that was stopped goes on after its last whole epoch.

    A stage whose embedding collapses is begun again once, in the folder ``NAME-again``, with the distinct pairs first
    and another seed.

    Args:
        setting: The curriculum's.
        name: The stage's folder below it.
        emotions: What to train on, in the order of the labels.
        config: How.
        init: A run whose weights to start from, or None.
        observer: Is told of every step.
        restart: Whether a stage that collapses is begun again.
    """
    folder = setting.out / name
    done = read_stage(folder, emotions)
    if done is None:
        done = _attempt(setting, folder, name, emotions, config, init, observer, False)
    if done.confusion is not None or not restart:
        return done
    again = setting.out / f"{name}-again"
    easier = replace(config, seed=config.seed + 1, pair_order="distinct-first" if any(config.pair_bands) else "mixed")
    found = read_stage(again, emotions)
    if found is None:
        observer.note(f"{name} collapsed; it is begun again, the distinct pairs first.")
        found = _attempt(setting, again, f"{name}-again", emotions, easier, init, observer, True)
    return found


def _attempt(
    setting: StageSetting,
    folder: Path,
    name: str,
    emotions: Sequence[str],
    config: TrainingConfig,
    init: Optional[Path],
    observer: Observer,
    restarted: bool,
) -> StageResult:
    dataset, split = setting.data(emotions)
    request = replace(
        setting.request,
        training=config.to_json(),
        emotions=tuple(emotions),
        split=str((folder / SPLIT_FILE).absolute()),
        init=None if init is None else str(init),
    )
    begun = (folder / STATE_FILE).is_file()
    if not begun:
        split.save(folder / SPLIT_FILE, dataset)
        request.save(folder)
    card = data_card(dataset, split, request)
    confusion, epochs, best, seconds, precision = None, config.epochs, 0, 0.0, ""
    try:
        result = fit(
            dataset, split, config, folder, device=setting.device, observer=observer, resume=begun, init=init, card=card
        )
        epochs, best, seconds = len(result.history), result.best_epoch, result.seconds
        precision = result.precision
        confusion = _confusion(dataset, split, config, folder)
    except CollapsedEmbedding as error:
        observer.note(f"{name}: {error}")
    started = None if init is None else _told(init, setting.out)
    found = StageResult(
        name, tuple(emotions), confusion, epochs, best, seconds, len(split.train), restarted, started, precision
    )
    write_text(folder / STAGE_FILE, json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n")
    (folder / STATE_FILE).unlink(missing_ok=True)  # only a stage that goes on needs it, and it is three towers large
    return found


def _confusion(dataset: FaceDataset, split: Split, config: TrainingConfig, folder: Path) -> NDArray[np.int64]:
    tower = load_checkpoint(folder).tower
    validator = Validator(
        dataset, split.train, split.val, tower, config.n_neighbors, config.val_references, config.seed
    )
    return validator.confusion(tower, torch.device("cpu"))


def _told(init: Path, out: Path) -> str:
    """A stage by its name, another run by its path."""
    return str(init.relative_to(out)) if init.is_relative_to(out) else str(init)


__all__ = ["STAGE_FILE", "StageResult", "StageSetting", "read_stage", "run_stage", "stage_data"]
