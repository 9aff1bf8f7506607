"""One training loop for metric losses, softmax baselines and their sum."""

from __future__ import annotations

import csv
import io
import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from galleries.atomic import write_text
from galleries.errors import ConfigError, TrainingError, require
from siamese.checkpoint import initialise_from, save_checkpoint
from siamese.config import TrainingConfig
from siamese.datasets.base import FaceDataset
from siamese.feeding import PixelFeed
from siamese.losses import Objective, parse_loss
from siamese.precision import choose_precision
from siamese.sampling import epoch_batches
from siamese.schedule import Plateau, rate_at
from siamese.splits import Split, check_trainable
from siamese.state import restore_state, save_state
from siamese.towers import Tower, make_tower
from siamese.validation import Validation, Validator

HISTORY_FILE = "history.csv"


class CollapsedEmbedding(TrainingError):
    """Every face is given (nearly) the same vector; going on would train nothing."""


class Observer(Protocol):
    """Who is told how training goes; the command line draws progress bars with it."""

    def started(self, epoch: int, epochs: int, steps: int) -> None:
        """An epoch begins (counted from 1)."""

    def stepped(self, loss: float, pictures: int) -> None:
        """A batch of so many pictures was trained on."""

    def finished(self, row: dict[str, Any]) -> None:
        """An epoch and its validation are done."""

    def note(self, text: str) -> None:
        """Something worth telling happened."""


class Silence:
    """An observer that does nothing."""

    def started(self, epoch: int, epochs: int, steps: int) -> None:
        """Do nothing."""

    def stepped(self, loss: float, pictures: int) -> None:
        """Do nothing."""

    def finished(self, row: dict[str, Any]) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


class Learner(nn.Module):
    """A tower, its head and the loss in one module, so that one forward pass gives the loss.

    Args:
        tower: The tower.
        head: The softmax head, or None.
        objective: The loss.
    """

    def __init__(self, tower: Tower, head: Optional[nn.Module], objective: Objective) -> None:
        super().__init__()
        self.tower = tower
        self.head = head
        self.objective = objective

    def forward(self, pixels: Tensor, labels: Tensor, soft: Optional[Tensor]) -> tuple[Tensor, dict[str, float]]:
        """Pixels (B, C, H, W), labels int64 (B,) and votes (B, n) or None to the loss and its parts."""
        vectors = self.tower(pixels)
        scores = None if self.head is None else self.head(vectors)
        loss: tuple[Tensor, dict[str, float]] = self.objective(vectors, scores, labels, soft)
        return loss


@dataclass
class FitResult:
    """A finished (or early stopped) training.

    Attributes:
        tower: The best tower by validation, in evaluation mode.
        head: Its head, or None.
        best_epoch: Counted from 1.
        best_score: Its monitored validation accuracy, 0-1.
        history: One row an epoch.
        stopped: Why training ended: ``"all epochs"`` or ``"early stop"``.
        seconds: Time spent, over all sessions of the run.
        precision: What it trained in.
    """

    tower: Tower
    head: Optional[nn.Module]
    best_epoch: int
    best_score: float
    history: list[dict[str, Any]]
    stopped: str
    seconds: float
    precision: str


@dataclass
class Progress:
    """The counters of a run that a resumed one takes up."""

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -math.inf
    collapsed: int = 0
    seconds: float = 0.0
    stopped: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)


