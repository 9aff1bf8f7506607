from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_faces import tiny_dataset

import siamese.feeding
from galleries.images import InputSpec, prepare
from siamese.feeding import PixelFeed, encode
from siamese.towers import make_tower

SPECS = [InputSpec(16, 16, 1), InputSpec(16, 16, 3), InputSpec(20, 12, 3, "linear")]


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("dense", [True, False])
def test_a_feed_gives_the_prepared_pictures(spec: InputSpec, dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not dense:
        monkeypatch.setattr(siamese.feeding, "DENSE_BYTES", 0)
    dataset = tiny_dataset(30)
    indices = np.array([7, 3, 29, 3, 11])
    feed = PixelFeed(dataset, indices, spec)
    assert len(feed) == 5
    assert feed.labels.tolist() == dataset.labels[indices].tolist()
    plan = [np.array([4, 0]), np.array([1]), np.array([2, 3, 0])] * 4
    given = list(feed.batches(plan))
    assert len(given) == len(plan)
    for (pixels, rows), wanted in zip(given, plan):
        assert rows is wanted
        assert pixels.dtype == torch.uint8
        expected = np.stack([prepare(dataset.image(int(indices[row])), spec) for row in wanted])
        assert np.array_equal(pixels.numpy(), expected)
    assert torch.cat(list(feed.in_order(2))).shape == (5, spec.channels, spec.height, spec.width)


def test_an_unfinished_walk_stops_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siamese.feeding, "DENSE_BYTES", 0)
    feed = PixelFeed(tiny_dataset(30), np.arange(30), SPECS[2])
    walk = feed.batches([np.array([row]) for row in range(30)])
    first, _ = next(iter(walk))
    walk.close()  # type: ignore[attr-defined]
    assert first.shape == (1, 3, 20, 12)


def test_encoding_is_the_tower_in_evaluation_mode() -> None:
    dataset = tiny_dataset(21)
    tower = make_tower("compact", input_size=16, embedding_dim=8)
    tower.train()
    feed = PixelFeed(dataset, np.arange(21), tower.input_spec)
    vectors = encode(tower, feed, batch_size=8)
    assert tower.training
    assert vectors.dtype == np.float32
    with torch.inference_mode():
        expected = tower.eval()(feed.pixels(np.arange(21))).numpy()
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-5)
    assert encode(tower, PixelFeed(dataset, np.arange(0), tower.input_spec)).shape == (0, 8)


def test_votes_come_along() -> None:
    from dataclasses import replace

    votes = np.full((30, 3), 1 / 3, np.float32)
    feed = PixelFeed(replace(tiny_dataset(30), soft_labels=votes), np.array([1, 2]), SPECS[0])
    assert feed.soft is not None
    assert feed.soft.shape == (2, 3)
    assert PixelFeed(tiny_dataset(30), np.array([1, 2]), SPECS[0]).soft is None
