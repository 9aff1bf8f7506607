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
        {"loss": "cross-entropy", "class_weights": "sqrt", "label_smoothing": 0.2, "optimizer": "adam", "lr": 1e-3},
        {"loss": "2*triplet+0.5*contrastive", "miner": "batch-hard", "gradient_clip": 0.1},
        {"loss": "arcface", "optimizer": "adamw", "gradient_clip": 0.0, "lr": 1e-3},
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
    for key, value in trainer.learner.state_dict().items():
        torch.testing.assert_close(bare.learner.state_dict()[key], value, rtol=1e-5, atol=1e-6)
        moved += not torch.equal(value, before[key])
    assert moved > 10


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
