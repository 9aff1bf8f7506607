"""Few shots of every emotion in a gallery, one of which the tower never saw: against galleries built for real."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_towers import write_tower
from tiny_faces import tiny_dataset

from eval.few_shot_enrolment import draw_shots, few_shot_enrolment
from galleries.encoder import OnnxEncoder
from galleries.errors import DataError
from siamese.enrolling import encode_rows, index_vectors

pytest.importorskip("scipy", reason="the judging part is not installed")


def test_the_same_as_galleries_built_for_real(tmp_path: Path) -> None:
    dataset = tiny_dataset(90, noise=200)
    encoder = OnnxEncoder(write_tower(tmp_path / "tower.onnx"))
    vectors = encode_rows(dataset, np.arange(90), encoder)
    support, queries = np.arange(45), np.arange(45, 90)
    found = few_shot_enrolment(dataset, vectors, support, queries, encoder, "fear", 3, 12, seed=4)
    rng = np.random.default_rng(4)
    truth = np.array([dataset.emotions[label] for label in dataset.labels[queries]])
    accuracies, recalls = [], []
    for _ in range(12):
        rows = draw_shots(dataset.labels, support, 3, rng)
        gallery = index_vectors(dataset, rows, vectors[rows], encoder, thumbnails=False)
        right = np.array(gallery.predict(vectors[queries], 3)) == truth
        accuracies.append(right.mean())
        recalls.append(right[truth == "fear"].mean())
    assert found.accuracy == pytest.approx(np.mean(accuracies))
    assert found.new_recall == pytest.approx(np.mean(recalls))
    assert found.spread == pytest.approx(2.200985 * np.std(accuracies, ddof=1) / 12**0.5)
    assert (found.n_shots, found.n_draws, found.n_queries) == (3, 12, 45)
    assert found.chance == pytest.approx(1 / 3)


def test_too_few_pictures() -> None:
    labels = np.array([0, 0, 0, 1])
    with pytest.raises(DataError, match="2 shots were asked for and class 1 has 1 pictures"):
        draw_shots(labels, np.arange(4), 2, np.random.default_rng(0))
