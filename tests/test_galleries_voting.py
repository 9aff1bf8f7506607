from __future__ import annotations

from typing import List, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries.errors import ConfigError, GalleryError
from galleries.voting import WEIGHTS, decide, vote, vote_alone


def slow_scores(distances: List[float], labels: List[int], n_classes: int, weights: str) -> List[float]:
    """The definition, one query at a time."""
    voters = [(d, label) for d, label in zip(distances, labels) if label >= 0]
    if not voters:
        return [0.0] * n_classes
    mean = sum(d for d, _ in voters) / len(voters)
    scores = [0.0] * n_classes
    for d, label in voters:
        scores[label] += 1.0 if weights == "majority" or mean == 0 else 1 / (d + 0.1 * mean)
    return [score / sum(scores) for score in scores]


def slow_winner(scores: List[float], distances: List[float], labels: List[int]) -> int:
    present = [label for label in labels if label >= 0]
    if not present:
        return -1
    best = max(scores)
    tied = [label for label in sorted(set(present)) if scores[label] >= best - 1e-9]
    return min(tied, key=lambda label: (min(d for d, la in zip(distances, labels) if la == label), label))


rows = st.integers(1, 7).flatmap(
    lambda k: st.lists(
        st.tuples(
            st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, 2.0]), min_size=k, max_size=k).map(sorted),
            st.lists(st.integers(-1, 3), min_size=k, max_size=k),
        ),
        min_size=1,
        max_size=5,
    )
)


@given(rows, st.sampled_from(["majority", "distance"]))
def test_against_the_definition(batch: list, weights: str) -> None:
    distances = np.array([d for d, _ in batch], np.float32)
    labels = np.array([label for _, label in batch])
    scores = vote(distances, labels, 4, weights)
    expected = [slow_scores(d, label, 4, weights) for d, label in batch]
    np.testing.assert_allclose(scores, expected, atol=1e-12)
    winners = decide(scores, distances, labels)
    assert winners.tolist() == [slow_winner(list(s), d, label) for s, (d, label) in zip(expected, batch)]
    assert winners.dtype == np.int64


alone = st.integers(1, 40).flatmap(
    lambda k: st.tuples(
        st.lists(st.floats(0, 4, width=32) | st.sampled_from([0.0, 0.25, 0.5]), min_size=k, max_size=k).map(sorted),
        st.lists(st.integers(0, 11), min_size=k, max_size=k),
    )
)


@given(alone, st.integers(12, 20), st.sampled_from(WEIGHTS))
def test_alone_to_the_last_bit(query: tuple, n_classes: int, weights: str) -> None:
    distances, labels = query
    far, known = np.array([distances], np.float32), np.array([labels])
    scores = vote(far, known, n_classes, weights)
    assert vote_alone(distances, labels, n_classes, weights) == (scores[0].tolist(), decide(scores, far, known)[0])


@given(alone, st.integers(12, 16), st.sampled_from(WEIGHTS), st.integers(0, 2**32 - 1))
def test_alone_with_divided_voices(query: tuple, n_classes: int, weights: str, seed: int) -> None:
    """Thirds and halves, so that ties come up, too, some of them between classes that are nobody's label."""
    distances, labels = query
    parts = np.random.default_rng(seed).integers(0, 3, (len(labels), n_classes)).astype(np.float64)
    parts[parts.sum(axis=1) == 0] = 1.0
    shares = parts / parts.sum(axis=1, keepdims=True)
    far, known = np.array([distances], np.float32), np.array([labels])
    scores = vote(far, known, n_classes, weights, shares[None])
    row, winner = vote_alone(distances, labels, n_classes, weights, shares.tolist())
    assert row == pytest.approx(scores[0].tolist(), abs=1e-12)
    assert winner == decide(scores, far, known)[0]


def test_a_tie_between_classes_that_are_nobodys_label() -> None:
    shares = np.array([[[0.2, 0.0, 0.4, 0.4]]])
    far, known = np.zeros((1, 1)), np.zeros((1, 1), np.int64)
    assert decide(vote(far, known, 4, shares=shares), far, known).tolist() == [2]
    assert vote_alone([0.0], [0], 4, shares=shares[0].tolist())[1] == 2


