"""Where a run stands: what was reached, when to stop, and when to give up."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from galleries.errors import TrainingError
from siamese.config import TrainingConfig

PATIENCE_WITH_COLLAPSE = 2
"""Epochs in a row with a collapsed embedding after which a run is given up."""

SETTLED_AFTER = 1000
"""Steps after which running statistics have settled: at Keras' momentum of 0.99 only 0.004 % of the start is left."""


class CollapsedEmbedding(TrainingError):
    """Every face is given (nearly) the same vector; going on would train nothing."""


class DivergedTraining(TrainingError):
    """The loss is no number any more."""


@dataclass
class Progress:
    """The counters of a run that a resumed one takes up.

    Attributes:
        epoch: Whole epochs done.
        best_epoch: The one that is kept, counted from 1: the best by validation, or the last; 0 if there is none yet.
        best_score: Its monitored accuracy, 0-1; -1 if there is none yet, or nobody was asked.
        stalled: Epochs since the best one, those without a usable embedding not counted.
        collapsed: Epochs in a row, up to now, whose embedding had collapsed; not those in which training vectors were
            spread and batch norm's running statistics were still on their way.
        seconds: Time spent, over all sessions.
        stopped: Why training ended before its last epoch, or nothing.
        history: One row an epoch.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -1.0
    stalled: int = 0
    collapsed: int = 0
    seconds: float = 0.0
    stopped: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def trained(self) -> float:
        """Seconds of training alone, in the whole epochs of a run with a time budget."""
        return float(sum(row.get("train_seconds", 0.0) for row in self.history))

    def take(self, row: dict[str, Any], config: TrainingConfig) -> float:
        """Count an epoch in.

        Args:
            row: Its line of the history; ``best`` (so far) and ``settling`` (whether its collapse is only that of
                running statistics that have yet to settle) are added.
            config: The run's configuration.

        Returns:
            The monitored accuracy, 0-1; -1 without validation pictures.
        """
        score = float(row["val_softmax"] if config.monitor == "softmax" else row.get("val_knn", -1.0))
        self.epoch = row["epoch"]
        self.seconds += row["seconds"]
        hopeless = row["train_collapsed"] or self.best_epoch > 0 or row["steps"] >= SETTLED_AFTER
        row["settling"] = bool(row["collapsed"] and not hopeless)
        self.collapsed = self.collapsed + 1 if row["collapsed"] and hopeless else 0
        row["best"] = bool((score > self.best_score or config.monitor == "last") and not row["collapsed"])
        if row["best"]:
            self.best_score, self.best_epoch = score, row["epoch"]
        self.stalled = 0 if row["best"] else self.stalled + (not row["collapsed"])
        if config.early_stop and self.stalled >= config.early_stop:
            self.stopped = "early stop"
        self.history.append(row)
        if config.seconds is not None and self.trained >= config.seconds:
            self.stopped = "time is up"
        return score


def collapse_note(row: dict[str, Any]) -> str:
    """What to tell of an epoch whose validation vectors have collapsed; nothing of any other."""
    if not row["collapsed"]:
        return ""
    told = f"Epoch {row['epoch']}: all distances between validation faces are alike (mean {row['spread']:.2g})"
    if row["settling"]:
        return f"{told}, those between training faces are not: batch norm's running statistics have yet to settle."
    return f"{told}."


def check_finite(row: dict[str, Any], config: TrainingConfig) -> None:
    """Give up a run whose loss is no number any more.

    Raises:
        DivergedTraining: The epoch's loss is infinite or not a number.
    """
    if not math.isfinite(row["loss"]):
        raise DivergedTraining(
            f"The loss became {row['loss']} in epoch {row['epoch']}; lower --lr (it was {config.lr:g}) or set "
            "gradient_clip in the recipe. What was saved before this epoch is kept."
        )


def check_spread(progress: Progress) -> None:
    """Give up a run whose embedding has collapsed for :data:`PATIENCE_WITH_COLLAPSE` epochs in a row.

    Raises:
        CollapsedEmbedding: It has.
    """
    if progress.collapsed >= PATIENCE_WITH_COLLAPSE:
        row = progress.history[-1]
        raise CollapsedEmbedding(
            f"The embedding collapsed: after epoch {row['epoch']} all validation faces have nearly the same vector "
            f"(mean distance {row['spread']:.2g}). Lower --lr, raise the margin, or choose another loss or sampler."
        )


def check_usable(progress: Progress) -> None:
    """Refuse a run that is through without an epoch worth keeping.

    Raises:
        CollapsedEmbedding: Each epoch's validation vectors were alike.
    """
    if progress.best_epoch > 0:
        return
    row = progress.history[-1]
    if row["settling"]:
        raise CollapsedEmbedding(
            f"No epoch gave a usable embedding: after {row['steps']} steps batch norm's running statistics had yet to "
            "settle. Train for more steps: more --epochs, or a smaller --batch-size."
        )
    raise CollapsedEmbedding("No epoch gave a usable embedding; lower --lr or choose another loss.")


def early_note(progress: Progress, config: TrainingConfig) -> str:
    """What to tell of a time budget that the epochs cut short; nothing where they did not."""
    if config.seconds is None or progress.stopped:
        return ""
    return (
        f"The {config.epochs} epochs were through after {progress.trained:.0f} of {config.seconds:g} seconds, so the "
        "schedule did not reach its end; give more --epochs."
    )
