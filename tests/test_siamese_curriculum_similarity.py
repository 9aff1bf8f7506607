from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from galleries.errors import ConfigError
from siamese.curriculum.similarity import (
    Ranking,
    confusion_similarity,
    confusion_within,
    load_prior,
    mean_similarity,
    rank_pairs,
)

EMOTIONS = ("fear", "anger", "sadness", "happiness")
CONFUSION = np.array(
    [  # answers: fear, anger, sadness, happiness
        [60, 20, 20, 0],  # fear
        [10, 80, 10, 0],  # anger
        [40, 20, 40, 0],  # sadness
        [2, 2, 0, 196],  # happiness
    ]
)


def test_a_ranking_worked_by_hand() -> None:
    """fear+sadness (.2+.4)/2, anger+fear (.1+.2)/2, anger+sadness (.1+.2)/2, then .005 twice, and 0."""
    ranking = rank_pairs(EMOTIONS, confusion_similarity(CONFUSION))
    found = [(pair.name, round(float(pair.similarity or 0), 6), pair.band) for pair in ranking.pairs]
    assert found == [
        ("fear+sadness", 0.3, "similar"),
        ("anger+fear", 0.15, "similar"),
        ("anger+sadness", 0.15, "moderate"),
        ("anger+happiness", 0.005, "moderate"),
        ("fear+happiness", 0.005, "distinct"),
        ("happiness+sadness", 0.0, "distinct"),
    ]


def test_bounds_cut_the_ranking_where_they_say() -> None:
    ranking = rank_pairs(EMOTIONS, confusion_similarity(CONFUSION), (0.3, 0.005))
    assert [pair.band for pair in ranking.pairs] == ["similar", *["moderate"] * 4, "distinct"]
    assert ranking.bands(("fear", "anger")) == ((), (("anger", "fear"),), ())
    with pytest.raises(ConfigError, match="give the higher one first"):
        rank_pairs(EMOTIONS, confusion_similarity(CONFUSION), (0.1, 0.2))


def test_fewer_emotions_have_thirds_of_their_own() -> None:
    ranking = rank_pairs(EMOTIONS, confusion_similarity(CONFUSION))
    assert ranking.bands(("happiness", "fear", "anger")) == (
        (("anger", "fear"),),
        (("anger", "happiness"),),
        (("fear", "happiness"),),
    )
    assert ranking.bands(("sadness", "happiness")) == ((("happiness", "sadness"),), (), ())
    assert sum(map(len, ranking.bands(EMOTIONS))) == 6


def test_an_emotion_without_pictures_is_like_no_other() -> None:
    similarity = confusion_similarity(np.array([[0, 0], [0, 5]]))
    assert np.array_equal(similarity, np.zeros((2, 2)))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_means_against_plain_loops(metric: str) -> None:
    rng = np.random.default_rng(3)
    vectors, labels = rng.normal(size=(40, 5)).astype(np.float32), np.arange(40) % 4
    similarity = mean_similarity(vectors, labels, 4, metric)
    for a in range(4):
        for b in range(4):
            first = np.mean([v for v, label in zip(vectors, labels) if label == a], axis=0)
            second = np.mean([v for v, label in zip(vectors, labels) if label == b], axis=0)
            if metric == "cosine":
                gap = 1 - first @ second / np.linalg.norm(first) / np.linalg.norm(second)
            else:
                gap = np.linalg.norm(first - second)
            assert similarity[a, b] == pytest.approx(-gap, abs=1e-5)


def test_neighbouring_means_come_first() -> None:
    centres = np.array([[0.0, 0], [1, 0], [5, 0]])
    labels = np.repeat([0, 1, 2], 10)
    vectors = (centres[labels] + np.random.default_rng(0).normal(0, 0.1, (30, 2))).astype(np.float32)
    ranking = rank_pairs(("neutral", "sadness", "surprise"), mean_similarity(vectors, labels, 3, "euclidean"))
    assert [pair.name for pair in ranking.pairs] == ["neutral+sadness", "sadness+surprise", "neutral+surprise"]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 4])
def test_nobody_votes_on_itself(metric: str, k: int) -> None:
    """Against plain loops, each vector left out of its own vote; copies of it are others."""
    rng = np.random.default_rng(k)
    labels = rng.integers(0, 3, 36)
    vectors = (np.eye(3, 6)[labels] + rng.normal(0, 0.6, (36, 6))).astype(np.float32)
    vectors[30:] = vectors[:6]  # exact copies
    labels[30:] = labels[:6]
    expected = np.zeros((3, 3), int)
    exact = vectors.astype(np.float64)
    for own, query in enumerate(exact):
        if metric == "cosine":
            gaps = 1 - exact @ query / np.linalg.norm(exact, axis=1) / np.linalg.norm(query)
        else:
            gaps = np.linalg.norm(exact - query, axis=1)
        gaps[own] = np.inf
        near = np.argsort(gaps)[:k]
        votes = [sum(1 / max(gaps[i], 1e-6) for i in near if labels[i] == label) for label in range(3)]
        expected[labels[own], int(np.argmax(votes))] += 1
    assert confusion_within(vectors, labels, 3, metric, k).tolist() == expected.tolist()


def test_more_copies_than_neighbours_are_no_trouble() -> None:
    vectors = np.ones((12, 4), np.float32)
    labels = np.repeat([0, 1], 6)
    assert confusion_within(vectors, labels, 2, "euclidean", 3).sum() == 12


PRIOR = """
similar = [["fear", "sad"], "angry+fear"]
moderate = [["anger", "sadness"]]
distinct = [["anger", "happy"], ["fear", "happy"], ["sad", "happy"], ["surprise", "fear"]]
"""
RANKING = 'ranking = ["fear+sad", "anger+fear", "anger+sad", "anger+happy", "fear+happy", "sad+happy"]'


def test_a_persons_bands_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "prior.toml"
    path.write_text(PRIOR)
    ranking = load_prior(path, EMOTIONS)
    assert [len(band) for band in ranking.bands(EMOTIONS)] == [2, 1, 3]
    assert ranking.pairs[0].similarity is None
    assert ranking.bands(("anger", "happiness")) == ((), (), (("anger", "happiness"),))


def test_a_persons_ranking_is_cut_in_thirds(tmp_path: Path) -> None:
    path = tmp_path / "prior.toml"
    path.write_text(RANKING)
    assert [len(band) for band in load_prior(path, EMOTIONS).bands(EMOTIONS)] == [2, 2, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("similar = [", "cannot be read as TOML"),
        ("similar = []", "give the list ranking, or the three lists"),
        ("ranking = 3", "give the list ranking"),
        ('ranking = ["fear+sad"]', "lacks 5 of 6 pairs, such as anger.fear"),
        (RANKING.replace('"anger+fear"', '"fear+sad"'), "names the pair fear.sadness twice"),
        ('ranking = ["fear"]', "no pair of emotions"),
    ],
)
def test_a_ranking_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prior.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_prior(path, EMOTIONS)


def test_a_missing_ranking_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_prior(tmp_path / "none.toml", EMOTIONS)


def test_no_ranking_has_no_bands() -> None:
    assert Ranking().bands(EMOTIONS) == ((), (), ())
