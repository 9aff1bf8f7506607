"""Candidates in order: of one query as of many, absent ones last, and borders that are not settled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.ranking import compare_all, exact_squares, is_border_open, open_borders, ranked, ranked_alone
from galleries.rows import Rows

RNG = np.random.default_rng(11)
ROWS = Rows(np.concatenate([RNG.standard_normal((60, 24)), np.ones((4, 24))]).astype(np.float32))
QUERIES = RNG.standard_normal((9, 24)).astype(np.float32)


def slow(query: np.ndarray, candidates: list) -> list:
    """Positions by their distance in float64, then by position."""
    far = {place: float(((ROWS.base[place].astype(float) - query) ** 2).sum()) for place in candidates if place >= 0}
    return sorted(far, key=lambda place: (round(far[place], 4), place))


@given(st.lists(st.lists(st.integers(-1, 63), min_size=7, max_size=7, unique=False), min_size=1, max_size=4))
@settings(max_examples=60)
def test_one_query_as_many(lists: list) -> None:
    candidates = np.array(
        [[place if places.index(place) == at else -1 for at, place in enumerate(places)] for places in lists]
    )
    queries = QUERIES[: len(candidates)]
    squares, positions = ranked(ROWS, queries, candidates)
    for row, query in enumerate(queries):
        alone = ranked_alone(ROWS, query, candidates[row])
        there = squares[row] < np.inf
        assert alone == list(zip(squares[row][there].tolist(), positions[row][there].tolist()))
        assert [place for _, place in alone] == slow(query, candidates[row].tolist())
        for k in (1, 3, 7):
            alone_open = is_border_open(alone, k, float(query @ query), False)
            assert alone_open == (row in open_borders(queries, squares, k, False))


@pytest.mark.parametrize(("k", "is_open"), [(1, False), (2, True), (3, True), (4, False)])
def test_a_border_among_equals_is_open(k: int, is_open: bool) -> None:
    query = ROWS.base[60] * np.float32(1.01)  # nearest to four copies
    candidates = np.array([60, 61, 62]) if k < 4 else np.array([60, 61, 62, 63, 5])
    if k == 1:
        candidates = np.array([60, 3, 5])
    alone = ranked_alone(ROWS, query, candidates)
    squares, _ = ranked(ROWS, query[None], candidates[None])
    assert is_border_open(alone, k, float(query @ query), True) is is_open
    assert len(open_borders(query[None], squares, k, True)) == is_open
    assert not is_border_open(alone, 1, float(query @ query), False)


def test_comparing_all_is_exact() -> None:
    for query in QUERIES:
        squares, positions = compare_all(ROWS, query, 64)
        assert positions.tolist() == slow(query, list(range(64)))
        assert np.array_equal(exact_squares(ROWS, query[None], 64)[0], squares)
