from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from siamese.config import SCHEDULES, TrainingConfig
from siamese.schedule import Plateau, rate_at


def rates(schedule: str, total: int = 100, **options: float) -> list[float]:
    config = TrainingConfig(schedule=schedule, **{"lr": 0.1, "warmup": 0.2, "min_lr": 0.001, **options})  # type: ignore[arg-type]
    return [rate_at(config, step, total) for step in range(total)]


def test_one_cycle_rises_and_falls_in_straight_lines() -> None:
    found = rates("one-cycle")
    assert found[0] == pytest.approx(0.1 / 25)
    assert max(found) == found[20] == pytest.approx(0.1)
    assert found[10] == pytest.approx((0.1 / 25 + 0.1) / 2)
    assert found[-1] == pytest.approx(0.001)
    falls = [a - b for a, b in zip(found[20:], found[21:])]
    assert falls == pytest.approx([falls[0]] * len(falls))


def test_cosine_falls_along_half_a_cosine() -> None:
    found = rates("cosine", warmup=0.0)
    for step in (0, 33, 66, 99):
        expected = 0.001 + (0.1 - 0.001) * 0.5 * (1 + math.cos(math.pi * step / 99))
        assert found[step] == pytest.approx(expected)


def test_constant_stays() -> None:
    assert set(rates("constant")) == {0.1}


@given(
    st.sampled_from(SCHEDULES),
    st.integers(1, 400),
    st.floats(0, 1),
    st.floats(1e-8, 10),
    st.floats(0, 100),
    st.floats(0, 1),
)
def test_no_rate_is_above_lr_or_negative(
    schedule: str, total: int, warmup: float, lr: float, min_lr: float, factor: float
) -> None:
    config = TrainingConfig(schedule=schedule, warmup=warmup, lr=lr, min_lr=min_lr)
    for step in {0, total // 3, total - 1}:
        assert 0 <= rate_at(config, step, total, factor) <= lr * (1 + 1e-9)


@given(st.lists(st.floats(0, 1), max_size=40), st.integers(0, 4), st.floats(0.05, 0.95))
def test_plateau_does_as_pytorch_does(values: list[float], patience: int, factor: float) -> None:
    config = TrainingConfig(schedule="plateau", lr=1.0, min_lr=0.0, plateau_factor=factor, plateau_patience=patience)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=factor, patience=patience, threshold=0.0, eps=0.0
    )
    ours = Plateau(config)
    for value in values:
        # the state of a stopped run makes no difference
        again = Plateau(config)
        again.restore(ours.state())
        ours = again
        ours.update(value)
        theirs.step(value)
        assert rate_at(config, 0, 1, ours.factor) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)


def test_the_lowest_rate_holds_and_only_plateau_heeds_the_factor() -> None:
    plateau = TrainingConfig(schedule="plateau", lr=1e-3, min_lr=1e-6)
    assert rate_at(plateau, 0, 10, 0.1) == pytest.approx(1e-4)
    assert rate_at(plateau, 0, 10, 1e-9) == 1e-6
    for schedule in ("constant", "one-cycle", "cosine"):
        config = TrainingConfig(schedule=schedule)
        assert rate_at(config, 5, 10, 0.001) == rate_at(config, 5, 10)
