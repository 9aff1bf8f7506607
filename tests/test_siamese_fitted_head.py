"""A head fitted to a finished tower's vectors answers as logistic regression does, and lets the tower teach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from tiny_faces import EMOTIONS, tiny_config, tiny_dataset, tiny_split

from galleries.images import InputSpec
from galleries.shipped import NAME
from siamese.checkpoint import load_checkpoint, save_checkpoint
from siamese.fitted_head import fit_head, with_fitted_head
from siamese.towers import make_tower
from siamese.trainer import Trainer
from siamese.training import fit


def test_it_answers_as_logistic_regression_does() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    vectors = (rng.normal(size=(300, 8)) + 2 * np.eye(3, 8)[labels]).astype(np.float32)
    tower = make_tower("nano", InputSpec(16, 16, 1), embedding_dim=8)
    targets = torch.nn.functional.one_hot(torch.from_numpy(labels), 3).float()
    head = fit_head(tower, torch.from_numpy(vectors), targets)
    oracle = LogisticRegression(C=1 / (2 * 300 * 1e-5), max_iter=1000).fit(vectors, labels)
    with torch.no_grad():
        said = torch.softmax(head(torch.from_numpy(vectors)), 1).numpy()
    np.testing.assert_allclose(said, oracle.predict_proba(vectors), atol=0.01)
    again = fit_head(tower, torch.from_numpy(vectors), targets)
    assert all(torch.equal(value, head.state_dict()[key]) for key, value in again.state_dict().items())


def test_shares_and_smoothing_are_what_it_says() -> None:
    tower = make_tower("nano", InputSpec(16, 16, 1), embedding_dim=4)
    vectors = torch.eye(2, 4).repeat(5, 1)
    shares = torch.tensor([[0.7, 0.3], [0.2, 0.8]]).repeat(5, 1)
    for smoothing in (0.0, 0.4):
        with torch.no_grad():
            said = torch.softmax(fit_head(tower, vectors, shares, smoothing)(vectors), 1)
        torch.testing.assert_close(said, (1 - smoothing) * shares + smoothing / 2, atol=0.01, rtol=0)


def test_a_tower_without_a_head_teaches(tmp_path: Path) -> None:
    dataset, split = tiny_dataset(), tiny_split(tiny_dataset())
    torch.manual_seed(0)
    tower = make_tower("compact", InputSpec(16, 16, 1), embedding_dim=8)
    save_checkpoint(tmp_path / "teacher", tower, None, ("happiness", "surprise"), {})  # of other emotions
    config = tiny_config(loss="cross-entropy", distil_once=True, distil_weight=1.0, label_smoothing=0.1)
    trainer = Trainer(dataset, split, config, tmp_path / "run", "cpu", teachers=[tmp_path / "teacher"])
    found = with_fitted_head(load_checkpoint(tmp_path / "teacher"), dataset, split.train, 0.1)
    assert found.emotions == EMOTIONS
    assert found.head is not None
    assert trainer.teachers is not None
    for key, value in found.head.state_dict().items():
        torch.testing.assert_close(trainer.teachers.heads[0].state_dict()[key], value)
    whole = fit(dataset, split, config, tmp_path / "run", teachers=[tmp_path / "teacher"])
    assert len(whole.history) == 3


def test_what_comes_along_teaches(tmp_path: Path) -> None:
    dataset = tiny_dataset(side=48)
    config = tiny_config(loss="cross-entropy", epochs=1, distil_once=True)
    fit(dataset, tiny_split(dataset), config, tmp_path, teachers=[NAME])
    (teacher,) = load_checkpoint(tmp_path).card["teachers"]
    assert teacher["run"] == NAME
    assert len(teacher["sha256"]) == 64