def test_majority_counts() -> None:
    assert vote(np.zeros((1, 4)), np.array([[2, 2, 0, 1]]), 3, "majority").tolist() == [[0.25, 0.25, 0.5]]


def test_distance_weights_by_hand() -> None:
    # mean 2: weights 1 / (1 + .2) and 1 / (3 + .2)
    expected = np.array([1 / 1.2, 1 / 3.2])
    assert np.allclose(vote(np.array([[1.0, 3.0]]), np.array([[0, 1]]), 2), expected / expected.sum())


def test_a_near_copy_does_not_outvote_everyone() -> None:
    scores = vote(np.array([[0.0, 1.0, 1.0, 1.0]]), np.array([[0, 1, 1, 1]]), 2)
    assert 0.5 < scores[0, 0] < 0.9


@pytest.mark.parametrize("unit", [1e-30, 1e-3, 1e30])
def test_distance_weights_do_not_depend_on_the_unit(unit: float) -> None:
    distances, labels = np.array([[0.1, 0.2, 0.9]]), np.array([[0, 1, 1]])
    assert np.allclose(vote(distances * unit, labels, 2), vote(distances, labels, 2))


@pytest.mark.parametrize(
    ("distances", "labels", "winner"),
    [
        ([0.1, 0.2, 0.3, 0.4], [1, 0, 0, 1], 1),  # two each: 1 has the nearest
        ([0.1, 0.1], [2, 1], 1),  # and as near: the lower label
        ([0.0, 0.0, 0.0], [2, 1, 1], 1),
    ],
)
def test_ties(distances: list, labels: list, winner: int) -> None:
    d, la = np.array([distances]), np.array([labels])
    assert decide(vote(d, la, 3, "majority"), d, la).tolist() == [winner]


def test_no_queries_and_no_neighbours() -> None:
    assert vote(np.empty((0, 5)), np.empty((0, 5), int), 3).shape == (0, 3)
    assert decide(np.empty((0, 3)), np.empty((0, 5)), np.empty((0, 5), int)).shape == (0,)
    lonely = np.array([[-1, -1]])
    scores = vote(np.array([[np.inf, np.nan]]), lonely, 3)
    assert scores.tolist() == [[0.0, 0.0, 0.0]]
    assert decide(scores, np.zeros((1, 2)), lonely).tolist() == [-1]


def test_refusals() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'majority'"):
        vote(np.zeros((1, 1)), np.zeros((1, 1), int), 2, "majorty")
    with pytest.raises(GalleryError, match="only 2 classes"):
        vote(np.zeros((1, 1)), np.array([[2]]), 2)
    with pytest.raises(GalleryError, match="must both be"):
        vote(np.zeros((1, 2)), np.array([[1]]), 2)
    for wrong in (-0.1, np.nan):
        with pytest.raises(GalleryError, match="negative or not a number"):
            vote(np.array([[wrong]]), np.array([[1]]), 2)
        with pytest.raises(GalleryError, match="negative or not a number"):
            vote_alone([0.1, wrong], [1, 1], 2)
    with pytest.raises(ConfigError, match="Did you mean 'majority'"):
        vote_alone([0.0], [0], 2, "majorty")


@given(rows, st.integers(0, 1000))
def test_divided_voices_against_slow_sums(table: List[Tuple[List[float], List[int]]], seed: int) -> None:
    distances = np.array([row[0] for row in table])
    labels = np.array([row[1] for row in table])
    shares = np.random.default_rng(seed).dirichlet(np.ones(4), labels.shape)
    for weights in WEIGHTS:
        scores = vote(distances, labels, 4, weights, shares)
        for far, own, cast, row in zip(distances.tolist(), labels.tolist(), shares, scores):
            expected = np.zeros(4)
            for place in [place for place, label in enumerate(own) if label >= 0]:
                marked = [-1 if label < 0 else int(other == place) for other, label in enumerate(own)]
                expected += slow_scores(far, marked, 2, weights)[1] * cast[place]
            np.testing.assert_allclose(row, expected, atol=1e-9)
        whole = np.eye(4)[np.maximum(labels, 0)]
        np.testing.assert_allclose(vote(distances, labels, 4, weights, whole), vote(distances, labels, 4, weights))
