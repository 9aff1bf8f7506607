from __future__ import annotations

from typing import Any

import pytest

from galleries.errors import ConfigError
from siamese.config import TrainingConfig, config_from_mapping
from siamese.curriculum.config import PAPER_ORDER, CurriculumConfig, curriculum_from_mapping

FIVE = ("anger", "fear", "happiness", "neutral", "surprise")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"measure": "guess"}, "'guess' is not a known measure of similarity"),
        ({"choose": "luck"}, "not a known way to choose"),
        ({"criterion": "precision"}, "not a known criterion"),
        ({"order": "similar"}, "Did you mean 'similar-first'"),
        ({"threshold": 70}, "give a share from 0 to 1"),
        ({"threshold": True}, "give a share from 0 to 1"),
        ({"stage_epochs": 0}, "stage_epochs = 0 was given"),
        ({"pair_epochs": 1.5}, "pair_epochs = 1.5 was given"),
        ({"per_class": 1}, "whole number from 2"),
        ({"bounds": (0.1, 0.2)}, "the higher one first"),
        ({"bounds": ("x", 0.2)}, "give two similarities"),
        ({"bounds": (float("nan"), 0.2)}, "the higher one first"),
        ({"growth": " "}, "give best, paper"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        CurriculumConfig(**options)


def test_the_order_of_emotions() -> None:
    assert CurriculumConfig().given_order(FIVE) is None
    assert CurriculumConfig(growth="paper").given_order(FIVE) == PAPER_ORDER[:5]
    assert CurriculumConfig(growth="happy, sad").given_order(("sadness", "happiness")) == ("happiness", "sadness")
    with pytest.raises(ConfigError, match="names sadness; give best, paper, or two or more of: anger"):
        CurriculumConfig(growth="happy,sad").given_order(FIVE)
    with pytest.raises(ConfigError, match="names too few emotions"):
        CurriculumConfig(growth="happy,joy").given_order(FIVE)


def test_an_unknown_entry_is_refused() -> None:
    with pytest.raises(ConfigError, match="In x: no configuration of a curriculum"):
        curriculum_from_mapping({"speed": 3}, "x")
    with pytest.raises(ConfigError, match="In x: "):
        curriculum_from_mapping({"training": {"epochs": 0}}, "x")


BANDS = [[["anger", "fear"]], [], []]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pair_order": "similar-first"}, "needs pair_bands and the sampler 'pairs'"),
        ({"pair_order": "similar-first", "pair_bands": BANDS}, "the sampler is 'shuffle'"),
        ({"pair_order": "backwards"}, "not a known order of pairs"),
        ({"pair_bands": [["anger+fear"]]}, "holds 1 lists; give three"),
        ({"pair_bands": "anger+fear"}, "list of lists"),
        ({"pair_bands": [["anger"], [], []]}, "no pair of emotions"),
        ({"pair_focus": 1.5}, "pair_focus = 1.5"),
    ],
)
def test_orders_of_pairs_are_checked(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        TrainingConfig(**options)


def test_bands_are_read_back_from_json() -> None:
    config = config_from_mapping({"pair_order": "distinct-first", "pair_bands": BANDS, "sampler": "pairs"})
    assert config.pair_bands == ((("anger", "fear"),), (), ())
    assert config_from_mapping(config.to_json()) == config
