from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.intervals import mean_interval, wilson
from eval.metrics import one_vs_rest, score, scores_from_json
from galleries.errors import DataError

sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed (extra [eval])")

NAMES = ("anger", "fear", "joy", "sadness")


def test_a_case_worked_by_hand() -> None:
    truth = ["anger"] * 4 + ["fear"] * 3 + ["joy"] * 1
    said = ["anger", "anger", "fear", "joy", "fear", "fear", "anger", "fear"]
    found = score(truth, said, NAMES)
    assert (found.n, found.accuracy, found.chance, found.majority) == (8, 0.5, 0.25, 0.5)
    anger, fear, joy, sadness = found.classes
    assert (anger.precision, anger.recall, anger.support) == (pytest.approx(2 / 3), 0.5, 4)
    assert anger.f1 == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert (fear.precision, fear.recall, fear.f1) == (0.5, pytest.approx(2 / 3), pytest.approx(4 / 7))
    assert (joy.precision, joy.recall, joy.f1, joy.support) == (0.0, 0.0, 0.0, 1)
    assert (sadness.precision, sadness.recall, sadness.support) == (0.0, 0.0, 0)
    assert found.balanced_accuracy == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert found.macro_f1 == pytest.approx((anger.f1 + fear.f1 + 0) / 3)
    assert found.confusion.tolist() == [[2, 1, 1, 0], [1, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    low, high = found.interval
    assert (low, high) == (pytest.approx(0.2152, abs=1e-3), pytest.approx(0.7848, abs=1e-3))


ANSWERS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=1, max_size=60)


@given(ANSWERS)
def test_against_plain_counting(pairs: list[tuple[str, str]]) -> None:
    truth, said = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = score(truth, said, NAMES)
    assert found.accuracy == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    recalls, f1s = [], []
    for row, name in enumerate(NAMES):
        hits = pairs.count((name, name))
        own, named = truth.count(name), said.count(name)
        entry = found.classes[row]
        assert entry.support == own
        assert entry.recall == pytest.approx(hits / own if own else 0)
        assert entry.precision == pytest.approx(hits / named if named else 0)
        assert entry.f1 == pytest.approx(2 * hits / (own + named) if own + named else 0)
        recalls += [entry.recall] if own else []
        f1s += [entry.f1] if own + named else []
        for column, other in enumerate(NAMES):
            assert found.confusion[row, column] == pairs.count((name, other))
    assert found.balanced_accuracy == pytest.approx(np.mean(recalls))
    assert found.macro_f1 == pytest.approx(np.mean(f1s))
    assert found.majority == max(truth.count(name) for name in NAMES) / len(pairs)
    assert found.interval[0] <= found.accuracy <= found.interval[1]


@given(ANSWERS)
def test_scores_survive_json(pairs: list[tuple[str, str]]) -> None:
    found = score([pair[0] for pair in pairs], [pair[1] for pair in pairs], NAMES)
    again = scores_from_json(json.loads(json.dumps(found.to_json())))
    assert again.to_json() == found.to_json()
    assert np.array_equal(again.confusion, found.confusion)


def test_the_wilson_interval_by_its_formula() -> None:
    z = 1.959963984540054
    for right, n in ((0, 5), (3, 7), (178, 197), (50, 50)):
        share = right / n
        centre = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        assert wilson(right, n) == (pytest.approx(max(0, centre - half)), pytest.approx(min(1, centre + half)))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_interval_holds_the_truth_95_times_in_100(share: float) -> None:
    rights = np.random.default_rng(0).binomial(80, share, 4000)
    interval = {int(right): wilson(int(right), 80) for right in np.unique(rights)}
    held = np.mean([interval[int(right)][0] <= share <= interval[int(right)][1] for right in rights])
    assert 0.93 <= held <= 0.975
    narrow = np.mean([interval[int(right)][1] - interval[int(right)][0] for right in rights])
    assert narrow < 0.23


@pytest.mark.parametrize(
    ("truth", "said", "hint"),
    [
        ([], [], "and some"),
        (["anger"], [], "as many of each"),
        (["anger"], ["boredom"], "boredom is not among"),
        (["rage"], ["anger"], "rage is not among"),
    ],
)
def test_what_cannot_be_judged(truth: list[str], said: list[str], hint: str) -> None:
    with pytest.raises(DataError, match=hint):
        score(truth, said, NAMES)


def test_without_sklearn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from galleries.errors import MissingExtra

    absent: Any = None
    monkeypatch.setitem(sys.modules, "sklearn.metrics", absent)
    with pytest.raises(MissingExtra, match=r"siamese-emotions\[eval\]"):
        score(["anger"], ["anger"], NAMES)


def test_one_vs_rest_stands_beside_the_multi_class_accuracy_and_both_floors() -> None:
    table = one_vs_rest(score(["a", "a", "b", "c"], ["a", "b", "b", "a"], ["a", "b", "c"]))
    assert table.rows() == [("a", 1, 1, 1, 1, 0.5), ("b", 1, 2, 1, 0, 0.75), ("c", 0, 3, 0, 1, 0.75)]
    assert table.mean == pytest.approx(2 / 3)
    assert (table.multi_class, table.chance) == (0.5, pytest.approx(1 / 3))
    assert table.floor == pytest.approx(2 / 3)
    assert table.to_json()["emotions"][1] == {"emotion": "b", "tp": 1, "tn": 2, "fp": 1, "fn": 0, "accuracy": 0.75}


def test_a_mean_s_interval_is_student_s() -> None:
    """t for one degree of freedom and 95 % is 12.706."""
    low, high = mean_interval([0.4, 0.6]) or (0, 0)
    assert (low, high) == pytest.approx((0.5 - 12.706 * 0.1, 0.5 + 12.706 * 0.1), abs=1e-4)
    assert mean_interval([0.4]) is None
