"""recall@k, R-precision and MAP@R against a slow count, by hand, and against pytorch-metric-learning."""

from __future__ import annotations

import numpy as np
import pytest

from eval.intervals import Bootstrap
from eval.retrieval import retrieve
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

NAMES = np.array(["anger", "fear", "sadness"])


def scene(
    metric: str, seed: int = 0, references: int = 150, queries: int = 60
) -> tuple[Gallery, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 5))

    def draw(size: int) -> tuple[np.ndarray, list[str]]:
        labels = rng.choice(3, size, p=[0.6, 0.3, 0.1])
        vectors = (centres[labels] + rng.normal(0, 1.2, (size, 5))).astype(np.float32)
        return vectors, NAMES[labels].tolist()

    vectors, names = draw(references)
    card = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 5)
    return Gallery.build(vectors, names, tower=card, metric=metric), *draw(queries)


def slow(gallery: Gallery, vector: np.ndarray, emotion: str) -> tuple[float, float]:
    """R-precision and MAP@R of one query by their definitions."""
    labels = [reference.label for reference in gallery.references]
    size = labels.count(emotion)
    _, indices = gallery.kneighbors(vector[None], max(size, 1))
    hits = [labels[index] == emotion for index in indices[0][:size]]
    total = sum(sum(hits[: place + 1]) / (place + 1) for place in range(size) if hits[place])
    return sum(hits) / size, total / size


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_against_the_definitions(metric: str) -> None:
    gallery, vectors, truth = scene(metric)
    found = retrieve(gallery, vectors, truth)
    wanted = np.array([slow(gallery, vector, emotion) for vector, emotion in zip(vectors, truth)])
    assert found.r_precision == pytest.approx(wanted[:, 0])
    assert found.average_precision == pytest.approx(wanted[:, 1])
    for k, right in found.recall.items():
        answers = [gallery.classify(vector[None], k)[0].neighbours for vector in vectors]
        assert right.tolist() == [any(near.emotion == e for near in own) for own, e in zip(answers, truth)]


def test_against_pytorch_metric_learning() -> None:
    pytest.importorskip("pytorch_metric_learning", reason="the learning part is not installed")
    import torch
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    gallery, vectors, truth = scene("euclidean", seed=3)
    code = {name: place for place, name in enumerate(NAMES)}
    calculator = AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"), k="max_bin_count"
    )
    wanted = calculator.get_accuracy(
        torch.from_numpy(vectors),
        torch.tensor([code[name] for name in truth]),
        torch.from_numpy(gallery.vectors),
        torch.tensor([code[reference.label] for reference in gallery.references]),
    )
    found = retrieve(gallery, vectors, truth).summary(Bootstrap.draw(len(truth)))
    assert found.values["recall_at_1"] == pytest.approx(wanted["precision_at_1"])
    assert found.values["r_precision"] == pytest.approx(wanted["r_precision"], abs=1e-6)
    assert found.values["map_at_r"] == pytest.approx(wanted["mean_average_precision_at_r"], abs=1e-6)


def test_a_case_worked_by_hand() -> None:
    """On a line: anger at 0, fear at 1, anger at 2, sadness at 9; asked at 0.1 about anger (R = 2): right, wrong."""
    card = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 1)
    places = np.array([[0], [1], [2], [9]], np.float32)
    gallery = Gallery.build(places, ["anger", "fear", "anger", "sadness"], tower=card, metric="euclidean")
    found = retrieve(gallery, np.array([[0.1], [1.9], [0.2]], np.float32), ["anger", "sadness", "fear"])
    assert found.r_precision.tolist() == [0.5, 0, 0]
    assert found.average_precision.tolist() == [0.5, 0, 0]
    assert {k: right.tolist() for k, right in found.recall.items()} == {
        1: [True, False, False],
        2: [True, False, True],
        4: [True, True, True],
    }
    assert found.share.tolist() == [0.5, 0.25, 0.25]
    kept = found.summary(Bootstrap.draw(2), np.array([True, False, True]))
    assert kept.values["recall_at_2"] == 1
    assert kept.floors["recall_at_1"] == pytest.approx(0.375)


def test_of_equal_distances_another_emotion_comes_first() -> None:
    card = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 1)
    places = np.array([[1], [1], [9]], np.float32)
    gallery = Gallery.build(places, ["anger", "fear", "sadness"], tower=card, metric="euclidean")
    found = retrieve(gallery, np.array([[1], [1], [9]], np.float32), ["anger", "fear", "sadness"])
    assert found.r_precision.tolist() == [0, 0, 1]
    assert found.average_precision.tolist() == [0, 0, 1]


def test_random_vectors_lie_at_the_floors() -> None:
    rng = np.random.default_rng(0)
    card = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 8)
    names = NAMES[rng.choice(3, 600, p=[0.6, 0.3, 0.1])].tolist()
    gallery = Gallery.build(rng.normal(size=(600, 8)).astype(np.float32), names, tower=card)
    truth = NAMES[rng.choice(3, 900, p=[0.6, 0.3, 0.1])].tolist()
    found = retrieve(gallery, rng.normal(size=(900, 8)).astype(np.float32), truth).summary(Bootstrap.draw(900))
    for name, floor in found.floors.items():
        assert found.values[name] == pytest.approx(floor, abs=0.05), name
        low, high = found.intervals[name]
        assert low < found.values[name] < high
    assert found.to_json()["map_at_r"]["floor"] == found.floors["map_at_r"]
