"""The batches of an epoch: the same for the same seed, others for another epoch, shared out among processes."""

from __future__ import annotations

import numpy as np
import torch

from siamese.config import TrainingConfig
from siamese.epoch_plan import plan_epoch

EMOTIONS = ("anger", "fear", "happiness")
LABELS = np.arange(96, dtype=np.int64) % 3


def planned(epoch: int = 0, rank: int = 0, world: int = 1, **options: object) -> list[list[int]]:
    config = TrainingConfig(batch_size=24, **options)  # type: ignore[arg-type]
    return [rows.tolist() for rows in plan_epoch(config, EMOTIONS, LABELS, epoch, rank, world)[0]]


def test_the_seed_and_the_epoch_decide() -> None:
    assert planned(sampler="shuffle") == planned(sampler="shuffle")
    assert planned(sampler="shuffle") != planned(1, sampler="shuffle")
    assert planned(sampler="shuffle", seed=1) != planned(sampler="shuffle")
    assert sorted(row for batch in planned(sampler="shuffle") for row in batch) == list(range(96))


def test_processes_share_the_batches_of_one() -> None:
    whole = planned(sampler="shuffle")
    shares = [planned(rank=rank, world=2, sampler="shuffle") for rank in range(2)]
    assert [sorted(a + b) for a, b in zip(*shares)] == [sorted(batch) for batch in whole]


def test_augmentation_differs_by_epoch_and_process() -> None:
    config = TrainingConfig(batch_size=24, sampler="shuffle")
    drawn = []
    for epoch, rank in ((0, 0), (1, 0), (0, 1)):
        _, generator = plan_epoch(config, EMOTIONS, LABELS, epoch, rank, 2)
        drawn.append(torch.rand(1, generator=generator).item())
    assert len(set(drawn)) == 3


def test_ordered_pairs_follow_their_bands_over_the_epochs() -> None:
    bands = ((("anger", "fear"),), (("anger", "happiness"),), (("fear", "happiness"),))
    options = {"sampler": "pairs", "pair_order": "similar-first", "pair_bands": bands, "pair_focus": 1.0, "epochs": 3}
    for batch, pair in (
        (planned(0, **options)[0], {"anger", "fear"}),
        (planned(2, **options)[-1], {"fear", "happiness"}),
    ):
        pairs = [{EMOTIONS[LABELS[row]] for row in rows} for rows in zip(batch[::2], batch[1::2])]
        unlike = [names for names in pairs if len(names) == 2]
        assert unlike
        assert all(names == pair for names in unlike)
