from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries.errors import ConfigError
from siamese.pair_order import BANDS, ORDERS, pair_of, pairs_of, read_pair, weigh_pairs

FOUR = ("anger", "fear", "happiness", "sadness")
HAND = (
    (("anger", "fear"), ("fear", "sadness")),
    (("anger", "sadness"),),
    (("anger", "happiness"), ("fear", "happiness"), ("happiness", "sadness")),
)


def weight(matrix: np.ndarray, first: str, second: str) -> float:
    return float(matrix[FOUR.index(first), FOUR.index(second)])


@pytest.mark.parametrize(("progress", "band"), [(0.0, 0), (0.33, 0), (0.34, 1), (0.66, 1), (0.67, 2), (1.0, 2)])
def test_each_band_has_its_third_of_the_training(progress: float, band: int) -> None:
    similar = weigh_pairs(FOUR, HAND, "similar-first", 0.8, progress)
    for place, pairs in enumerate(HAND):
        for pair in pairs:
            expected = 0.8 / len(HAND[band]) if place == band else 0.2 / (6 - len(HAND[band]))
            assert weight(similar, *pair) == pytest.approx(expected)


def test_distinct_first_is_similar_first_backwards() -> None:
    for progress in (0.1, 0.5, 0.9):
        forth = weigh_pairs(FOUR, HAND, "similar-first", 0.7, progress)
        back = weigh_pairs(FOUR, HAND, "distinct-first", 0.7, 1 - progress)
        assert np.allclose(forth, back)


def test_mixed_draws_all_pairs_alike_and_needs_no_bands() -> None:
    mixed = weigh_pairs(FOUR, (), "mixed", 0.8, 0.5)
    assert np.allclose(mixed[np.triu_indices(4, 1)], 1 / 6)
    assert np.allclose(np.diag(mixed), 0)


def test_two_emotions_are_one_pair_at_every_moment() -> None:
    for order in ORDERS:
        for progress in (0.0, 0.5, 1.0):
            matrix = weigh_pairs(("fear", "anger"), HAND, order, 0.8, progress)
            assert np.allclose(matrix, [[0, 1], [1, 0]])


@given(
    st.permutations(pairs_of(FOUR)),
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from(ORDERS),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_the_weights_are_symmetric_and_sum_to_one(
    pairs: list[tuple[str, str]], first: int, second: int, order: str, focus: float, progress: float
) -> None:
    low, high = sorted((first, second))
    bands = (tuple(pairs[:low]), tuple(pairs[low:high]), tuple(pairs[high:]))
    matrix = weigh_pairs(FOUR, bands, order, focus, progress)
    assert np.allclose(matrix, matrix.T)
    assert (matrix >= 0).all()
    assert np.triu(matrix).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("bands", "said"),
    [
        ((HAND[0], HAND[1], HAND[2][:2]), "happiness.sadness stands in no band"),
        ((HAND[0], (*HAND[1], HAND[0][0]), HAND[2]), "anger.fear stands in two bands"),
    ],
)
def test_a_pair_stands_in_one_band(bands: tuple[tuple[tuple[str, str], ...], ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        weigh_pairs(FOUR, bands, "similar-first", 0.8, 0.0)


def test_pairs_are_read_in_any_spelling_and_order() -> None:
    assert read_pair("Happy+angry") == ("anger", "happiness") == pair_of("happiness", "anger")
    assert read_pair(["fear", "sad"]) == ("fear", "sadness")
    assert len(BANDS) == 3


@pytest.mark.parametrize("value", ["anger", "anger+anger", "a+b+c", 3, None, ["fear"], ["fear", ""], ["happy", "joy"]])
def test_what_is_no_pair_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="no pair of emotions"):
        read_pair(value)
