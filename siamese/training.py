"""Train a tower: :func:`fit`, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Sequence

from torch import nn

from galleries.errors import TrainingError
from siamese.checkpoint import load_checkpoint
from siamese.config import TrainingConfig
from siamese.datasets.base import FaceDataset
from siamese.history import HISTORY_FILE, history_csv
from siamese.learner import Learner, class_weights, make_optimizer
from siamese.observer import Observer, Silence
from siamese.progress import CollapsedEmbedding, Progress, check_usable
from siamese.splits import Split
from siamese.towers import Tower
from siamese.towers.straight import Straightener
from siamese.trainer import Trainer

__all__ = [
    "HISTORY_FILE",
    "CollapsedEmbedding",
    "FitResult",
    "Learner",
    "Observer",
    "Progress",
    "Silence",
    "Trainer",
    "class_weights",
    "fit",
    "history_csv",
    "make_optimizer",
]


@dataclass
class FitResult:
    """A finished (or early stopped) training.

    Attributes:
        tower: The best tower by validation, or the last (``monitor``), in evaluation mode.
        head: Its head, or None.
        best_epoch: The one that is kept, counted from 1.
        best_score: Its monitored validation accuracy, 0-1; -1 without validation pictures.
        history: One row an epoch.
        stopped: Why training ended: ``"all epochs"``, ``"early stop"`` or ``"time is up"``.
        seconds: Time spent, over all sessions of the run.
        precision: What it trained in.
        leader: Whether this process has rank 0; the others of a ``torchrun`` leave exporting and telling to it.
    """

    tower: Tower
    head: Optional[nn.Module]
    best_epoch: int
    best_score: float
    history: list[dict[str, Any]]
    stopped: str
    seconds: float
    precision: str
    leader: bool = True


def fit(
    dataset: FaceDataset,
    split: Split,
    config: TrainingConfig,
    out: str | Path,
    *,
    device: str = "auto",
    observer: Optional[Observer] = None,
    resume: bool = False,
    init: Optional[str | Path] = None,
    card: Optional[dict[str, Any]] = None,
    teachers: Sequence[str | Path] = (),
    straightener: Optional[Straightener] = None,
) -> FitResult:
    """Train a tower.

    The run's folder gets ``tower.safetensors`` and ``card.json`` (the epoch ``monitor`` chose), ``history.csv``,
    ``tensorboard/`` and ``state.safetensors``, all written atomically after every epoch. A run that was stopped at any
    moment resumes after its last whole epoch, to the same numbers as one that was not stopped.

    Under ``torchrun`` every process calls this; each trains on its part of every batch, pairs are formed across them,
    and rank 0 alone validates and writes.

    Args:
        dataset: The data, restricted to the wanted emotions.
        split: Positions of its training and validation pictures, the latter not needed where the last epoch is kept.
        config: What to do.
        out: The run's folder, made if missing.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
        observer: Is told of every step.
        resume: Take up the run in ``out``, in the number format it began with.
        init: Another run of the same architecture whose weights to start from.
        card: What ``card.json`` tells besides.
        teachers: Runs whose towers teach this one: see :mod:`siamese.distillation`.
        straightener: What a ``compact_straight`` tower begins with (:func:`siamese.straightening.teach`).

    Returns:
        The best tower and how it was reached.

    Raises:
        SplitError: A class has too few pictures, or there is only one.
        ConfigError: The configuration does not fit the tower.
        CollapsedEmbedding: Two epochs in a row all vectors were alike, or no epoch's were of use.
        TowerError: A teacher is missing or damaged.
        TrainingError: The loss is no longer finite, or the run cannot be resumed.
    """
    if len(split.val) == 0 and config.monitor != "last":
        raise TrainingError("The split has no validation pictures; give --ratios with three parts, such as 70/15/15.")
    start = Path(init) if init else None
    trainer = Trainer(dataset, split, config, Path(out), device, observer, start, card, resume, teachers, straightener)
    progress = trainer.run()
    check_usable(progress)
    best = load_checkpoint(trainer.out)
    return FitResult(
        best.tower,
        best.head,
        progress.best_epoch,
        progress.best_score,
        progress.history,
        progress.stopped or "all epochs",
        progress.seconds,
        trainer.precision,
        trainer.fabric.is_global_zero,
    )
