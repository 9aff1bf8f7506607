from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eval.judgement import Judgement, judge
from galleries.errors import DataError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard
from siamese.datasets.base import FaceDataset, PixelStore
from siamese.splits import Split

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra [eval])")

EMOTIONS = ("anger", "fear")
TRAIN, TEST = np.arange(4), np.arange(4, 10)
LABELS = np.array([0, 0, 1, 1, 0, 0, 0, 1, 1, 1])
# where the test pictures' vectors lie: near the references of emotion 0, or of 1
SEEN_AS = np.array([0, 0, 1, 1, 1, 0])


def faces(copies: int) -> FaceDataset:
    """Ten pictures; the first ``copies`` test pictures are copies of training picture 0."""
    pixels = np.random.default_rng(0).integers(0, 256, (10, 8, 8)).astype(np.uint8)
    pixels[4 : 4 + copies] = pixels[0]
    ids = tuple(f"row:{row}" for row in range(10))
    store = PixelStore.from_array(pixels)
    return FaceDataset("tiny", "folder", Path("tiny"), EMOTIONS, LABELS, ids, store, np.arange(10))


def judged(copies: int, scores: np.ndarray | None = None, test: np.ndarray = TEST) -> Judgement:
    centres = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], np.float32)
    card = TowerCard("tiny", "0" * 32, InputSpec(8, 8, 1), 3)
    near = centres[[0, 0, 1, 1]] + np.float32(0.01) * np.arange(12, dtype=np.float32).reshape(4, 3)
    gallery = Gallery.build(near, ["anger", "anger", "fear", "fear"], tower=card)
    split = Split(TRAIN, np.arange(0), test, "random", 0, (0.4, 0.0, 0.6), "", ())
    return judge(faces(copies), split, gallery, centres[SEEN_AS[: len(test)]], 2, scores)


def test_answers_are_counted() -> None:
    found = judged(0)
    assert found.knn.confusion.tolist() == [[2, 1], [1, 2]]
    assert found.knn.accuracy == pytest.approx(4 / 6)
    assert (found.leaks, found.knn_without_leaks, found.softmax) == (0, None, None)
    assert found.leakage.is_clean
    plain = json.loads(json.dumps(found.to_json()))
    assert (plain["leaking"], plain["n_neighbors"], plain["knn_without_leaks"]) == (False, 2, None)


def test_copies_are_left_out_of_a_second_count() -> None:
    scores = np.zeros((6, 2), np.float32)
    scores[:, 1] = 1.0  # a head that always says fear
    found = judged(2, scores)
    assert found.leaks == 2
    assert found.knn.n == 6
    assert found.knn_without_leaks is not None
    assert found.knn_without_leaks.confusion.tolist() == [[0, 1], [1, 2]]
    assert found.softmax is not None
    assert found.softmax_without_leaks is not None
    assert found.softmax.accuracy == 0.5
    assert found.softmax_without_leaks.accuracy == 0.75
    assert not found.leakage.is_clean
    plain = found.to_json()
    assert plain["leaking"] is True
    assert plain["softmax_without_leaks"]["n"] == 4


def test_a_test_of_nothing_but_copies() -> None:
    assert judged(6).knn_without_leaks is None
    assert judged(6).leaks == 6


def test_an_empty_test_is_refused() -> None:
    with pytest.raises(DataError, match="and some"):
        judged(0, test=np.arange(0))
