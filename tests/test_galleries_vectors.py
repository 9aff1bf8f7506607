from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from galleries.errors import ConfigError, GalleryError
from galleries.vectors import check_k, squared_distances, usable

MANY = np.random.default_rng(0).normal(size=(90, 16)).astype(np.float32)


def test_vectors_become_what_an_index_takes() -> None:
    assert usable([[1, 2]], "euclidean").dtype == np.float32
    wide = usable(MANY.astype(np.float64)[:, ::-1], "euclidean")
    assert wide.flags["C_CONTIGUOUS"]
    assert np.array_equal(wide, MANY[:, ::-1])
    unit = usable(MANY, "cosine")
    assert np.allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    assert np.allclose(unit * np.linalg.norm(MANY, axis=1, keepdims=True), MANY, atol=1e-5)
    assert usable(MANY[:0], "cosine").shape == (0, 16)


@pytest.mark.parametrize("wrong", [MANY[0], MANY[:, :0], np.array([["a"]]), MANY.astype(complex), [None]])
def test_shapes_and_types_are_checked(wrong: Any) -> None:
    with pytest.raises(GalleryError, match="needed"):
        usable(wrong, "euclidean")
    with pytest.raises(GalleryError, match=r"\(B, 4\)"):
        usable(MANY, "euclidean", 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_number_is_counted_and_located(bad: float) -> None:
    vectors = MANY.copy()
    vectors[[4, 9], 2] = bad
    with pytest.raises(GalleryError, match=r"2 of 90 vectors \(first: row 4\) hold NaN"):
        usable(vectors, "euclidean")


def test_a_pair_s_distance_is_the_same_in_any_company() -> None:
    whole = squared_distances(MANY[None, :50], MANY[:, None])  # (90, 50)
    assert whole.shape == (90, 50)
    for row in (0, 7, 89):
        assert np.array_equal(whole[row], squared_distances(MANY[:50], MANY[row][None]))
        assert whole[row] == pytest.approx([float(((MANY[row] - other) ** 2).sum()) for other in MANY[:50]], rel=1e-5)
    assert whole[3, 3] == 0


@pytest.mark.parametrize("k", [0, -1, 1.0, True, "3", None])
def test_a_number_of_neighbours_that_is_none(k: Any) -> None:
    with pytest.raises(ConfigError, match="whole number"):
        check_k(k, 9)


def test_more_neighbours_than_there_are() -> None:
    check_k(9, 9)
    check_k(np.int64(1), 9)  # type: ignore[arg-type]
    with pytest.raises(GalleryError, match="holds 9; ask for at most 9"):
        check_k(10, 9)
