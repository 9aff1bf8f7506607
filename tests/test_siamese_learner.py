"""A training step: class weights, votes, decay, the weight average."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import run
from tiny_faces import tiny_config, tiny_dataset, tiny_split

from siamese.epoch_plan import plan_epoch
from siamese.learner import class_weights, make_optimizer
from siamese.splits import Split
from siamese.towers import make_tower
from siamese.training import Trainer


def test_class_weights_by_hand() -> None:
    dataset = tiny_dataset(60)
    train = np.concatenate([np.arange(0, 60, 3)[:8], np.arange(1, 60, 3)[:4], np.arange(2, 60, 3)[:2]])
    split = Split(train, np.arange(50, 60), np.arange(0), "random", 0, (0.7, 0.3, 0.0), "", ())
    counts = torch.tensor([8.0, 4.0, 2.0])
    balanced = class_weights(dataset, split, tiny_config(class_weights="balanced"))
    assert balanced is not None
    torch.testing.assert_close(balanced, 14 / (3 * counts))
    root = class_weights(dataset, split, tiny_config(class_weights="sqrt"))
    assert root is not None
    torch.testing.assert_close(root[0] / root[2], torch.tensor(0.5))
    for weights in (balanced, root):
        assert (weights * counts).sum().item() == pytest.approx(14)
    assert class_weights(dataset, split, tiny_config()) is None


def test_weights_and_votes_reach_the_loss(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    votes = np.full((60, 3), 0.1, np.float32)
    votes[np.arange(60), dataset.labels] = 0.8
    options = {"loss": "cross-entropy", "label_smoothing": 0.0, "epochs": 1, "monitor": "softmax"}
    plain = run(tmp_path / "plain", **options)
    soft = run(tmp_path / "soft", dataset=replace(dataset, soft_labels=votes), **options)
    weighed = run(tmp_path / "weighed", class_weights="balanced", **options)
    assert soft.history[0]["loss"] != plain.history[0]["loss"]
    # tiny_dataset is balanced, so balancing changes nothing but rounding
    assert weighed.history[0]["loss"] == pytest.approx(plain.history[0]["loss"], rel=0.2)
    assert soft.tower.fingerprint != plain.tower.fingerprint


def test_decay_spares_biases_and_norms() -> None:
    tower = make_tower("compact", input_size=16)
    for name, kind in (("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)):
        optimizer = make_optimizer(tower, tiny_config(optimizer=name, weight_decay=0.1))
        assert type(optimizer) is kind
        decayed, spared = optimizer.param_groups
        assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
        assert all(p.ndim > 1 for p in decayed["params"])
        assert all(p.ndim <= 1 for p in spared["params"])
        assert len(decayed["params"]) + len(spared["params"]) == len(list(tower.parameters()))


def test_the_average_by_hand(tmp_path: Path) -> None:
    """Of its first steps it remembers little: the share of the old is (1 + n) / (10 + n) until that is the decay."""
    dataset = tiny_dataset()
    config = tiny_config(ema=0.2, epochs=1)
    trainer = Trainer(dataset, tiny_split(dataset), config, tmp_path, "cpu")
    plan, generator = plan_epoch(config, dataset.emotions, trainer.feed.labels, 0)
    trainer.learner.train()
    expected: torch.Tensor | None = None
    for n, (pixels, rows) in enumerate(trainer.feed.batches(plan)):
        trainer.step(pixels, rows, generator, 0.05)
        now = trainer.learner.tower.embedding.weight.detach().clone()  # type: ignore[union-attr, operator]
        old = min(0.2, (1 + n) / (10 + n))
        expected = now if expected is None else old * expected + (1 - old) * now
    averaged = trainer.best_of_now.tower.embedding.weight  # type: ignore[union-attr]
    torch.testing.assert_close(averaged, expected)
    assert not torch.equal(averaged, trainer.learner.tower.embedding.weight)  # type: ignore[union-attr, arg-type]
