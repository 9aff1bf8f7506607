from __future__ import annotations

from typing import List, Tuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.errors import ConfigError
from galleries.index import VectorIndex
from galleries.kinds import KINDS
from galleries.left_out import nearest_outside


def slowly(
    vectors: np.ndarray, query: np.ndarray, own: int, groups: np.ndarray, k: int
) -> Tuple[List[float], List[int]]:
    """All references by distance, then by place; the own group struck out; the first k."""
    gaps = [(float(np.linalg.norm(vector - query)), place) for place, vector in enumerate(vectors)]
    left = [(gap, place) for gap, place in sorted(gaps) if own < 0 or groups[place] != own][:k]
    return [gap for gap, _ in left], [place for _, place in left]


def index_of(vectors: np.ndarray, kind: str = "flat") -> VectorIndex:
    return VectorIndex.build(vectors, np.arange(len(vectors)), metric="euclidean", kind=kind)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 45), st.integers(1, 6), st.booleans())
def test_against_a_plain_sort(seed: int, size: int, k: int, different: int, by_group: bool) -> None:
    """Vectors on a coarse grid, so that many are copies at distance 0 and many distances are equal."""
    rng = np.random.default_rng(seed)
    vectors = rng.integers(0, different, (size, 2)).astype(np.float32)
    groups = rng.integers(-1, 4, size) if by_group else np.arange(size)
    index = index_of(vectors)
    distances, found = nearest_outside(index.search, vectors, groups, groups, k)
    assert distances.shape == found.shape == (size, min(k, size))
    for row in range(size):
        gaps, places = slowly(vectors, vectors[row], int(groups[row]), groups, k)
        missing = min(k, size) - len(places)
        assert found[row].tolist() == places + [-1] * missing
        assert distances[row] == pytest.approx([*gaps, *[np.inf] * missing], abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_oneself_is_dropped_by_name_among_copies(kind: str) -> None:
    """Fifty copies and two others: each copy's neighbours are the first other copies, whatever its own place."""
    vectors = np.concatenate([np.ones((50, 4)), np.eye(2, 4) * 9]).astype(np.float32)
    everyone = np.arange(52)
    distances, found = nearest_outside(index_of(vectors, kind).search, vectors, everyone, everyone, 3)
    assert not (found == everyone[:, None]).any()
    assert (distances[:50] == 0).all()
    if kind == "flat":
        assert found[0].tolist() == [1, 2, 3]
        assert found[1].tolist() == [0, 2, 3]
        assert found[49].tolist() == [0, 1, 2]


def test_a_crowd_of_one_s_own_is_looked_past() -> None:
    """The nearest 300 are all of the asked one's own group."""
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(0, 0.01, (300, 3)), rng.normal(5, 1, (40, 3))]).astype(np.float32)
    groups = np.repeat([7, 8], [300, 40])
    distances, found = nearest_outside(index_of(vectors).search, vectors[:9], groups[:9], groups, 4)
    for row in range(9):
        gaps, places = slowly(vectors, vectors[row], 7, groups, 4)
        assert found[row].tolist() == places
        assert distances[row] == pytest.approx(gaps, rel=1e-5)


def test_progress_reaches_its_end_and_no_query_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galleries.left_out._BLOCK", 7)
    vectors = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32)
    everyone = np.arange(30)
    told: List[Tuple[int, int]] = []
    nearest_outside(
        index_of(vectors).search, vectors, everyone, everyone, 2, lambda done, total: told.append((done, total))
    )
    assert told == [(7, 30), (14, 30), (21, 30), (28, 30), (30, 30)]
    nothing = nearest_outside(index_of(vectors).search, vectors[:0], everyone[:0], everyone, 2)
    assert nothing[0].shape == nothing[1].shape == (0, 2)


@pytest.mark.parametrize("k", [0, -3])
def test_too_few_wanted(k: int) -> None:
    vectors = np.eye(3, dtype=np.float32)
    with pytest.raises(ConfigError, match="from 1"):
        nearest_outside(index_of(vectors).search, vectors, np.arange(3), np.arange(3), k)
