from __future__ import annotations

from typing import Tuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.errors import ConfigError, GalleryError
from galleries.index import VectorIndex
from galleries.kinds import KINDS
from galleries.vectors import METRICS, usable

RNG = np.random.default_rng(3)
MANY = RNG.standard_normal((900, 16)).astype(np.float32)
QUERIES = RNG.standard_normal((25, 16)).astype(np.float32)


def numbers(count: int, first: int = 0, step: int = 1) -> np.ndarray:
    return np.arange(first, first + count * step, step, dtype=np.int64)


def slow(vectors: np.ndarray, queries: np.ndarray, k: int, metric: str) -> Tuple[np.ndarray, np.ndarray]:
    """Every distance in float64, sorted by distance, then position."""
    v, q = vectors.astype(np.float64), queries.astype(np.float64)
    if metric == "cosine":
        v, q = v / np.linalg.norm(v, axis=1, keepdims=True), q / np.linalg.norm(q, axis=1, keepdims=True)
        distances = 1 - q @ v.T
    else:
        distances = np.sqrt(((q[:, None] - v) ** 2).sum(-1))
    order = np.argsort(np.round(distances, 6), axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, 1), order


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 5, 899, 900])
def test_flat_is_exact(metric: str, k: int) -> None:
    index = VectorIndex.build(MANY, numbers(900), metric=metric)
    distances, positions = index.search(QUERIES, k)
    expected, order = slow(MANY, QUERIES, k, metric)
    assert distances.dtype == np.float32
    assert positions.dtype == np.int64
    np.testing.assert_allclose(distances, expected, atol=2e-6)
    assert (positions == order).mean() > 0.999  # float32 may swap two that are equal to 1e-6
    assert (np.diff(distances, axis=1) >= 0).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_approximate_kinds_find_most_and_never_nothing(metric: str, kind: str) -> None:
    index = VectorIndex.build(MANY, numbers(900), metric=metric, kind=kind)
    exact = VectorIndex.build(MANY, numbers(900), metric=metric).search(QUERIES, 5)[1]
    distances, positions = index.search(QUERIES, 5)
    assert np.mean([len(set(a) & set(b)) / 5 for a, b in zip(exact, positions)]) > 0.5
    whole_distances, whole = index.search(QUERIES, 900)
    assert (np.sort(whole, axis=1) == numbers(900)).all()
    assert np.isfinite(whole_distances).all()
    assert (distances[:, 0] >= whole_distances[:, 0]).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_is_at_distance_zero_from_itself(metric: str, kind: str) -> None:
    index = VectorIndex.build(MANY * 100, numbers(900), metric=metric, kind=kind)
    distances, positions = index.search(MANY[:50] * 100, 1)
    assert (distances == 0).all()
    assert (positions[:, 0] == np.arange(50)).all()


@given(st.integers(1, 80), st.integers(1, 6), st.integers(1, 12), st.sampled_from(METRICS), st.integers(0, 1000))
@settings(max_examples=60)
def test_ties_go_to_the_lower_position(n: int, dim: int, k: int, metric: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    if metric == "cosine":
        dim = 4  # vectors of ones and minus ones then have unit-length copies of exactly half, so ties are exact
    vectors = rng.choice([-1.0, 1.0], (n, dim)).astype(np.float32)  # few values: many exact copies
    queries = rng.choice([-1.0, 1.0], (7, dim)).astype(np.float32)
    k = min(k, n)
    index = VectorIndex.build(vectors, numbers(n, 5, 3), metric=metric)
    distances, positions = index.search(queries, k)
    expected, order = slow(vectors, queries, k, metric)
    assert np.array_equal(positions, order)
    np.testing.assert_allclose(distances, expected, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_many_copies_at_the_border_are_still_in_order(metric: str) -> None:
    vectors = np.concatenate([MANY, np.repeat(MANY[:1], 700, axis=0), MANY])  # 702 copies of one vector
    index = VectorIndex.build(vectors, numbers(len(vectors)), metric=metric)
    distances, positions = index.search(MANY[:1], 6)
    assert positions.tolist() == [[0, 900, 901, 902, 903, 904]]
    assert index.nearest_to(MANY[:1], 6) == (distances[0].tolist(), positions[0].tolist())
    both = index.search(MANY[:2], 6)
    assert np.array_equal(both[1][0], positions[0])
    assert (distances == 0).all()
    alike = VectorIndex.build(np.ones((2500, 4), np.float32), numbers(2500), metric=metric)  # a collapsed tower
    assert alike.search(np.ones((2, 4), np.float32), 3)[1].tolist() == [[0, 1, 2]] * 2


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 4, 900])
def test_alone_or_in_a_batch_the_answer_is_the_same(kind: str, metric: str, k: int) -> None:
    index = VectorIndex.build(MANY, numbers(900), metric=metric, kind=kind)
    index.remove(np.arange(0, 900, 9))
    k = min(k, len(index))
    distances, positions = index.search(QUERIES, k)
    for row, query in enumerate(QUERIES):
        alone = index.search(query[None], k)
        assert (alone[0].dtype, alone[1].dtype) == (distances.dtype, positions.dtype)
        assert np.array_equal(alone[0][0], distances[row])
        assert np.array_equal(alone[1][0], positions[row])
        assert index.nearest_to(query[None], k) == (distances[row].tolist(), positions[row].tolist())


