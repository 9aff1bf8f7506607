"""How often an index finds the nearest: by hand, and as a gallery keeps it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_galleries import WIDE

from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.index import VectorIndex
from galleries.recall import Recall, measure_recall
from galleries.storage import read_state, write_state

RNG = np.random.default_rng(2)
MANY = RNG.standard_normal((700, 6)).astype(np.float32)


@pytest.mark.parametrize("kind", ["ivf", "hnsw", "ivfpq"])
def test_recall_is_the_share_of_the_true_nearest(kind: str) -> None:
    index = VectorIndex.build(MANY, np.arange(700), metric="euclidean", kind=kind)
    found = measure_recall(index, k=5, queries=700)
    gaps = np.linalg.norm(MANY[:, None] - MANY[None], axis=2)
    true = np.argsort(gaps, axis=1)[:, 1:6]
    own = index.search(MANY, 6)[1][:, 1:]
    by_hand = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(true.tolist(), own.tolist())])
    assert found.share == pytest.approx(by_hand)
    assert (found.k, found.queries, found.size) == (5, 700, 700)
    assert measure_recall(index, queries=50, seed=1) == measure_recall(index, queries=50, seed=1)


def test_exact_search_has_recall_one_and_a_wrong_one_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = VectorIndex.build(np.repeat(MANY[:100], 4, axis=0), np.arange(400))  # copies at equal distance
    assert measure_recall(flat).share == 1
    real = VectorIndex.search

    def worse(self: VectorIndex, queries: np.ndarray, k: int) -> object:
        distances, places = real(self, queries, k)
        distances[:, -2:] += 9
        return distances, places

    monkeypatch.setattr(VectorIndex, "search", worse)
    assert measure_recall(flat).share == pytest.approx(0.6)


def test_few_vectors_have_a_recall_too() -> None:
    for size in (1, 2, 4):
        found = measure_recall(VectorIndex.build(MANY[:size], np.arange(size), kind="hnsw"))
        assert found.share == 1
        assert found.size == size


def test_a_gallery_keeps_what_was_measured(tmp_path: Path) -> None:
    gallery = Gallery.build(MANY, ["anger"] * 700, tower=WIDE, index="hnsw")
    assert gallery.info().get("recall") is None
    measured = gallery.measure_recall(queries=20)
    gallery.save(tmp_path)
    loaded = Gallery.load(tmp_path)
    assert loaded.recall == measured == Recall(measured.share, 5, 20, 700)
    assert loaded.info()["recall"] == measured.to_json()
    assert f"recall@5 {measured.share:.3f}" in measured.sentence()
    header, files, _ = read_state(tmp_path)
    for wrong in ({"share": "1"}, [], {**measured.to_json(), "more": 1}):
        write_state(tmp_path, {**header, "recall": wrong}, files)
        with pytest.raises(GalleryError, match=r"gallery\.json"):
            Gallery.load(tmp_path)
