"""Which pictures an epoch trains on, batch by batch: it follows from the configuration, the epoch and the process."""

from __future__ import annotations

from functools import cache
from typing import Any, Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from siamese.config import TrainingConfig
from siamese.pair_order import PairWeights, weigh_pairs
from siamese.processes import share_of_process
from siamese.sampling import epoch_batches


def plan_epoch(
    config: TrainingConfig,
    emotions: Sequence[str],
    labels: NDArray[np.int64],
    epoch: int,
    rank: int = 0,
    world: int = 1,
) -> tuple[list[Any], torch.Generator]:
    """One process' batches of an epoch, and the augmentation's random state; PyTorch's own is seeded too.

    Args:
        config: What to do.
        emotions: Their names; ``labels`` are positions in them.
        labels: int64 (N,), of the training pictures.
        epoch: Counted from 0.
        rank: The process, from 0.
        world: How many processes there are.

    Returns:
        The batches, each int64 (B,) positions in ``labels``, and the generator.
    """
    seed = config.seed * 100_003 + epoch + 1 + 7919 * rank
    torch.manual_seed(seed)
    rng = np.random.default_rng([config.seed, epoch])
    weights = _pair_weights(config, tuple(emotions), epoch)
    plan = epoch_batches(config.sampler, labels, config.batch_size, rng, config.classes_per_batch, weights)
    plan = share_of_process(plan, world, rank, config.sampler == "pairs")
    return plan, torch.Generator().manual_seed(seed)


def _pair_weights(config: TrainingConfig, emotions: tuple[str, ...], epoch: int) -> Optional[PairWeights]:
    """How often each pair of emotions is drawn during an epoch; None where all are alike."""
    if config.pair_order == "mixed":
        return None

    @cache
    def at(done: float) -> NDArray[np.float64]:
        progress = (epoch + done) / config.epochs
        return weigh_pairs(emotions, config.pair_bands, config.pair_order, config.pair_focus, progress)

    return at
