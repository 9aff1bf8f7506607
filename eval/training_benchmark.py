"""How fast training is, as a ratio to a bare PyTorch loop over the same tensors, network and precision in one run."""

from __future__ import annotations

import copy
import statistics
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from galleries.errors import ConfigError
from siamese.config import TrainingConfig
from siamese.losses import CROSS_ENTROPY, MINED, parse_loss
from siamese.training import Trainer, make_optimizer


@dataclass(frozen=True)
class TrainingSpeed:
    """Images per second of both loops, measured in turns.

    Attributes:
        toolkit: Median over the rounds of the toolkit's own step.
        bare: Median over the rounds of the bare loop.
        ratios: toolkit / bare of each round.
        precision: What both ran in.
        batch_size: Pictures in a step.
        steps: Steps in a round.
        threads: CPU threads.
    """

    toolkit: float
    bare: float
    ratios: tuple[float, ...]
    precision: str
    batch_size: int
    steps: int
    threads: int

    @property
    def ratio(self) -> float:
        """Median ratio: 1 means no overhead at all."""
        return statistics.median(self.ratios)

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {**vars(self), "ratios": list(self.ratios), "ratio": self.ratio}


class BareLoop:
    """Training steps as one would write them by hand around the same network, without the toolkit's loop.

    It has the network, head, loss, miner, optimiser, precision, memory format and gradient clip of the trainer, and
    none of its sampling, augmentation on the fly, averaging, schedules, counters or observers.

    Args:
        trainer: A run that was set up; its network is copied.
        pixels: uint8 (N, C, H, W), everything that may stand in a batch.
        labels: int64 (N,).
    """

    def __init__(self, trainer: Trainer, pixels: Tensor, labels: Tensor) -> None:
        self.config = trainer.config
        self.device = trainer.fabric.device
        self.autocast = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(trainer.precision)
        self.pixels, self.labels = pixels, labels
        self.learner = copy.deepcopy(trainer.learner).train().to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.learner, self.config)

    def step(self, rows: NDArray[np.int64]) -> None:
        """Train on the batch of these rows, at the configuration's rate."""
        chosen = torch.from_numpy(rows)
        images = self.pixels[chosen].to(self.device).contiguous(memory_format=torch.channels_last)
        labels = self.labels[chosen].to(self.device)
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            vectors = self.learner.tower(images)
            scores = None if self.learner.head is None else self.learner.head(vectors).float()
        loss = self._loss(vectors, scores, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.gradient_clip:
            nn.utils.clip_grad_norm_(self.learner.parameters(), self.config.gradient_clip)
        self.optimizer.step()

    def _loss(self, vectors: Tensor, scores: Optional[Tensor], labels: Tensor) -> Tensor:
        objective = self.learner.objective
        mined = None if objective.miner is None else objective.miner(vectors, labels)
        loss = vectors.new_zeros(())
        for term in parse_loss(self.config.loss):
            if term.name == CROSS_ENTROPY:
                assert scores is not None
                smoothing = self.config.label_smoothing
                value = F.cross_entropy(scores, labels, objective.class_weights, label_smoothing=smoothing)
            elif mined is not None and term.name in MINED:
                value = objective.metric[term.name](vectors, labels, mined)
            else:
                value = objective.metric[term.name](vectors, labels)
            loss = loss + term.weight * value
        return loss


def benchmark_training(
    trainer: Trainer,
    rounds: int = 5,
    steps: int = 10,
    progress: Optional[Callable[[int, int], None]] = None,
) -> TrainingSpeed:
    """Time the toolkit's step and the bare one in turns, so that a busy machine slows both.

    The toolkit's side is what a user runs: reading the batch, augmentation, loss, clip, step and weight average.

    Args:
        trainer: A run that was set up; it trains on a little.
        rounds: Pairs of measurements.
        steps: Steps in each.
        progress: Called with (done, total) rounds.
    """
    config: TrainingConfig = trainer.config
    size = min(config.batch_size, len(trainer.feed))
    if rounds < 1 or steps < 1:
        raise ConfigError(f"{rounds} rounds of {steps} steps were asked for; give 1 or more of each.")
    rng = np.random.default_rng(config.seed)
    pool = np.arange(min(len(trainer.feed), 20 * size))
    pixels, labels = trainer.feed.pixels(pool), torch.from_numpy(trainer.feed.labels[pool])
    bare = BareLoop(trainer, pixels, labels)
    generator = torch.Generator().manual_seed(config.seed)
    trainer.learner.train()

    def plan(count: int) -> list[NDArray[np.int64]]:
        return [rng.choice(pool, size, replace=False) for _ in range(count)]

    def run_bare(batches: list[NDArray[np.int64]]) -> float:
        began = time.perf_counter()
        for rows in batches:
            bare.step(rows)
        return len(batches) * size / (time.perf_counter() - began)

    def run_toolkit(batches: list[NDArray[np.int64]]) -> float:
        began = time.perf_counter()
        for images, rows in trainer.feed.batches(batches):
            trainer.step(images, rows, generator, config.lr)
        return len(batches) * size / (time.perf_counter() - began)

    run_bare(plan(3))
    run_toolkit(plan(3))
    measured: list[tuple[float, float]] = []
    for turn in range(rounds):
        batches = plan(steps)
        if turn % 2:
            slow = run_bare(batches)
            measured.append((run_toolkit(batches), slow))
        else:
            measured.append((run_toolkit(batches), run_bare(batches)))
        if progress is not None:
            progress(turn + 1, rounds)
    return TrainingSpeed(
        statistics.median(toolkit for toolkit, _ in measured),
        statistics.median(bare_speed for _, bare_speed in measured),
        tuple(toolkit / bare_speed for toolkit, bare_speed in measured),
        trainer.precision,
        size,
        steps,
        torch.get_num_threads(),
    )
