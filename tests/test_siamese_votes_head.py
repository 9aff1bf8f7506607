"""A second head learns the votes themselves, is blended, resumed and dropped with the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from small_runs import Recorder
from tiny_faces import tiny_config, tiny_dataset, tiny_split

from galleries.vocabulary import CANONICAL
from siamese.checkpoint import load_checkpoint
from siamese.datasets.base import FaceDataset
from siamese.learner import make_learner, votes_loss
from siamese.training import fit

CONFIG = tiny_config(loss="0.5*supcon+cross-entropy", mixup=0.2, votes_head=0.7)


def voted() -> FaceDataset:
    """Faces of three emotions that ten people mostly name as they are labelled; nobody names one of the first face."""
    dataset = tiny_dataset(emotions=("anger", "fear", "sadness"))
    rng, votes = np.random.default_rng(0), np.zeros((len(dataset), len(CANONICAL)), np.float32)
    for row, label in enumerate(dataset.labels):
        votes[row, CANONICAL.index(dataset.emotions[label])] = 0.7
        votes[row, rng.integers(len(CANONICAL))] += 0.3
    votes[0] = 0
    return replace(dataset, votes=votes)


def test_the_loss_by_hand() -> None:
    scores = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
    votes = torch.tensor([[0.2, 0.8, 0.0], [0.0, 0.0, 0.0]])
    said = np.exp(scores.numpy()) / np.exp(scores.numpy()).sum(axis=1, keepdims=True)
    by_hand = -(0.2 * np.log(said[0, 0]) + 0.8 * np.log(said[0, 1])) / 2  # the row without votes adds nothing
    np.testing.assert_allclose(votes_loss(scores, votes).item(), by_hand, rtol=1e-6)


def test_it_learns_with_the_tower_and_is_not_kept(tmp_path: Path) -> None:
    dataset = voted()
    found = fit(dataset, tiny_split(dataset), replace(CONFIG, epochs=12), tmp_path / "run", device="cpu")
    lost = [row["loss_votes"] for row in found.history]
    assert min(lost[-3:]) < lost[0] - 0.1
    kept = load_checkpoint(tmp_path / "run")
    assert kept.head is not None
    assert not [name for name in kept.tower.state_dict() if "votes" in name]
    other = replace(CONFIG, epochs=12, votes_head=0.0)
    without = fit(dataset, tiny_split(dataset), other, tmp_path / "without", device="cpu")
    assert "loss_votes" not in without.history[0]
    assert kept.tower.fingerprint != without.tower.fingerprint


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    dataset = voted()
    split, config = tiny_split(dataset), replace(CONFIG, schedule="constant")
    whole = fit(dataset, split, config, tmp_path / "whole", device="cpu")
    fit(dataset, split, replace(config, epochs=2), tmp_path / "half", device="cpu")
    rest = fit(dataset, split, config, tmp_path / "half", device="cpu", resume=True)
    assert [row["loss"] for row in rest.history] == [row["loss"] for row in whole.history]
    assert rest.tower.fingerprint == whole.tower.fingerprint


def test_without_votes_it_says_that_it_learns_nothing(tmp_path: Path) -> None:
    watcher, dataset = Recorder(), tiny_dataset()
    learner = make_learner(dataset, tiny_split(dataset), CONFIG, observer=watcher)
    assert learner.votes_head is not None
    assert any("learns nothing without them" in note for note in watcher.notes)


def test_views_keep_the_votes_of_their_pictures() -> None:
    dataset = voted()
    assert dataset.votes is not None
    view = dataset.select(["sadness", "anger"])
    rows = np.flatnonzero(np.isin(dataset.labels, [0, 2]))
    assert view.votes is not None
    np.testing.assert_array_equal(view.votes, dataset.votes[rows])
