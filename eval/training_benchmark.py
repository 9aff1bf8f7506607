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
from siamese.losses import CROSS_ENTROPY, parse_loss
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


def bare_step(
    trainer: Trainer, pixels: Tensor, labels: Tensor
) -> Callable[[NDArray[np.int64]], None]:
    """A training step as one would write it by hand around the same network, without the toolkit's loop.

    It has the network, head, loss, optimiser, precision, memory format and gradient clip of the trainer, and none of
    its sampling, augmentation on the fly, averaging, schedules, counters or observers.
    """
    config = trainer.config
    terms = parse_loss(config.loss)
    learner = copy.deepcopy(trainer.learner).train().to(memory_format=torch.channels_last)
    tower, head = learner.tower, learner.head
    metric: list[tuple[float, nn.Module]] = [
        (term.weight, learner.objective.metric[term.name]) for term in terms if term.name != CROSS_ENTROPY
    ]
    weight = next((term.weight for term in terms if term.name == CROSS_ENTROPY), 0.0)
    optimizer = make_optimizer(learner, config)
    autocast = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(trainer.precision)
    device = trainer.fabric.device

    def step(rows: NDArray[np.int64]) -> None:
        images = pixels[torch.from_numpy(rows)].to(device).contiguous(memory_format=torch.channels_last)
        target = labels[torch.from_numpy(rows)].to(device)
        with torch.autocast(device.type, autocast, enabled=autocast is not None):
            vectors = tower(images)
            loss = vectors.new_zeros(())
            if head is not None:
                scores = head(vectors)
                loss = weight * F.cross_entropy(scores.float(), target, label_smoothing=config.label_smoothing)
            for share, module in metric:
                loss = loss + share * module(vectors, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if config.gradient_clip:
            nn.utils.clip_grad_norm_(learner.parameters(), config.gradient_clip)
        optimizer.step()

    return step


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
    bare = bare_step(trainer, pixels, labels)
    generator = torch.Generator().manual_seed(config.seed)
    trainer.learner.train()

    def plan(count: int) -> list[NDArray[np.int64]]:
        return [rng.choice(pool, size, replace=False) for _ in range(count)]

    def run_bare(batches: list[NDArray[np.int64]]) -> float:
        began = time.perf_counter()
        for rows in batches:
            bare(rows)
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