def test_within_is_exact_and_sorted() -> None:
    for kind in KINDS:
        index = VectorIndex.build(MANY, numbers(900), metric="euclidean", kind=kind)
        distances, positions = index.within(QUERIES[0], 4.5)
        expected, order = slow(MANY, QUERIES[:1], 900, "euclidean")
        near = expected[0] <= 4.5
        assert 0 < near.sum() < 900
        assert np.array_equal(positions, order[0][near])
        np.testing.assert_allclose(distances, expected[0][near], atol=1e-5)


def test_given_arrays_are_left_alone() -> None:
    vectors, queries = MANY.copy(), QUERIES.copy()
    index = VectorIndex.build(vectors, numbers(900))
    index.search(queries, 3)
    index.vectors()[:] = 0
    assert np.array_equal(vectors, MANY)
    assert np.array_equal(queries, QUERIES)
    assert np.allclose(np.linalg.norm(index.vectors(), axis=1), 1)
    assert index.search(queries[:0], 3)[0].shape == (0, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_unusable_values_are_counted_and_located(bad: float) -> None:
    vectors = MANY.copy()
    vectors[[4, 9], 2] = bad
    for metric in METRICS:
        with pytest.raises(GalleryError, match=r"2 of 900 vectors \(first: row 4\) hold NaN"):
            VectorIndex.build(vectors, numbers(900), metric=metric)
    with pytest.raises(GalleryError, match="first: row 4"):
        VectorIndex.build(MANY, numbers(900)).search(vectors, 1)


def test_zero_vectors_only_matter_to_cosine() -> None:
    vectors = MANY.copy()
    vectors[7] = 0
    with pytest.raises(GalleryError, match=r"1 of 900 vectors \(first: row 7\) are zero"):
        VectorIndex.build(vectors, numbers(900), metric="cosine")
    VectorIndex.build(vectors, numbers(900), metric="euclidean")


def test_shapes_types_and_names_are_checked() -> None:
    for wrong in (MANY[0], MANY[:, :0], np.array([["a"]]), MANY.astype(complex), [None]):
        with pytest.raises(GalleryError, match="needed"):
            usable(wrong, "euclidean")
    with pytest.raises(GalleryError, match=r"\(B, 16\)"):
        VectorIndex.build(MANY, numbers(900)).search(MANY[:, :4], 1)
    with pytest.raises(GalleryError, match="at least one"):
        VectorIndex.build(MANY[:0], numbers(0))
    with pytest.raises(ConfigError, match="Did you mean 'cosine'"):
        VectorIndex.build(MANY, numbers(900), metric="cosin")
    with pytest.raises(ConfigError, match="flat, hnsw, ivf"):
        VectorIndex.build(MANY, numbers(900), kind="pq")
    assert usable([[1, 2]], "euclidean").dtype == np.float32
    assert usable(MANY.astype(np.float64), "euclidean").flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("k", [0, -1, 1.0, True])
def test_a_wrong_k_is_refused(k: int) -> None:
    with pytest.raises(ConfigError, match="whole number"):
        VectorIndex.build(MANY, numbers(900)).search(QUERIES, k)
