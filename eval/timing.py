"""How long something takes, again and again: percentiles after a warm-up, and two things timed in turns."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Callable, List, Sequence

import numpy as np

from galleries.errors import ConfigError

Work = Callable[[], object]

_WARM = 0.2  # share of the measured time that is spent before
_SLICE = 0.01  # seconds
_MOST = 4.0  # times the wanted seconds that slow work may take to reach its least number of runs


@dataclass(frozen=True)
class Timing:
    """Many runs of the same work.

    Attributes:
        runs: How many were timed.
        mean: Milliseconds.
        p50: Median milliseconds; half of the runs were quicker.
        p95: Milliseconds that 95 % of the runs stayed below.
        p99: Milliseconds that 99 % of the runs stayed below; of fewer than 100 runs nearly the slowest.
        per_second: Items a second over all runs.
    """

    runs: int
    mean: float
    p50: float
    p95: float
    p99: float
    per_second: float

    @classmethod
    def of(cls, seconds: Sequence[float], items: int = 1) -> Timing:
        """The timing of runs.

        Args:
            seconds: Each run's, at least one.
            items: Pictures, faces or queries in a run.
        """
        milliseconds = 1000 * np.asarray(seconds, float)
        p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99)).tolist()
        total = float(milliseconds.sum()) / 1000
        return cls(len(seconds), float(milliseconds.mean()), p50, p95, p99, len(seconds) * items / max(total, 1e-9))


def measure(work: Work, seconds: float, items: int = 1, least: int = 20) -> Timing:
    """Time work after a warm-up.

    Args:
        work: What is timed.
        seconds: How long, about; work so slow that ``least`` runs take longer is given up to four times that.
        items: Pictures, faces or queries in a run.
        least: Runs wanted at least; two are always made.

    Raises:
        ConfigError: ``seconds`` is not above 0.
    """
    if not seconds > 0:
        raise ConfigError(f"{seconds!r} seconds a measurement were asked for; give more than 0.")
    ends = time.perf_counter() + _WARM * seconds
    work()
    while time.perf_counter() < ends:
        work()
    taken: List[float] = []
    began = time.perf_counter()
    while True:
        before = time.perf_counter()
        work()
        now = time.perf_counter()
        taken.append(now - before)
        passed = now - began
        if len(taken) >= 2 and passed >= seconds and (len(taken) >= least or passed >= _MOST * seconds):
            return Timing.of(taken, items)


def take_turns(sides: Sequence[Work], rounds: int, seconds: float) -> List[List[float]]:
    """Time several ways of doing something in turns, so that other work on the machine slows each.

    Within a round they change places every 10 ms or three runs, whichever is longer, so that a burst of other work
    meets all of them and each still runs on its own warm caches; who begins changes too.

    Args:
        sides: The ways.
        rounds: Measurements of each.
        seconds: How long all of it takes, about.

    Returns:
        For each side the median seconds of one run, in every round.

    Raises:
        ConfigError: No round was asked for.
    """
    if rounds < 1:
        raise ConfigError(f"{rounds} rounds were asked for; give 1 or more.")
    for side in sides:
        side()
    measured: List[List[float]] = [[] for _ in sides]
    for turn in range(rounds):
        taken: List[List[float]] = [[] for _ in sides]
        ends = time.perf_counter() + seconds / rounds
        place = turn % len(sides)
        while time.perf_counter() < ends or not all(taken):
            taken[place] += _slice(sides[place])
            place = (place + 1) % len(sides)
        for own, runs in zip(measured, taken):
            own.append(statistics.median(runs))
    return measured


def _slice(work: Work) -> List[float]:
    taken: List[float] = []
    ends = time.perf_counter() + _SLICE
    while len(taken) < 3 or time.perf_counter() < ends:
        before = time.perf_counter()
        work()
        taken.append(time.perf_counter() - before)
    return taken