class Trainer:
    """A run: its modules, data and counters. :func:`fit` is the way in.

    Args:
        dataset: The data, already restricted to the wanted emotions.
        split: Its training and validation pictures.
        config: What to do.
        out: The run's folder.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` …
        observer: Who is told.
        init: A run whose weights to start from, or None.
        card: What the checkpoint's card says besides (data, split, recipe).
    """

    def __init__(
        self,
        dataset: FaceDataset,
        split: Split,
        config: TrainingConfig,
        out: Path,
        device: str = "auto",
        observer: Optional[Observer] = None,
        init: Optional[Path] = None,
        card: Optional[dict[str, Any]] = None,
    ) -> None:
        check_trainable(dataset, split)
        self.dataset, self.split, self.config, self.out = dataset, split, config, out
        self.observer: Observer = observer or Silence()
        self.card = card or {}
        self.progress = Progress()
        self.plateau = Plateau(config)
        torch.manual_seed(config.seed)
        tower = make_tower(config.tower, None, config.input_size, config.embedding_dim, config.weights)
        if init is not None:
            anew = initialise_from(tower, init)
            self.observer.note(f"Started from {init}; made anew: {', '.join(anew) or 'nothing'}.")
        terms = parse_loss(config.loss)
        world = int(os.environ.get("WORLD_SIZE", "1"))
        objective = Objective(
            terms,
            len(dataset.emotions),
            tower.embedding_dim,
            config.loss_options,
            config.miner,
            config.miner_options,
            class_weights(dataset, split, config),
            config.label_smoothing,
            distributed=world > 1,
        )
        head = tower.make_head(len(dataset.emotions)) if objective.needs_head else None
        if config.monitor == "softmax" and head is None:
            raise ConfigError("monitor = 'softmax' needs cross-entropy in the loss; use --loss cross-entropy.")
        self.learner = Learner(tower, head, objective)
        self.feed = PixelFeed(dataset, split.train, tower.input_spec)
        self.validator = Validator(
            dataset, split.train, split.val, tower, config.n_neighbors, config.val_references, config.seed
        )
        self._set_up(device, world)

    def _set_up(self, device: str, world: int) -> None:
        config = self.config
        self.fabric_device = _pick_device(device)
        self.precision = choose_precision(config, self.learner, self.feed, self.fabric_device)
        fabric_class = require("lightning_fabric", "train").Fabric
        accelerator, _, ordinal = self.fabric_device.partition(":")
        local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        devices: Any = local if world > 1 else ([int(ordinal)] if ordinal else 1)
        self.fabric = fabric_class(
            accelerator=accelerator,
            devices=devices,
            num_nodes=max(1, world // local),
            strategy="ddp" if world > 1 else "auto",
            precision={"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}[self.precision],
        )
        self.fabric.launch()
        self.learner.to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.learner, config)
        self.wrapped, self.fabric_optimizer = self.fabric.setup(self.learner, self.optimizer)
        self.average = (
            AveragedModel(self.learner, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True)
            if config.ema
            else None
        )

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Everything whose weights a resumed run needs."""
        return {"learner": self.learner, **({"average": self.average} if self.average is not None else {})}

    @property
    def best_of_now(self) -> Learner:
        """The weights that validation looks at: the average where there is one."""
        learner = self.learner if self.average is None else self.average.module
        assert isinstance(learner, Learner)
        return learner

    def resume(self) -> None:
        """Take up the state in the run's folder.

        Raises:
            TrainingError: There is none, or it does not fit.
        """
        facts = restore_state(self.out, self.modules, self.optimizer)
        self.progress = Progress(**facts["progress"])
        self.plateau.restore(facts["plateau"])
        if facts["precision"] != self.precision:
            self.observer.note(f"The run began in {facts['precision']} and goes on in {self.precision}.")

    def run(self) -> FitResult:
        """Train to the end, validating and saving after every epoch."""
        progress, config = self.progress, self.config
        writer = _tensorboard(self.out, self.observer) if self.fabric.is_global_zero else None
        if progress.epoch == 0:
            self._save()
        while progress.epoch < config.epochs and not progress.stopped:
            row = self._epoch(progress.epoch)
            self._judge(row)
            if writer is not None:
                for key, value in row.items():
                    if isinstance(value, (int, float)) and not isinstance(value, bool) and key != "epoch":
                        writer.add_scalar(key, value, row["epoch"])
            self.observer.finished(row)
        if writer is not None:
            writer.close()
        return self._finish()

    def _epoch(self, epoch: int) -> dict[str, Any]:
        config, progress = self.config, self.progress
        began = time.perf_counter()
        torch.manual_seed(config.seed * 100_003 + epoch + 1 + 7919 * self.fabric.global_rank)
        rng = np.random.default_rng([config.seed, epoch])
        generator = torch.Generator().manual_seed(config.seed * 100_003 + epoch + 1 + 7919 * self.fabric.global_rank)
        plan = epoch_batches(config.sampler, self.feed.labels, config.batch_size, rng, config.classes_per_batch)
        plan = share_of_process(plan, self.fabric.world_size, self.fabric.global_rank)
        self.observer.started(epoch + 1, config.epochs, len(plan))
        self.learner.train()
        losses: list[float] = []
        parts: dict[str, list[float]] = {}
        pictures, rate = 0, 0.0
        for step, (pixels, rows) in enumerate(self.feed.batches(plan)):
            rate = rate_at(config, epoch * len(plan) + step, config.epochs * len(plan)) * self.plateau.factor
            loss, terms = self.step(pixels, rows, generator, max(rate, 0.0))
            losses.append(loss)
            for key, value in terms.items():
                parts.setdefault(key, []).append(value)
            pictures += len(rows)
            self.observer.stepped(loss, len(rows))
        trained = time.perf_counter() - began
        validation = self.validator(self.best_of_now.tower, self.best_of_now.head, self.fabric.device)
        seconds = time.perf_counter() - began
        progress.seconds += seconds
        row: dict[str, Any] = {"epoch": epoch + 1, "lr": rate, "loss": float(np.mean(losses))}
        if len(parts) > 1:
            row.update({f"loss_{key}": float(np.mean(value)) for key, value in parts.items()})
        row.update(_validation_row(validation))
        row.update({"pictures_per_second": pictures * self.fabric.world_size / trained, "seconds": seconds})
        return row

    def step(
        self, pixels: Tensor, rows: Any, generator: torch.Generator, rate: float
    ) -> tuple[float, dict[str, float]]:
        """Train on one batch.

        Args:
            pixels: uint8 (B, C, H, W).
            rows: int64 (B,), their positions in the feed.
            generator: The augmentation's random state.
            rate: The learning rate.

        Returns:
            The loss and its parts.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images = self.config.augment(pixels.to(self.fabric.device), generator)
        labels = torch.from_numpy(self.feed.labels[rows]).to(self.fabric.device)
        soft = None if self.feed.soft is None else torch.from_numpy(self.feed.soft[rows]).to(self.fabric.device)
        loss, terms = self.wrapped(images.contiguous(memory_format=torch.channels_last), labels, soft)
        self.fabric_optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        if self.config.gradient_clip:
            self.fabric.clip_gradients(
                self.wrapped, self.fabric_optimizer, max_norm=self.config.gradient_clip, error_if_nonfinite=False
            )
        self.fabric_optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.learner)
        return float(loss.detach()), terms

    def _judge(self, row: dict[str, Any]) -> None:
        """Compare an epoch with the best so far, save what is to be saved, and decide whether to go on."""
        progress, config = self.progress, self.config
        score = row["val_softmax"] if config.monitor == "softmax" else row["val_knn"]
        progress.epoch = row["epoch"]
        progress.collapsed = progress.collapsed + 1 if row["collapsed"] else 0
        row["best"] = bool(score > progress.best_score and not row["collapsed"])
        if row["best"]:
            progress.best_score, progress.best_epoch = score, row["epoch"]
        self.plateau.update(score)
        progress.history.append(row)
        if config.early_stop and row["epoch"] - max(1, progress.best_epoch) >= config.early_stop:
            progress.stopped = "early stop"
        if self.fabric.is_global_zero:
            if row["best"]:
                self._save_best(row)
            write_text(self.out / HISTORY_FILE, history_csv(progress.history))
            self._save()
        if not math.isfinite(row["loss"]):
            raise TrainingError(
                f"The loss became {row['loss']} in epoch {row['epoch']}; lower --lr (it was {config.lr:g}) or set "
                "gradient_clip in the recipe. The best tower so far is kept."
            )
        if progress.collapsed >= 2:
            raise CollapsedEmbedding(
                f"The embedding collapsed: after epoch {row['epoch']} all validation faces have nearly the same vector "
                f"(mean distance {row['spread']:.2g}). Lower --lr, raise the margin, or choose another loss or sampler."
            )
        if row["collapsed"]:
            self.observer.note(f"Epoch {row['epoch']}: all distances are alike (mean {row['spread']:.2g}).")

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            facts = {
                "progress": vars(self.progress) | {"best_score": max(self.progress.best_score, -1.0)},
                "plateau": self.plateau.state() | {"best": max(self.plateau.best, -1.0)},
                "precision": self.precision,
            }
            save_state(self.out, self.modules, self.optimizer, facts)

    def _save_best(self, row: dict[str, Any]) -> None:
        best = self.best_of_now
        validation = {key: value for key, value in row.items() if key.startswith("val_")}
        save_checkpoint(
            self.out,
            best.tower,
            best.head,
            self.dataset.emotions,
            {**self.card, "training": self.config.to_json(), "epoch": row["epoch"], "validation": validation},
        )

    def _finish(self) -> FitResult:
        from siamese.checkpoint import load_checkpoint

        progress = self.progress
        self.fabric.barrier()
        if progress.best_epoch == 0:
            raise CollapsedEmbedding("No epoch gave a usable embedding; lower --lr or choose another loss.")
        best = load_checkpoint(self.out)
        return FitResult(
            best.tower,
            best.head,
            progress.best_epoch,
            progress.best_score,
            progress.history,
            progress.stopped or "all epochs",
            progress.seconds,
            self.precision,
        )


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
) -> FitResult:
    """Train a tower.

    The run's folder gets ``tower.safetensors`` and ``card.json`` (the best epoch by validation), ``history.csv``,
    ``tensorboard/`` and ``state.safetensors``, all written atomically after every epoch. A run that was stopped at any
    moment resumes after its last whole epoch, to the same numbers as one that was not stopped.

    Args:
        dataset: The data, restricted to the wanted emotions.
        split: Positions of its training and validation pictures.
        config: What to do.
        out: The run's folder, made if missing.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
        observer: Is told of every step.
        resume: Take up the run in ``out``.
        init: Another run of the same architecture whose weights to start from.
        card: What ``card.json`` tells besides.

    Returns:
        The best tower and how it was reached.

    Raises:
        SplitError: A class has too few pictures, or there is only one.
        ConfigError: The configuration does not fit the tower.
        CollapsedEmbedding: Two epochs in a row all vectors were alike.
        TrainingError: The loss is no longer finite, or the run cannot be resumed.
    """
    if len(split.val) == 0:
        raise TrainingError("The split has no validation pictures; give --ratios with three parts, such as 70/15/15.")
    trainer = Trainer(dataset, split, config, Path(out), device, observer, Path(init) if init else None, card)
    if resume:
        trainer.resume()
    return trainer.run()


