from __future__ import annotations

import numpy as np
import pytest

from eval.gallery_upkeep import condensing_table, label_noise
from galleries.errors import ConfigError, GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 6)
NAMES = ("anger", "fear", "sadness")


def draw(size: int, seed: int) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, size)
    vectors = (np.eye(3, 6)[labels] + rng.normal(0, 0.35, (size, 6))).astype(np.float32)
    return vectors, [NAMES[label] for label in labels]


def load() -> Gallery:
    return Gallery.build(*draw(600, 0), tower=CARD)


def test_planted_labels_are_found_and_cleaning_helps() -> None:
    queries, truth = draw(400, 1)
    clean = np.mean([a == b for a, b in zip(load().predict(queries, 15), truth)])
    few, many = (label_noise(load, queries, truth, share) for share in (0.05, 0.3))
    assert (few.planted, many.planted) == (30, 180)
    assert few.precision > 0.7
    assert few.recall_of_all > 0.9
    assert few.precision_of_all <= 1
    assert many.noisy < clean
    assert many.removed > many.noisy
    assert many.relabelled > many.noisy
    assert label_noise(load, queries, truth, 0.05) == few  # seeded
    assert many.to_json()["share"] == 0.3


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_shares_that_cannot_be(share: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        label_noise(load, *draw(4, 1), share)


def test_a_gallery_of_one_emotion() -> None:
    vectors, _ = draw(20, 0)
    with pytest.raises(GalleryError, match="holds fear alone"):
        label_noise(lambda: Gallery.build(vectors, ["fear"] * 20, tower=CARD), *draw(4, 1), 0.1)


def test_a_way_with_a_size_of_its_own_can_be_stopped_at_each() -> None:
    queries, truth = draw(100, 1)
    rows = condensing_table(load, queries, truth, (0.1, 0.02), [("condensed", False)], limited=True)
    assert [row.size for row in rows] == [60, 12]
    drawn = [condensing_table(load, queries, truth, (0.01,), [("random", False)], seed=n // 2)[0] for n in range(8)]
    assert drawn[::2] == drawn[1::2]
    assert len(set(drawn)) > 1


def test_smaller_galleries_by_way_and_size() -> None:
    queries, truth = draw(400, 1)
    told: list[tuple[int, int]] = []
    ways = [("herding", True), ("random", False), ("condensed", False)]
    rows = condensing_table(
        load, queries, truth, (0.1, 0.02), ways, progress=lambda done, total: told.append((done, total))
    )
    assert [(row.way, row.size) for row in rows[:4]] == [
        ("herding", 60),
        ("herding", 12),
        ("random", 60),
        ("random", 12),
    ]
    assert rows[0].accuracy > 0.8
    assert rows[4].way == "condensed"
    assert rows[4].size < 600
    assert told[-1] == (5, 5)
