"""What learns: a tower, its head and the loss in one module, and the optimiser that moves its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from galleries.errors import ConfigError
from galleries.shipped import is_shipped
from galleries.vocabulary import CANONICAL
from siamese.checkpoint import initialise_from
from siamese.config import TrainingConfig
from siamese.datasets.base import FaceDataset
from siamese.feeding import PixelFeed
from siamese.losses import Objective, parse_loss
from siamese.observer import Observer, Silence
from siamese.processes import world_size
from siamese.restoring import settle_norms
from siamese.splits import Split
from siamese.towers import Tower, make_tower

_SETTLED = 2048
"""Training pictures whose statistics a tower from an ONNX file takes."""


class Learner(nn.Module):
    """A tower, its head and the loss in one module, so that one forward pass gives the loss.

    Args:
        tower: The tower.
        head: The softmax head, or None.
        objective: The loss.
        votes_head: Weight of a second head that says how ten people would vote, or 0 for none.

    Attributes:
        latest: The vectors of the latest batch, float32 (B, D), in the mode they were made in.
    """

    def __init__(self, tower: Tower, head: Optional[nn.Module], objective: Objective, votes_head: float = 0.0) -> None:
        super().__init__()
        self.tower = tower
        self.head = head
        self.objective = objective
        self.latest: Optional[Tensor] = None
        self.votes_weight = votes_head
        self.votes_head = nn.Linear(tower.embedding_dim, len(CANONICAL)) if votes_head else None

    def forward(
        self,
        pixels: Tensor,
        labels: Tensor,
        soft: Optional[Tensor],
        taught: Optional[Tensor] = None,
        plain: Optional[Tensor] = None,
        alike: Optional[Tensor] = None,
        votes: Optional[Tensor] = None,
    ) -> tuple[Tensor, dict[str, float]]:
        """Pixels (B, C, H, W), labels int64 (B,), the rest of ``Objective.forward`` and votes (B, 8) to the loss, its
        parts."""
        vectors = self.tower(pixels)
        self.latest = vectors.detach()
        scores = None if self.head is None else self.head(vectors)
        loss: tuple[Tensor, dict[str, float]] = self.objective(vectors, scores, labels, soft, taught, plain, alike)
        if self.votes_head is None or votes is None:
            return loss
        lesson = votes_loss(self.votes_head(vectors), votes)
        return loss[0] + self.votes_weight * lesson, {**loss[1], "votes": float(lesson.detach())}


def votes_loss(scores: Tensor, votes: Tensor) -> Tensor:
    """Cross-entropy of scores (B, n) with votes (B, n), a float32 scalar; rows without any vote count as nothing."""
    return -(votes * F.log_softmax(scores.float(), dim=1)).sum(1).mean()


def make_learner(
    dataset: FaceDataset,
    split: Split,
    config: TrainingConfig,
    init: Optional[Path] = None,
    observer: Optional[Observer] = None,
    taught: bool = False,
) -> Learner:
    """A run's learner, its weights drawn by the configuration's seed.

    Args:
        dataset: The data.
        split: Its training part gives the class weights.
        config: What to do.
        init: A run whose weights to start from, or None.
        observer: Is told what of them fits.
        taught: Whether there are teachers.

    Raises:
        ConfigError: The configuration does not fit the tower.
        TowerError: ``init`` is no such run.
    """
    n_classes = len(dataset.emotions)
    torch.manual_seed(config.seed)
    tower = make_tower(config.tower, None, config.input_size, config.embedding_dim, config.weights)
    if init is not None:
        anew = initialise_from(tower, init)
        if is_shipped(init):  # its batch norms were folded away
            some = split.train[:: max(1, len(split.train) // _SETTLED)][:_SETTLED]
            settle_norms(tower, PixelFeed(dataset, some, tower.input_spec).in_order())
            tower.train()
        told = f"made anew, since they do not fit: {', '.join(anew)}" if anew else "none is made anew"
        (observer or Silence()).note(f"Started from {init}: its weights are carried over; {told}.")
    objective = Objective(
        parse_loss(config.loss),
        n_classes,
        tower.embedding_dim,
        config.loss_options,
        config.miner,
        config.miner_options,
        class_weights(dataset, split, config),
        config.label_smoothing,
        distributed=world_size() > 1,
        distil_weight=config.distil_weight,
        distil_temperature=config.distil_temperature,
        distil_pairs=config.distil_pairs,
    )
    head = tower.make_head(n_classes) if objective.needs_head else None
    if head is None and taught:
        raise ConfigError(f"Teachers teach class scores, but the loss {config.loss!r} has none; add cross-entropy.")
    if head is None and config.monitor == "softmax":
        raise ConfigError("monitor = 'softmax' needs cross-entropy in the loss; use --loss cross-entropy.")
    if config.votes_head and dataset.votes is None:
        (observer or Silence()).note("The head for FER+'s votes learns nothing without them (--votes fer2013new.csv).")
    return Learner(tower, head, objective, config.votes_head)


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


def weight_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """The rule of an exponential moving average of weights, for ``torch.optim.swa_utils.AveragedModel``.

    The memory grows with the steps done, ``min(decay, (1 + n) / (10 + n))``, as TensorFlow's ExponentialMovingAverage
    does it: else a run of a hundred steps would hardly leave its beginning.

    Args:
        decay: The average's share of the old value in the long run, 0-1.
    """

    def update(averaged: Any, current: Any, count: Any) -> None:
        n = int(count)
        share = min(decay, (1 + n) / (10 + n))
        get_ema_multi_avg_fn(share)(averaged, current, count)  # type: ignore[no-untyped-call]

    return update


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
