"""Figures show the numbers they are given."""

from __future__ import annotations

import numpy as np
import pytest

from eval.figures import confusion_matrix, learning_curve
from eval.metrics import score


def test_the_curve_holds_every_epoch_in_per_cent_and_the_chance_floor() -> None:
    history = [{"epoch": 1, "val_knn": 0.25, "val_softmax": 0.2}, {"epoch": 2, "val_knn": 0.5, "val_softmax": 0.4}]
    figure = learning_curve(history, 0.125)
    assert [list(line.y) for line in figure.data] == [[25.0, 50.0], [20.0, 40.0]]
    assert [list(line.x) for line in figure.data] == [[1, 2], [1, 2]]
    assert figure.layout.shapes[0].y0 == pytest.approx(12.5)


def test_a_curve_without_softmax_has_one_line() -> None:
    assert len(learning_curve([{"epoch": 1, "val_knn": 0.25}], 0.5).data) == 1


def test_the_matrix_shows_shares_of_each_row_and_counts() -> None:
    figure = confusion_matrix(score(["a", "a", "a", "a", "b"], ["a", "a", "a", "b", "b"], ["a", "b", "c"]))
    heat = figure.data[0]
    assert np.array(heat.z) == pytest.approx(np.array([[75, 25, 0], [0, 100, 0], [0, 0, 0]]))
    assert heat.text[0][1] == "25 %<br>1"
    assert list(heat.x) == list(heat.y) == ["a", "b", "c"]
