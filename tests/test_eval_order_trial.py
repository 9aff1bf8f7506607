from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the learning part is not installed")

from test_siamese_curriculum_course import FOUR, Watch, make

from eval.order_trial import ARMS, Trial, easiest_first, growing_epochs, order_trial, summarise
from galleries.errors import ConfigError, TrainingError
from siamese.curriculum.similarity import RankedPair, Ranking

RANKING = Ranking(
    tuple(
        RankedPair(pair, None, band)
        for pair, band in (
            (("anger", "fear"), "similar"),
            (("anger", "sadness"), "similar"),
            (("fear", "sadness"), "moderate"),
            (("anger", "happiness"), "moderate"),
            (("happiness", "sadness"), "distinct"),
            (("fear", "happiness"), "distinct"),
        )
    )
)


def test_the_easiest_emotions_come_first() -> None:
    """fear and happiness are least alike; sadness is further from both (2 + 4) than anger (0 + 3)."""
    assert easiest_first(RANKING, FOUR) == ("fear", "happiness", "sadness", "anger")


@pytest.mark.parametrize(
    ("counts", "budget", "expected"),
    [
        ([100, 100, 100], 600, [1, 1]),
        ([100, 100, 100, 100, 100], 6000, [7, 5, 3, 3]),
        ([10, 10], 200, [10]),
        ([10, 10, 10], 30, [1, 1]),
    ],
)
def test_a_growing_set_shares_the_budget(counts: list[int], budget: int, expected: list[int]) -> None:
    epochs = growing_epochs(counts, budget)
    assert epochs == expected


def test_every_arm_is_trained_once_on_the_same_budget(tmp_path: Path) -> None:
    course = make(tmp_path, Watch())
    config = replace(course.config.training, epochs=4)
    trials = [order_trial(course.setting, config, RANKING, arm, 0, Watch()) for arm in ARMS]
    assert [trial.arm for trial in trials] == list(ARMS)
    fixed = {trial.pictures for trial in trials if trial.arm != "growing"}
    assert len(fixed) == 1
    assert trials[-1].pictures <= max(fixed)
    assert len({trial.accuracy for trial in trials} | {0.0}) > 1
    watch = Watch()
    again = [order_trial(course.setting, config, RANKING, arm, 0, watch) for arm in ARMS]
    assert again == trials
    assert watch.steps == 0  # read, not trained
    cards = [json.loads((tmp_path / "seed-0" / arm / "4" / "card.json").read_text()) for arm in ARMS[:3]]
    assert [card["training"]["pair_order"] for card in cards] == list(ARMS[:3])


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    course = make(tmp_path, Watch())
    path = tmp_path / "seed-0" / "mixed" / "test.json"
    path.parent.mkdir(parents=True)
    for damaged in ("{", "[]", '{"arm": "mixed"}', json.dumps(vars(Trial("growing", 0, 1, 0.5, 0.5)))):
        path.write_text(damaged)
        with pytest.raises(TrainingError, match="is damaged"):
            order_trial(course.setting, course.config.training, RANKING, "mixed", 0, Watch())
    with pytest.raises(ConfigError, match="not a known arm"):
        order_trial(course.setting, course.config.training, RANKING, "random", 0, Watch())


def test_a_summary_worked_by_hand() -> None:
    """t for two degrees of freedom and 95 % is 4.3027."""
    trials = [Trial("mixed", seed, 10, value, 0.8) for seed, value in enumerate((0.50, 0.60, 0.70))]
    trials += [Trial("similar-first", seed, 10, value, 0.9) for seed, value in enumerate((0.52, 0.61, 0.75))]
    mixed, similar = summarise(trials)
    assert mixed["accuracy"] == pytest.approx(0.6)
    assert mixed["difference"] is None
    reach = 4.3027 * 0.1 / 3**0.5
    assert mixed["interval_95"] == pytest.approx((0.6 - reach, 0.6 + reach), abs=1e-4)
    assert similar["difference"] == pytest.approx(0.08 / 3)
    spread = (((0.02 - 0.08 / 3) ** 2 + (0.01 - 0.08 / 3) ** 2 + (0.05 - 0.08 / 3) ** 2) / 2) ** 0.5
    reach = 4.3027 * spread / 3**0.5
    assert similar["difference_95"] == pytest.approx((0.08 / 3 - reach, 0.08 / 3 + reach), abs=1e-4)


def test_one_seed_has_no_interval() -> None:
    (only,) = summarise([Trial("growing", 0, 10, 0.5, 0.8)])
    assert only["interval_95"] is None
    assert only["difference"] is None
