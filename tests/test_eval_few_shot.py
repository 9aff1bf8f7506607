"""Heads on the same episodes, against slow oracles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_pools import NAMES, dataset_of, gaussian

from eval.episodes import Pool, draw_episodes
from eval.few_shot import UNSHARED, Mean, gallery_answers, score_episodes
from eval.heads import HEADS, TITLES, logistic_regression
from galleries.errors import ConfigError, GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

pytest.importorskip("sklearn", reason="the judging part is not installed")


def slow_knn(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, metric: str, k: int) -> list[int]:
    """A real gallery of the shots."""
    card = TowerCard("tiny", "ab", InputSpec(8, 8, 1), support.shape[1])
    gallery = Gallery.build(support, [NAMES[label] for label in labels], tower=card, metric=metric)
    return [NAMES.index(name) for name in gallery.predict(queries, k)]


def slow_mean(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, metric: str, k: int) -> list[int]:
    answers = []
    for query in queries.astype(np.float64):
        distances = []
        for label in range(labels.max() + 1):
            own = support[labels == label].astype(np.float64)
            if metric == "cosine":
                mean = np.mean([v / np.linalg.norm(v) for v in own], axis=0)
                distances.append(1 - mean @ query / np.linalg.norm(mean) / np.linalg.norm(query))
            else:
                distances.append(float(np.linalg.norm(query - own.mean(axis=0))))
        answers.append(int(np.argmin(distances)))
    return answers


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(("head", "oracle"), [("knn", slow_knn), ("prototype", slow_mean)])
def test_accuracy_against_a_slow_oracle(metric: str, head: str, oracle: Any) -> None:
    pool, vectors = gaussian(4, 120, 1.0)
    fewer = np.flatnonzero((pool.labels > 0) | (np.arange(len(pool)) % 8 == 0))  # half as many of the first emotion
    pool = replace(pool, rows=pool.rows[fewer], labels=pool.labels[fewer], groups=pool.groups[fewer])
    vectors = vectors[fewer]
    episodes = draw_episodes(pool, 3, 5, 6, 25)
    found = score_episodes(pool, vectors, episodes, metric, [head])
    labels = np.repeat(np.arange(3), 5)
    accuracies, weighted = [], []
    recalls: dict[str, list[float]] = {name: [] for name in NAMES[:4]}
    for classes, shots, asked in zip(episodes.classes, episodes.support, episodes.queries):
        answers = np.array(oracle(vectors[shots.ravel()], labels, vectors[asked.ravel()], metric, 5)).reshape(3, 6)
        accuracies.append(np.mean(answers == np.arange(3)[:, None]))
        for place, label in enumerate(classes):
            recalls[NAMES[label]].append(float(np.mean(answers[place] == place)))
        sizes = [pool.size(label)[0] for label in classes]
        each = [np.mean(answers[place] == place) for place in range(3)]
        weighted.append(sum(size * share for size, share in zip(sizes, each)) / sum(sizes))
    assert found.heads[head].weighted.mean == pytest.approx(np.mean(weighted))
    assert found.heads[head].weighted.mean != pytest.approx(found.heads[head].accuracy.mean)
    assert found.heads[head].accuracy.mean == pytest.approx(np.mean(accuracies))
    for name, shares in recalls.items():
        assert found.heads[head].recalls[name].mean == pytest.approx(np.mean(shares))
    assert found.chance == pytest.approx(1 / 3)
    assert found.n_neighbors == 5


def test_logistic_regression_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    pool, vectors = gaussian(4, 80, 0.7)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = pool.labels
    slow = LogisticRegression(tol=1e-9, max_iter=20000).fit(unit[:40].astype(np.float64), labels[:40])
    shares = np.sort(slow.predict_proba(unit[40:]), axis=1)
    clear = shares[:, -1] - shares[:, -2] > 0.01
    answers = logistic_regression(vectors[:40], labels[:40], vectors[40:], "cosine", 1)
    assert clear.mean() > 0.8
    assert (answers == slow.predict(unit[40:]))[clear].all()


@pytest.mark.parametrize("head", list(HEADS))
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_heads_do_not_depend_on_the_vectors_scale(head: str, metric: str) -> None:
    pool, vectors = gaussian(3, 90, 0.8)
    episodes = draw_episodes(pool, 3, 4, 5, 10)
    one, other = (score_episodes(pool, vectors * s, episodes, metric, [head]) for s in (np.float32(1), np.float32(64)))
    assert one.heads[head].accuracy.mean == pytest.approx(other.heads[head].accuracy.mean, abs=0.01)
    assert one.heads[head].accuracy.mean > 0.5


@pytest.mark.parametrize("n_shot", [1, 5])
def test_random_vectors_lie_at_chance(n_shot: int) -> None:
    rng = np.random.default_rng(3)
    pool = Pool.of(dataset_of(np.arange(1500) % 5))
    vectors = rng.normal(size=(1500, 16)).astype(np.float32)
    episodes = draw_episodes(pool, 5, n_shot, 15, 60)
    found = score_episodes(pool, vectors, episodes, "cosine")
    assert set(found.heads) == set(HEADS) == set(TITLES)
    for score in found.heads.values():
        assert score.accuracy.mean == pytest.approx(0.2, abs=0.03)


def test_separate_classes_are_always_right_and_progress_is_told() -> None:
    pool, vectors = gaussian(5, 100, 0.01)
    told: list[tuple[int, int]] = []
    episodes = draw_episodes(pool, 5, 2, 3, 8)
    found = score_episodes(pool, vectors, episodes, "cosine", progress=lambda done, total: told.append((done, total)))
    for score in found.heads.values():
        assert score.accuracy == Mean(1.0, (1.0, 1.0))
        assert all(recall.mean == 1 for recall in score.recalls.values())
    assert told == [(n, 8) for n in range(1, 9)]
    plain = found.to_json()
    assert plain["heads"]["knn"]["accuracy"] == {"mean": 1.0, "interval_95": [1.0, 1.0]}
    assert plain["gallery"] is None


def test_more_shots_that_vote_than_there_are() -> None:
    pool, vectors = gaussian(3, 60, 0.1)
    episodes = draw_episodes(pool, 3, 1, 3, 2)
    with pytest.raises(GalleryError, match="the gallery holds 3"):
        score_episodes(pool, vectors, episodes, "cosine", ["knn"], 4)
    with pytest.raises(ConfigError, match=r"'svm' is not a known few-shot head"):
        score_episodes(pool, vectors, episodes, "cosine", ["svm"])


def test_means_over_episodes() -> None:
    assert Mean.over(np.array([0.5, np.nan])) == Mean(0.5, None)
    assert Mean.over(np.array([np.nan])) is None
    found = Mean.over(np.array([0.0, 1.0, 0.5]))
    assert found is not None
    assert found.interval is not None
    assert (found.mean, found.interval[0]) == (0.5, pytest.approx(0.5 - 4.302653 * 0.5 / 3**0.5))


def test_the_towers_own_gallery_on_the_same_queries() -> None:
    """It knows anger and fear, and happiness, which is not asked about."""
    pool, vectors = gaussian(3, 90, 0.05)
    card = TowerCard("tiny", "ab", InputSpec(8, 8, 1), 6)
    known = np.array([0, 2, 3, 5])  # two of anger, two of fear
    names = [NAMES[label] for label in pool.labels[known]]
    gallery = Gallery.build(vectors[known], names, tower=card)
    gallery.add(-vectors[:1], ["happiness"])
    episodes = draw_episodes(pool, 2, 2, 4, 40)
    answers = gallery_answers(gallery, pool, vectors, episodes.places, 1)
    assert (answers[pool.labels == 1] == UNSHARED).all()
    found = score_episodes(pool, vectors, episodes, "cosine", gallery=answers)
    assert found.gallery == Mean(1.0, (1.0, 1.0))
    for score in found.heads.values():
        assert score.shared is not None
        assert score.shared.mean == pytest.approx(1.0)
    wrong = np.where(answers == UNSHARED, UNSHARED, -1)  # happiness, whatever is asked
    assert score_episodes(pool, vectors, episodes, "cosine", ["knn"], gallery=wrong).gallery == Mean(0.0, (0.0, 0.0))


def test_only_shared_emotions_count_beside_the_gallery() -> None:
    pool, vectors = gaussian(2, 60, 0.01)
    vectors[1::2] = np.random.default_rng(0).normal(size=(30, 6))  # contempt is noise
    answers = np.where(pool.labels == 0, 0, UNSHARED)
    episodes = draw_episodes(pool, 2, 3, 5, 20)
    score = score_episodes(pool, vectors, episodes, "cosine", ["prototype"], gallery=answers).heads["prototype"]
    assert score.shared is not None
    assert score.shared.mean == pytest.approx(score.recalls["anger"].mean)
    assert score.shared.mean > score.accuracy.mean