def class_weights(dataset: FaceDataset, split: Split, config: TrainingConfig) -> Optional[Tensor]:
    """Cross-entropy's class weights, float32 (n_classes,), mean 1 over the training pictures; None for equal ones."""
    if config.class_weights == "none":
        return None
    counts = np.bincount(dataset.labels[split.train], minlength=len(dataset.emotions)).astype(np.float64)
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    if config.class_weights == "sqrt":
        weights = np.sqrt(weights)
        weights /= (weights * counts).sum() / counts.sum()
    return torch.tensor(weights, dtype=torch.float32)


def make_optimizer(module: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser, with weight decay on weights of two or more dimensions only."""
    weights = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=config.lr, betas=(config.momentum, 0.999))


def share_of_process(plan: list[Any], world: int, rank: int) -> list[Any]:
    """A process' part of every batch of the plan; all processes get the same number of pictures in each."""
    if world == 1:
        return plan
    return [rows[rank : len(rows) // world * world : world] for rows in plan if len(rows) >= 2 * world]


def history_csv(history: list[dict[str, Any]]) -> str:
    """The history as CSV text, one row an epoch."""
    columns = list(dict.fromkeys(key for row in history for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return out.getvalue()


def _validation_row(validation: Validation) -> dict[str, Any]:
    row: dict[str, Any] = {"val_knn": validation.knn}
    if validation.softmax is not None:
        row["val_softmax"] = validation.softmax
    return {**row, "spread": validation.spread, "collapsed": validation.collapsed}


def _pick_device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, ordinal = name.partition(":")
    if kind not in ("cpu", "cuda") or (ordinal and not ordinal.isdigit()):
        raise ConfigError(f"{name!r} is no device; use auto, cpu, cuda or cuda:N.")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda was given, but PyTorch sees no CUDA GPU here; use --device cpu.")
    return name


def _tensorboard(out: Path, observer: Observer) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        observer.note("TensorBoard is not installed; history.csv holds the same numbers.")
        return None
    return SummaryWriter(str(out / "tensorboard"))  # type: ignore[no-untyped-call]

