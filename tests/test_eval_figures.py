"""Figures show the numbers they are given."""

from __future__ import annotations

import numpy as np
import pytest

from eval.figures import confusion_matrix, growth_curve, learning_curve, pair_heat_map
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


def test_the_growth_curve_has_every_way_of_counting_their_floors_and_the_threshold() -> None:
    steps = [
        {"emotions": ["a", "b"], "accuracy": 0.9, "majority": 0.8, "balanced_accuracy": 0.7, "chance": 0.5,
         "one_vs_rest_mean": 0.9, "one_vs_rest_floor": 0.5},
        {"emotions": ["a", "b", "c"], "accuracy": None, "majority": None, "balanced_accuracy": None, "chance": 1 / 3,
         "one_vs_rest_mean": None, "one_vs_rest_floor": 2 / 3},
    ]  # fmt: skip
    figure = growth_curve(steps, 0.7, "multi-class")
    lines = {line.name: list(line.y) for line in figure.data}
    assert lines["k-NN vote"] == [90.0, None]
    assert lines["its floor (most frequent)"] == [80.0, None]
    assert lines["balanced"] == [70.0, None]
    assert lines["its floor (chance)"] == pytest.approx([50.0, 100 / 3])
    assert lines["its floor (never yes)"] == pytest.approx([50.0, 200 / 3])
    assert figure.layout.shapes[0].y0 == pytest.approx(70)


def test_the_heat_map_is_symmetric_and_empty_on_its_diagonal() -> None:
    heat = pair_heat_map(["a", "b", "c"], {("a", "b"): 0.8, ("a", "c"): None, ("b", "c"): 0.6}).data[0]
    grid = [[None if value is None else round(value) for value in row] for row in heat.z]
    assert grid == [[None, 80, None], [80, None, 60], [None, 60, None]]
    assert heat.text[1][2] == "60 %"
