"""How well told numbers fit outcomes: against scikit-learn, and by hand."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.reliability import calibration_error, isotonic


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 1000).map(lambda x: x / 1000), st.booleans()), min_size=1, max_size=60))
def test_the_curve_is_the_nearest_rising_one(pairs: List[Tuple[float, bool]]) -> None:
    """Against scikit-learn's."""
    values = np.array([value for value, _ in pairs])
    right = np.array([outcome for _, outcome in pairs])
    sklearn = pytest.importorskip("sklearn.isotonic")
    knots = np.array(isotonic(values, right))
    assert (np.diff(knots[:, 1]) >= -1e-12).all()
    if len(np.unique(values)) == len(values):
        fitted = sklearn.IsotonicRegression().fit(values, right.astype(float)).predict(values)
        assert np.interp(values, knots[:, 0], knots[:, 1]) == pytest.approx(fitted, abs=1e-9)


def test_the_calibration_error_by_hand() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.1, 0.1])
    right = np.array([True, True, True, False, False, True])
    assert calibration_error(confidence, right) == pytest.approx((4 * 0.15 + 2 * 0.4) / 6)
    assert calibration_error(np.ones(4), np.ones(4, bool)) == 0
