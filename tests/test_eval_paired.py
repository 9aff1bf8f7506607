from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("scipy", reason="the judging part is not installed")

from eval.intervals import Bootstrap
from eval.paired import holm, joined, mcnemar, paired_difference, resampled_accuracy

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def oracle_mcnemar(b: int, c: int) -> float:
    """The binomial distribution by hand: all outcomes at most as likely as the one seen."""
    likely = [math.comb(b + c, k) for k in range(b + c + 1)]
    return sum(value for value in likely if value <= likely[b]) / 2 ** (b + c)


@pytest.mark.parametrize(("b", "c"), list(itertools.product(range(0, 13, 3), range(1, 11, 3))))
def test_mcnemar_against_the_binomial_by_hand(b: int, c: int) -> None:
    both, neither = 5, 4
    first = np.array([True] * (both + b) + [False] * (c + neither))
    second = np.array([True] * both + [False] * b + [True] * c + [False] * neither)
    assert mcnemar(first, second) == pytest.approx(oracle_mcnemar(b, c))
    assert mcnemar(second, first) == pytest.approx(oracle_mcnemar(b, c))


def test_mcnemar_of_a_table_from_the_literature() -> None:
    """1 against 9 discordant pairs: 2 (C(10, 0) + C(10, 1)) / 2^10."""
    first = np.array([True] + [False] * 9 + [True] * 5)
    second = np.array([False] + [True] * 9 + [True] * 5)
    assert mcnemar(first, second) == pytest.approx(22 / 1024)
    assert mcnemar(first, first) == 1.0


def test_mcnemar_holds_its_level() -> None:
    """Two classifiers that are equally good are told apart at 5 % in at most 5 % of tests."""
    rng = np.random.default_rng(0)
    found = [mcnemar(*(rng.random((2, 80)) < 0.7)) < 0.05 for _ in range(400)]
    assert np.mean(found) < 0.075


@given(SHARES)
def test_holm_against_its_definition(p_values: list[float]) -> None:
    """The smallest level at which the step-down procedure rejects each hypothesis, found by trying."""
    corrected = holm(p_values)
    size = len(p_values)
    for level in {*corrected, 0.05, 0.5}:
        rejected: set[int] = set()
        for rank, place in enumerate(np.argsort(p_values, kind="stable").tolist()):
            if p_values[place] > level / (size - rank) * (1 + 1e-12):
                break
            rejected.add(place)
        assert {place for place in range(size) if corrected[place] <= level} >= rejected
        strict = {place for place in range(size) if corrected[place] < level * (1 - 1e-9)}
        assert strict <= rejected


def test_holm_worked_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("p_values", "expected"), [([0.02], 0.02), ([0.02, 0.5], 0.04), ([0.01, 0.02, 0.9], 0.03), ([0.9, 0.8, 0.7], 1.0)]
)
def test_p_values_are_joined(p_values: list[float], expected: float) -> None:
    assert joined(p_values) == pytest.approx(expected)


@pytest.mark.parametrize("seeds", [3, 5])
def test_joined_p_values_hold_their_level_even_when_they_are_alike(seeds: int) -> None:
    rng = np.random.default_rng(1)
    same = [joined([p] * seeds) < 0.05 for p in rng.random(4000)]
    apart = [joined(list(p)) < 0.05 for p in rng.random((4000, seeds))]
    assert max(np.mean(same), np.mean(apart)) < 0.06


def test_resampling_against_a_slow_one() -> None:
    """Mean and spread of the samples, against drawing people and trainings one by one."""
    rng = np.random.default_rng(2)
    people = np.repeat(np.arange(12), 5)
    right = rng.random((3, 60)) < np.array([[0.5], [0.6], [0.8]])
    samples = resampled_accuracy(right, Bootstrap.draw(60, people.tolist(), 0, 4000))
    slow = []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(people == person) for person in rng.integers(0, 12, 12)])
        slow.append(np.mean([right[training, rows].mean() for training in rng.integers(0, 3, 2)]))
    assert samples.mean() == pytest.approx(np.mean(slow), abs=0.004)
    assert samples.std() == pytest.approx(np.std(slow), rel=0.06)
    alone = resampled_accuracy(right[:1], Bootstrap.draw(60, people.tolist(), 0, 500))
    assert alone.mean() == pytest.approx(right[0].mean(), abs=0.02)


@pytest.mark.parametrize(
    ("people_vary", "trainings_vary", "at_most"), [(0.35, 0.12, 0.985), (0.05, 0.0, 1.0)], ids=["much", "hardly"]
)
def test_the_interval_of_a_difference_covers_the_truth(
    people_vary: float, trainings_vary: float, at_most: float
) -> None:
    """Accuracy varies with the person and with the training, for both towers in ways of their own."""
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(200):
        people = np.repeat(np.arange(30), 4)
        rights = []
        for base in (0.58, 0.50):
            by_person = np.repeat(rng.uniform(-people_vary, people_vary, 30), 4)
            by_training = rng.uniform(-trainings_vary, trainings_vary, (6, 1))
            rights.append(rng.random((6, 120)) < base + by_person + by_training)
        draws = Bootstrap.draw(120, people.tolist(), 0, 300)
        first, second = (resampled_accuracy(right, draws, place) for place, right in enumerate(rights))
        gap = paired_difference(float(rights[0].mean() - rights[1].mean()), first, second, draws)
        covered.append(gap.interval[0] <= 0.08 <= gap.interval[1])
        assert gap.p >= 0.049 or not gap.interval[0] <= 0 <= gap.interval[1]
        assert gap.p <= 0.07 or gap.interval[0] <= 0 <= gap.interval[1]
    assert 0.92 <= np.mean(covered) <= at_most


def test_no_difference_is_none() -> None:
    right = np.random.default_rng(4).random((1, 50)) < 0.5
    draws = Bootstrap.draw(50, None, 0, 200)
    samples = resampled_accuracy(right, draws)
    gap = paired_difference(0.0, samples, samples, draws)
    assert (gap.interval, gap.p) == ((0.0, 0.0), 1.0)
