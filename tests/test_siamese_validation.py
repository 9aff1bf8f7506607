from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_faces import tiny_dataset, tiny_split

from siamese.towers import make_tower
from siamese.validation import Validator, collapse, knn_answers, reference_sample


def slow_accuracy(
    references: np.ndarray, theirs: np.ndarray, queries: np.ndarray, labels: np.ndarray, metric: str, k: int
) -> float:
    """Nearest neighbours by plain loops, each voting with 1 / distance."""
    right = 0
    for query, label in zip(queries.astype(np.float64), labels):
        if metric == "cosine":
            gaps = [1 - query @ r / np.linalg.norm(query) / np.linalg.norm(r) for r in references.astype(np.float64)]
        else:
            gaps = [float(np.linalg.norm(query - r)) for r in references]
        nearest = np.argsort(gaps)[:k]
        votes: dict[int, float] = {}
        for index in nearest:
            votes[int(theirs[index])] = votes.get(int(theirs[index]), 0) + 1 / max(gaps[index], 1e-6)
        right += max(votes, key=lambda name: votes[name]) == label
    return right / len(labels)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_knn_answers_against_plain_loops(metric: str, k: int) -> None:
    rng = np.random.default_rng(k)
    theirs, labels = rng.integers(0, 4, 60), rng.integers(0, 4, 40)
    centres = rng.normal(size=(4, 5))
    references = (centres[theirs] + rng.normal(0, 0.8, (60, 5))).astype(np.float32)
    queries = (centres[labels] + rng.normal(0, 0.8, (40, 5))).astype(np.float32)
    found = float((knn_answers(references, theirs, queries, metric, k) == labels).mean())
    assert 0.3 < found < 1
    assert found == pytest.approx(slow_accuracy(references, theirs, queries, labels, metric, k), abs=1e-9)


def test_references_may_divide_their_votes() -> None:
    rng = np.random.default_rng(2)
    labels, references = rng.integers(0, 4, 60), rng.normal(size=(60, 5)).astype(np.float32)
    queries = rng.normal(size=(40, 5)).astype(np.float32)
    own, turned = np.eye(4, dtype=np.float32)[labels], np.eye(4, dtype=np.float32)[(labels + 1) % 4]
    plain = knn_answers(references, labels, queries, "cosine", 5)
    assert np.array_equal(knn_answers(references, labels, queries, "cosine", 5, turned), (plain + 1) % 4)
    half = knn_answers(references, labels, queries, "cosine", 1, 0.4 * turned + 0.6 * own)
    assert np.array_equal(half, knn_answers(references, labels, queries, "cosine", 1))


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=200), st.one_of(st.none(), st.integers(1, 250)), st.integers(0, 5)
)
def test_a_sample_of_references_keeps_the_shares(labels: list[int], limit: int | None, seed: int) -> None:
    column = np.array(labels)
    kept = reference_sample(column, limit, np.random.default_rng(seed))
    assert np.array_equal(kept, np.unique(kept))
    assert set(column[kept]) == set(labels)
    if limit is None or limit >= len(labels):
        assert len(kept) == len(labels)
    else:
        for label in set(labels):
            share = limit * (column == label).sum() / len(column)
            assert (column[kept] == label).sum() == max(1, round(share))
    assert np.array_equal(kept, reference_sample(column, limit, np.random.default_rng(seed)))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_spread_is_the_mean_distance(metric: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [(i, j) for i in range(20) for j in range(20) if i != j]
    plain = [
        1 - float(unit[i] @ unit[j]) if metric == "cosine" else float(np.linalg.norm(vectors[i] - vectors[j]))
        for i, j in pairs
    ]
    spread, collapsed = collapse(vectors, metric)
    assert spread == pytest.approx(np.mean(plain), rel=1e-5)
    assert not collapsed


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_collapse_is_seen(metric: str) -> None:
    rng = np.random.default_rng(0)
    constant = np.tile(rng.normal(size=(1, 8)), (50, 1)).astype(np.float32)
    assert collapse(constant, metric)[1]
    assert collapse(constant + rng.normal(0, 1e-7, (50, 8)).astype(np.float32), metric)[1]
    assert collapse(np.zeros((50, 8), np.float32), metric)[1]
    spread, collapsed = collapse(np.full((3, 2), np.nan, np.float32), metric)
    assert collapsed
    assert np.isnan(spread)
    assert not collapse(constant + rng.normal(0, 0.05, (50, 8)).astype(np.float32), metric)[1]
    assert not collapse(constant[:1], metric)[1]
    if metric == "euclidean":  # small is not collapsed while neighbours can be told apart
        assert not collapse(1e-6 * rng.normal(size=(50, 8)).astype(np.float32), metric)[1]


def test_a_validator_looks_at_validation_only() -> None:
    dataset = tiny_dataset(noise=30)
    split = tiny_split(dataset)
    tower = make_tower("compact", input_size=16, embedding_dim=8)
    head = tower.make_head(3)
    validator = Validator(dataset, split.train, split.val, tower, 500, None, 0)
    assert validator.n_neighbors == len(split.train)
    validator = Validator(dataset, split.train, split.val, tower, 3, 12, 0)
    assert len(validator.references) == 12
    assert len(validator.queries) == len(split.val)
    found = validator(tower, head, torch.device("cpu"))
    assert found.knn == 1.0  # patterns under little noise
    assert found.softmax is not None
    assert 0 <= found.softmax <= 1
    assert not found.collapsed
    assert validator(tower, None, torch.device("cpu")).softmax is None
    with torch.no_grad():
        tower.norm.weight.fill_(float("nan"))  # type: ignore[union-attr]
    lost = validator(tower, head, torch.device("cpu"))
    assert lost.collapsed
    assert lost.knn == 0.0
