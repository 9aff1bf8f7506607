from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eval.similarity_mode import BINS, SimilarityScores, similarity_scores
from galleries.errors import DataError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

EMOTIONS = ("anger", "fear", "sadness")


def scene(metric: str, seed: int = 0) -> tuple[Gallery, Any, Any]:
    """A gallery, and validation and test vectors around the same centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 6))
    card = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 6)

    def draw(size: int) -> tuple[np.ndarray, list[str]]:
        labels = rng.integers(0, 3, size)
        return (centres[labels] + rng.normal(0, 0.7, (size, 6))).astype(np.float32), [EMOTIONS[i] for i in labels]

    vectors, names = draw(90)
    return Gallery.build(vectors, names, tower=card, metric=metric), draw(300), draw(40)


def slow(gallery: Gallery, queries: tuple[np.ndarray, list[str]], threshold: float) -> tuple[float, float, float]:
    """Every anchor asks the gallery itself for what is similar."""
    right = called = alike = 0
    for vector, emotion in zip(*queries):
        found = gallery.similar(vector, threshold)
        called += len(found)
        right += sum(near.emotion == emotion for near in found)
        alike += sum(reference.label == emotion for reference in gallery.references)
    precision = right / called if called else 1.0
    return precision, right / alike, 2 * right / (called + alike)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_against_the_gallerys_own_similarity_mode(metric: str) -> None:
    gallery, validation, test = scene(metric)
    found = similarity_scores(gallery, validation, test)
    for row in (*found.curve, found.test):
        assert (row.precision, row.recall, row.f1) == pytest.approx(slow(gallery, test, row.threshold), abs=2e-3)
    chosen = found.chosen
    assert (chosen.precision, chosen.recall, chosen.f1) == pytest.approx(
        slow(gallery, validation, chosen.threshold), abs=2e-3
    )
    assert found.test.threshold == chosen.threshold


def test_no_other_threshold_is_better_on_validation() -> None:
    gallery, validation, test = scene("cosine")
    chosen = similarity_scores(gallery, validation, test).chosen
    for threshold in np.linspace(0, 2, 21):
        assert slow(gallery, validation, float(threshold))[2] <= chosen.f1 + 2e-3


def test_the_threshold_knows_nothing_of_the_test() -> None:
    gallery, validation, test = scene("cosine")
    other = (test[0][::-1].copy(), test[1])
    assert similarity_scores(gallery, validation, test).chosen == similarity_scores(gallery, validation, other).chosen


def test_calling_everything_alike_is_the_floor() -> None:
    gallery, validation, test = scene("euclidean")
    found = similarity_scores(gallery, validation, test)
    share = np.mean([reference.label == emotion for emotion in test[1] for reference in gallery.references])
    assert found.always.recall == 1
    assert found.always.precision == pytest.approx(share)
    assert found.test.f1 > found.always.f1
    assert isinstance(found, SimilarityScores)
    assert found.to_json()["anchors"] == 40
    assert BINS >= 1000


def test_equal_vectors_are_told_apart_at_distance_zero() -> None:
    card = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 2)
    corners = np.array([[0, 0], [3, 4]], np.float32)
    gallery = Gallery.build(corners, ["anger", "fear"], tower=card, metric="euclidean")
    found = similarity_scores(gallery, (corners, ["anger", "fear"]), (corners, ["anger", "fear"]))
    assert (found.test.precision, found.test.recall, found.test.f1) == (1, 1, 1)
    assert found.test.threshold < 5


def test_nothing_to_find_it_on() -> None:
    gallery, validation, test = scene("cosine")
    empty = (np.zeros((0, 6), np.float32), [])
    with pytest.raises(DataError, match="validation part is empty"):
        similarity_scores(gallery, empty, test)
    with pytest.raises(DataError, match="test part is empty"):
        similarity_scores(gallery, validation, empty)
    with pytest.raises(DataError, match="No reference shows an emotion"):
        similarity_scores(gallery, (validation[0], ["joy"] * 300), test)
