"""The training loop itself, one for metric losses, softmax baselines and their sum."""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from galleries.atomic import write_text
from galleries.errors import ConfigError
from siamese.checkpoint import save_checkpoint
from siamese.config import TrainingConfig
from siamese.datasets.base import FaceDataset
from siamese.distillation import Teachers, ask_once, check_same
from siamese.epoch_plan import plan_epoch
from siamese.feeding import PixelFeed
from siamese.fitted_head import with_fitted_head
from siamese.history import HISTORY_FILE, TensorBoardLog, history_csv
from siamese.learner import Learner, make_learner, make_optimizer, weight_average
from siamese.mixing import as_targets, mix_all
from siamese.observer import Observer, Silence
from siamese.precision import choose_precision
from siamese.processes import make_fabric, pick_device, world_size
from siamese.progress import Progress, check_finite, check_spread, collapse_note, early_note
from siamese.schedule import Plateau, rate_at
from siamese.splits import Split, check_trainable
from siamese.state import read_state, save_state
from siamese.towers.straight import Straightener, take_straightener
from siamese.validation import Validator, collapse


class Trainer:
    """A run: its modules, data and counters. :func:`siamese.training.fit` is the way in.

    Args:
        dataset: The data, already restricted to the wanted emotions.
        split: Its training and validation pictures.
        config: What to do.
        out: The run's folder.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` …
        observer: Who is told.
        init: A run whose weights to start from, or None.
        card: What the checkpoint's card says besides (data, split, recipe).
        resume: Take up the state in ``out``, and the number format that the run began with.
        teachers: Runs whose towers teach this one; with a softmax head that knows its emotions, or one is fitted.
        straightener: A taught one, whose weights a ``compact_straight`` tower begins with, or None.

    Raises:
        TrainingError: There is no state to resume, or it does not fit.
        TowerError: A teacher is missing or damaged.
        ConfigError: The configuration does not fit the tower or the machine.
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
        resume: bool = False,
        teachers: Sequence[str | Path] = (),
        straightener: Optional[Straightener] = None,
    ) -> None:
        check_trainable(dataset, split)
        if config.seconds is not None and world_size() > 1:
            raise ConfigError("A time budget (seconds) is for one process; give epochs under torchrun.")
        self.dataset, self.split, self.config, self.out = dataset, split, config, out
        self.observer: Observer = observer or Silence()
        self.card = card or {}
        self.progress = Progress()
        self.plateau = Plateau(config)
        saved = read_state(out) if resume else None
        fit = partial(with_fitted_head, dataset=dataset, rows=split.train, label_smoothing=config.label_smoothing)
        self.teachers = Teachers.load(teachers, dataset.emotions, fit) if teachers else None
        self.lessons: Optional[Tensor] = None
        self.learner = make_learner(dataset, split, config, init, self.observer, self.teachers is not None)
        if straightener is not None:
            take_straightener(self.learner.tower, straightener)
        self.feed = PixelFeed(dataset, split.train, self.learner.tower.input_spec)
        self.validator = Validator(
            dataset, split.train, split.val, self.learner.tower, config.n_neighbors, config.val_references, config.seed
        )
        self._set_up(device, None if saved is None else saved.facts["precision"])
        if saved is not None:
            check_same(self.teachers, saved.facts.get("teachers", []), out)
            saved.apply(self.modules, self.optimizer)
            self.progress = Progress(**saved.facts["progress"])
            self.plateau.restore(saved.facts["plateau"])
            self.fabric.strategy.precision.load_state_dict(saved.facts["scaler"])

    def _set_up(self, device: str, precision: Optional[str]) -> None:
        config, device = self.config, pick_device(device)
        self.precision = precision or choose_precision(config, self.learner, self.feed, device)
        self.fabric = make_fabric(device, self.precision)
        self.out = Path(self.fabric.broadcast(str(self.out)))
        self.learner.to(memory_format=torch.channels_last)
        if self.teachers is not None:
            self.teachers.to(self.fabric.device).to(memory_format=torch.channels_last)
            if config.distil_once:
                self.lessons = ask_once(self.teachers, self.feed.in_order(), config.distil_temperature)
        self.optimizer = make_optimizer(self.learner, config)
        self.wrapped, self.fabric_optimizer = self.fabric.setup(self.learner, self.optimizer)
        self.average = (
            AveragedModel(self.learner, multi_avg_fn=weight_average(config.ema), use_buffers=True)
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

    def run(self) -> Progress:
        """Train to the end, validating and saving after every epoch.

        Returns:
            The counters; the best tower is in the run's folder.

        Raises:
            CollapsedEmbedding: Two epochs in a row all vectors were alike.
            TrainingError: The loss is no longer finite.
            EmotionsError: A file could not be written.
        """
        progress, log = self.progress, None
        if self.fabric.is_global_zero:
            log = TensorBoardLog(self.out, progress.epoch + 1)
            if not log.available:
                self.observer.note("TensorBoard is not installed; history.csv holds the same numbers.")
            if progress.epoch == 0:
                self._save()
        try:
            while progress.epoch < self.config.epochs and not progress.stopped:
                row = self._epoch(progress.epoch)
                self._judge(row)
                if log is not None:
                    log.write(row)
                self.observer.finished(row)
        finally:
            if log is not None:
                log.close()
        if note := early_note(progress, self.config):
            self.observer.note(note)
        self.fabric.barrier()
        return progress

    def _epoch(self, epoch: int) -> dict[str, Any]:
        """Train for an epoch and validate; every process gives the same row."""
        config = self.config
        began = time.perf_counter()
        fabric = self.fabric
        plan, generator = plan_epoch(
            config, self.dataset.emotions, self.feed.labels, epoch, fabric.global_rank, fabric.world_size
        )
        self.observer.started(epoch + 1, config.epochs, len(plan))
        self.learner.train()
        losses: list[float] = []
        parts: dict[str, list[float]] = {}
        pictures, rate = 0, 0.0
        for step, (pixels, rows) in enumerate(self.feed.batches(plan)):
            place = self._place(epoch * len(plan) + step, config.epochs * len(plan), began)
            rate = rate_at(config, *place, self.plateau.factor)
            loss, terms = self.step(pixels, rows, generator, rate)
            losses.append(loss)
            for key, value in terms.items():
                parts.setdefault(key, []).append(value)
            pictures += len(rows)
            self.observer.stepped(loss, len(rows))
            if self._time_is_up(began) or (not math.isfinite(loss) and self.fabric.world_size == 1):
                break
        row: dict[str, Any] = {
            "epoch": epoch + 1,
            "steps": epoch * len(plan) + len(losses),
            "lr": rate,
            "loss": self._mean(losses),
        }
        if len(parts) > 1:
            row.update({f"loss_{key}": self._mean(values) for key, values in parts.items()})
        trained = time.perf_counter() - began
        if config.seconds is not None:
            row["train_seconds"] = trained
        if self.fabric.is_global_zero and math.isfinite(row["loss"]):
            best = self.best_of_now
            row.update(self.validator(best.tower, best.head, self.fabric.device).row())
            assert self.learner.latest is not None
            latest = self.learner.latest.float().cpu().numpy()
            row["train_spread"], row["train_collapsed"] = collapse(latest, self.learner.tower.metric)
        row["pictures_per_second"] = pictures * self.fabric.world_size / trained
        row["seconds"] = time.perf_counter() - began
        agreed: dict[str, Any] = self.fabric.broadcast(row)
        return agreed

    def _place(self, step: int, total: int, began: float) -> tuple[int, int]:
        """Where the schedule stands: at a step of so many, or at a share of the time budget, in millionths."""
        if self.config.seconds is None:
            return step, total
        spent = self.progress.trained + time.perf_counter() - began
        return min(int(1e6 * spent / self.config.seconds), 10**6), 10**6

    def _time_is_up(self, began: float) -> bool:
        budget = self.config.seconds
        return budget is not None and self.progress.trained + time.perf_counter() - began >= budget

    def _mean(self, values: list[float]) -> float:
        mean = torch.tensor(float(np.mean(values)), dtype=torch.float64, device=self.fabric.device)
        return float(self.fabric.all_reduce(mean, reduce_op="mean"))

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
        labels, soft, votes = self.feed.targets(rows, self.fabric.device)
        plain = alike = None
        taught = None if self.lessons is None else self.lessons[torch.from_numpy(rows)]
        if self.config.mixup:
            targets = (as_targets(labels, soft, len(self.dataset.emotions)), taught, votes)
            images, (soft, taught, votes), plain = mix_all(
                images, targets, self.config.mixup, self.config.mixup_alpha, generator
            )
        images = images.contiguous(memory_format=torch.channels_last)
        if self.teachers is not None and taught is None:
            with torch.no_grad(), self.fabric.autocast():
                taught, pairs = self.teachers.classes_and_pairs(images, self.config.distil_temperature)
            alike = pairs if self.config.distil_pairs else None
        images = self.config.augment.disturbed(images, generator)
        loss, terms = self.wrapped(images, labels, soft, taught, plain, alike, votes)
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
        """Compare an epoch with the best so far, save what is to be saved, and give up where going on is no use."""
        check_finite(row, self.config)
        score = self.progress.take(row, self.config)
        if not row["collapsed"]:
            self.plateau.update(score)
        if self.fabric.is_global_zero:
            if row["best"]:
                self._save_best(row)
            write_text(self.out / HISTORY_FILE, history_csv(self.progress.history))
            self._save()
        check_spread(self.progress)
        if note := collapse_note(row):
            self.observer.note(note)

    def _save(self) -> None:
        facts = {
            "progress": vars(self.progress),
            "plateau": self.plateau.state(),
            "precision": self.precision,
            "scaler": self.fabric.strategy.precision.state_dict(),
            "teachers": [] if self.teachers is None else self.teachers.about(),
        }
        save_state(self.out, self.modules, self.optimizer, facts)

    def _save_best(self, row: dict[str, Any]) -> None:
        best = self.best_of_now
        validation = {key: value for key, value in row.items() if key.startswith("val_")}
        about = {**self.card, "training": self.config.to_json(), "epoch": row["epoch"], "validation": validation}
        if self.teachers is not None:
            about["teachers"] = self.teachers.about()
        save_checkpoint(self.out, best.tower, best.head, self.dataset.emotions, about)
