"""A tower comes back from its ONNX file to train on from, and what comes with the toolkit can be started from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_faces import EMOTIONS, tiny_config, tiny_dataset, tiny_split

from galleries.encoder import OnnxEncoder
from galleries.errors import TowerError
from galleries.images import InputSpec
from galleries.shipped import NAME, open_shipped
from siamese.checkpoint import initialise_from, load_checkpoint
from siamese.export import export_onnx
from siamese.learner import make_learner
from siamese.quantise import store_halves
from siamese.restoring import restore, settle_norms
from siamese.towers import CompactStraightTower, Tower, make_tower


def lived(name: str) -> Tower:
    """A tower whose batch norms have seen pictures."""
    torch.manual_seed(2)
    tower = make_tower(name, InputSpec(16, 16, 1), embedding_dim=8)
    if isinstance(tower, CompactStraightTower):
        torch.nn.init.normal_(tower.straightener.out[3].weight, std=0.1)  # type: ignore[arg-type]
    with torch.no_grad():
        for seed in range(3):
            tower(pictures(seed))
    return tower.eval()


def pictures(seed: int = 9, size: int = 8, side: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (size, 1, side, side), generator=generator, dtype=torch.uint8)


def exported(tower: Tower, folder: Path) -> OnnxEncoder:
    export_onnx(tower, folder / "tower.onnx", EMOTIONS)
    return OnnxEncoder(folder / "tower.onnx")


@pytest.mark.parametrize("name", ["compact", "compact_wide", "compact_straight", "nano"])
@pytest.mark.parametrize("halves", [False, True])
def test_it_gives_the_vectors_of_the_file(name: str, halves: bool, tmp_path: Path) -> None:
    encoder = exported(lived(name), tmp_path)
    if halves:
        encoder = OnnxEncoder(store_halves(encoder.model))
    found = restore(encoder.model, encoder.input_spec, encoder.name)
    assert not found.training
    expected = encoder.encode(pictures().numpy())
    with torch.no_grad():
        np.testing.assert_allclose(found(pictures()).numpy(), expected, atol=1e-4 * np.abs(expected).max())


def test_settled_norms_change_nothing_but_training(tmp_path: Path) -> None:
    tower = lived("compact")
    encoder = exported(tower, tmp_path)
    found = restore(encoder.model, encoder.input_spec, encoder.name)
    torn = restore(encoder.model, encoder.input_spec, encoder.name)
    seen = pictures(4, 64)
    settle_norms(found, seen.split(24))
    with torch.no_grad():
        expected = tower(pictures())
        torch.testing.assert_close(found(pictures()), expected, atol=2e-4, rtol=1e-3)
        for layer in (layer for layer in found.modules() if isinstance(layer, torch.nn.BatchNorm2d)):
            assert layer.running_mean is not None
            assert float(layer.running_var.min()) >= 0  # type: ignore[union-attr]
        # batch statistics of the very pictures: as in evaluation, where the folded one is torn apart
        own, theirs = tower(seen), found.train()(seen)
        apart = torn.train()(seen)
    cosine = torch.nn.functional.cosine_similarity
    assert float(cosine(own - own.mean(0), theirs - theirs.mean(0)).mean()) > 0.99
    assert float(cosine(own - own.mean(0), apart - apart.mean(0)).mean()) < 0.97


def test_a_dead_channel_stays_dead() -> None:
    tower = lived("nano")
    norm = next(layer for layer in tower.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    torch.nn.init.zeros_(norm.weight)
    with torch.no_grad():
        before = tower(pictures())
        settle_norms(tower, [pictures(3)])
        torch.testing.assert_close(tower(pictures()), before, atol=2e-4, rtol=1e-3)
    assert not norm.weight.any()


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    encoder = exported(lived("nano"), tmp_path)
    with pytest.raises(TowerError, match=r"^The ONNX file does not hold a compact tower \(5? ?.*\); export it anew\.$"):
        restore(encoder.model, encoder.input_spec, "compact")
    other = make_tower("siamese", InputSpec(48, 48, 1), embedding_dim=8).eval()
    encoder = exported(other, tmp_path)
    with pytest.raises(TowerError, match=r"^A siamese tower cannot be trained on from its ONNX file"):
        restore(encoder.model, encoder.input_spec, "siamese")


def test_what_comes_along_is_a_checkpoint() -> None:
    bundle = open_shipped(["cpu"])
    found = load_checkpoint(NAME)
    assert found.emotions == tuple(bundle.encoder.emotions)
    assert found.head is None
    assert found.card["shipped"]["references"] == len(bundle.gallery)
    faces = pictures(1, 4, 48)
    expected = bundle.encoder.encode(faces.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(found.tower(faces).numpy(), expected, atol=1e-4 * np.abs(expected).max())
    again = make_tower(found.tower.name, found.tower.input_spec)
    assert initialise_from(again, NAME) == []
    assert again.fingerprint == found.tower.fingerprint


def test_a_run_starts_from_what_comes_along() -> None:
    dataset = tiny_dataset(side=48)
    shipped = load_checkpoint(NAME).tower
    config = tiny_config(tower=shipped.name, input_size=None, embedding_dim=None, loss="cross-entropy")
    learner = make_learner(dataset, tiny_split(dataset), config, Path(NAME))
    assert learner.tower.training
    norm = next(layer for layer in learner.tower.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    assert norm.running_mean is not None
    assert float(norm.running_mean.abs().max()) > 0  # those of the tiny pictures
    faces = pictures(1, 4, 48)
    with torch.no_grad():
        torch.testing.assert_close(learner.tower.eval()(faces), shipped(faces), atol=1e-3, rtol=1e-3)
    with pytest.raises(TowerError, match=r"cannot grow|was to be started from it"):
        make_learner(dataset, tiny_split(dataset), tiny_config(), Path(NAME))
