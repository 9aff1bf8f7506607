"""EMFACS: which action units an emotion is made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries.errors import ConfigError
from galleries.vocabulary import CANONICAL
from siamese.datasets.action_units import (
    ACTION_UNITS,
    OPTIONAL,
    PROTOTYPES,
    jaw_drop,
    prototype,
    sample_expression,
    unit_vector,
)

EMFACS = {
    "anger": {4, 5, 7, 23},
    "contempt": {12, 14},
    "disgust": {9, 15, 16},
    "fear": {1, 2, 4, 5, 7, 20, 26},
    "happiness": {6, 12},
    "neutral": set(),
    "sadness": {1, 4, 15},
    "surprise": {1, 2, 5, 26},
}


def test_prototypes_are_those_of_emfacs() -> None:
    assert {emotion: set(units) for emotion, units in PROTOTYPES.items()} == EMFACS
    assert set(OPTIONAL) == set(CANONICAL)
    assert all(0 < share <= 1 for units in PROTOTYPES.values() for share in units.values())
    assert all(not EMFACS[emotion] & set(units) for emotion, units in OPTIONAL.items())


@pytest.mark.parametrize("emotion", CANONICAL)
def test_prototype_at_no_intensity_is_neutral_and_grows_evenly(emotion: str) -> None:
    np.testing.assert_array_equal(prototype(emotion, 0.0).values, prototype("neutral", 1.0).values)
    full = prototype(emotion, 1.0).values
    np.testing.assert_allclose(prototype(emotion, 0.5).values, 0.5 * full)
    active = {unit for unit, value in zip(ACTION_UNITS, full.max(axis=0)) if value > 0}
    assert active == EMFACS[emotion]


def test_contempt_is_shown_by_one_half_of_the_face_only() -> None:
    assert prototype("contempt", 1.0).sides(14) == (0.0, 1.0)
    assert prototype("happiness", 1.0).sides(12) == (1.0, 1.0)
    sides = {sample_expression("contempt", 1.0, np.random.default_rng(k)).values[0].sum() < 0.6 for k in range(20)}
    assert sides == {True, False}  # left or right, by chance


def test_no_intensity_leaves_the_persons_resting_face() -> None:
    rest = unit_vector({15: 0.3, 4: 0.2})
    for emotion in ("anger", "happiness", "sadness"):
        drawn = [sample_expression(emotion, 0.0, np.random.default_rng(k), rest).values for k in range(300)]
        median = np.median(np.stack(drawn), axis=(0, 1))
        quiet = [unit not in OPTIONAL[emotion] for unit in ACTION_UNITS]
        np.testing.assert_allclose(median[quiet], rest[quiet], atol=0.03)


def test_unknown_emotion_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'surprise'"):
        prototype("surprize", 1.0)


def test_jaw_drop_follows_the_units_that_open_the_mouth() -> None:
    assert jaw_drop(prototype("neutral", 1.0)) == 0.0
    assert jaw_drop(prototype("surprise", 1.0)) == pytest.approx(15.0)


@given(st.sampled_from(CANONICAL), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_sampled_activations_stay_within_range(emotion: str, intensity: float, seed: int) -> None:
    expression = sample_expression(emotion, intensity, np.random.default_rng(seed), expressivity=1.25)
    assert expression.values.shape == (2, len(ACTION_UNITS))
    assert expression.values.min() >= 0.0
    assert expression.values.max() <= 1.0
    column = list(ACTION_UNITS).index(12)
    assert expression.sides(12) == tuple(expression.values[:, column])
    assert expression.both(12) == pytest.approx(expression.values[:, column].mean())
