"""Percentiles against sorting by hand, and that turns are taken."""

from __future__ import annotations

from typing import List

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.timing import Timing, measure, take_turns
from galleries.errors import ConfigError


def slow_percentile(values: List[float], share: float) -> float:
    """Between the two nearest ranks, in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@given(st.lists(st.floats(1e-6, 100), min_size=1, max_size=50), st.integers(1, 9))
def test_percentiles(seconds: List[float], items: int) -> None:
    timing = Timing.of(seconds, items)
    for share, told in ((0.5, timing.p50), (0.95, timing.p95), (0.99, timing.p99)):
        assert told == pytest.approx(1000 * slow_percentile(seconds, share))
    assert timing.runs == len(seconds)
    assert timing.mean == pytest.approx(1000 * sum(seconds) / len(seconds))
    assert timing.per_second == pytest.approx(items * len(seconds) / sum(seconds), rel=1e-4)


def test_warm_up_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    calls = []

    def work() -> None:
        calls.append(clock[0])
        clock[0] += 1.0 if len(calls) == 1 else 0.1  # the first is slow

    monkeypatch.setattr("eval.timing.time.perf_counter", lambda: clock[0])
    timing = measure(work, 2.0, least=5)
    assert timing.p99 == pytest.approx(100)
    assert 20 <= timing.runs <= 22
    assert len(calls) > timing.runs


def test_slow_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def work() -> None:
        clock[0] += 1.0

    monkeypatch.setattr("eval.timing.time.perf_counter", lambda: clock[0])
    assert measure(work, 1.0, least=20).runs == 4
    assert measure(work, 0.001, least=20).runs == 2


def test_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    order: List[int] = []

    def side(number: int) -> None:
        order.append(number)
        clock[0] += 0.004 * (number + 1)

    monkeypatch.setattr("eval.timing.time.perf_counter", lambda: clock[0])
    measured = take_turns([lambda: side(0), lambda: side(1)], rounds=4, seconds=1.0)
    assert np.array(measured) == pytest.approx(np.array([[0.004] * 4, [0.008] * 4]))
    changes = int((np.diff(order) != 0).sum())
    assert changes > 20, "they change places all the time"
    assert order[:2] == [0, 1], "each is warmed up"


def test_what_cannot_be_asked_for() -> None:
    with pytest.raises(ConfigError, match="more than 0"):
        measure(lambda: None, 0.0)
    with pytest.raises(ConfigError, match="1 or more"):
        take_turns([lambda: None], 0, 1.0)
