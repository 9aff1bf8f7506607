from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_faces import tiny_config, tiny_dataset, tiny_split

from eval.training_benchmark import BareLoop, benchmark_training
from galleries.errors import ConfigError
from siamese.augment import Augmentation
from siamese.training import Trainer


def trainer_for(folder: Path, **options: Any) -> Trainer:
    dataset = tiny_dataset()
    return Trainer(dataset, tiny_split(dataset), tiny_config(**options), folder, "cpu")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "cross-entropy", "class_weights": "sqrt", "label_smoothing": 0.2, "optimizer": "adam"},
        {"loss": "2*triplet+0.5*contrastive", "miner": "batch-hard", "gradient_clip": 0.1},
        {"loss": "arcface", "optimizer": "adamw", "gradient_clip": 0.0},
        {"precision": "bfloat16"},
    ],
)
def test_both_loops_make_the_same_step(options: dict[str, Any], tmp_path: Path) -> None:
    trainer = trainer_for(tmp_path, tower="compact", augment=Augmentation(), **options)
    pool = np.arange(len(trainer.feed))
    bare = BareLoop(trainer, trainer.feed.pixels(pool), torch.from_numpy(trainer.feed.labels))
    before = {key: value.clone() for key, value in trainer.learner.state_dict().items()}
    rows = np.array([1, 5, 9, 2, 3, 30, 31, 8, 11, 20])
    trainer.learner.train()
    trainer.step(trainer.feed.pixels(rows), rows, torch.Generator().manual_seed(0), trainer.config.lr)
    bare.step(rows)
    moved = 0
    theirs = {key: value.grad for key, value in bare.learner.named_parameters()}
    ours = {key: value.grad for key, value in trainer.learner.named_parameters()}
    assert len(ours) > 10
    for key, grad in ours.items():
        torch.testing.assert_close(theirs[key], grad, rtol=1e-5, atol=1e-6)
    sure = (
        {} if not trainer.config.optimizer.startswith("adam") else where_rounding_does_not_decide(ours, before, trainer)
    )
    for key, value in trainer.learner.state_dict().items():
        found, some = bare.learner.state_dict()[key], sure.get(key, ...)
        torch.testing.assert_close(found[some], value[some], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found, value, rtol=1e-5, atol=trainer.config.lr)
        moved += not torch.equal(value, before[key])
    assert moved > 10


def where_rounding_does_not_decide(
    grads: dict[str, Any], before: dict[str, torch.Tensor], trainer: Trainer
) -> dict[str, torch.Tensor]:
    """Adam divides a gradient, with its share of the weight, by its size: next to nothing, its last bits decide.

    One of nothing and one of 1e-12, which sums of another order may give, are half a thousandth of a step apart.
    """
    decay = trainer.config.weight_decay
    sure = {key: (grad + decay * before[key]).abs() > 1e-5 for key, grad in grads.items()}
    assert sum(int(some.sum()) for some in sure.values()) > 0.95 * sum(some.numel() for some in sure.values())
    return sure


def test_a_small_benchmark_runs(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    speed = benchmark_training(trainer_for(tmp_path), 3, 2, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert len(speed.ratios) == 3
    assert min(speed.ratios) > 0
    assert speed.ratio == sorted(speed.ratios)[1]
    assert (speed.precision, speed.batch_size, speed.steps) == ("float32", 14, 2)
    plain = json.loads(json.dumps(speed.to_json()))
    assert plain["ratio"] == speed.ratio
    assert plain["toolkit"] > 0
    assert not list(tmp_path.iterdir())  # measuring leaves nothing behind


def test_a_batch_larger_than_the_data_is_cut(tmp_path: Path) -> None:
    assert benchmark_training(trainer_for(tmp_path, batch_size=500), 1, 1).batch_size == 42


def test_nothing_to_measure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        benchmark_training(trainer_for(tmp_path), 0, 5)
