from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galleries.errors import ConfigError
from siamese.augment import Augmentation
from siamese.config import TrainingConfig, config_from_mapping, load_recipe

FIELDS = [item.name for item in dataclasses.fields(TrainingConfig)]


def test_a_configuration_survives_json() -> None:
    config = TrainingConfig(
        tower="siamese",
        loss="contrastive",
        loss_options={"contrastive": {"margin": 2.0}},
        early_stop=4,
        augment=Augmentation(zoom=(0.9, 1.2), flip=0.5),
    )
    assert config_from_mapping(json.loads(json.dumps(config.to_json()))) == config


def test_options_that_are_none_change_nothing() -> None:
    config = TrainingConfig()
    assert config.with_options(epochs=None, lr=None) == config
    assert config.with_options(epochs=3, seed=0).epochs == 3
    with pytest.raises(ConfigError, match="epochs"):
        config.with_options(epochs=0)


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"epochs": True},
        {"epochs": "3"},
        {"batch_size": 1},
        {"lr": 0},
        {"lr": float("nan")},
        {"lr": "fast"},
        {"momentum": 1.1},
        {"ema": -0.1},
        {"weight_decay": -1},
        {"seed": -1},
        {"seed": 2**40},
        {"input_size": 0},
        {"early_stop": 0},
        {"val_references": 0},
        {"sampler": "pks"},
        {"sampler": []},
        {"optimizer": "adams"},
        {"schedule": "onecycle"},
        {"precision": "fp16"},
        {"monitor": "accuracy"},
        {"monitor": "last", "early_stop": 3},
        {"monitor": "last", "schedule": "plateau"},
        {"class_weights": "inverse"},
        {"miner": "batch_hard"},
        {"weights": "imagenette"},
        {"loss": "supcom"},
        {"loss": 3},
        {"tower": None},
        {"loss_options": {"supcom": {}}},
        {"loss_options": {"supcon": 0.1}},
        {"loss_options": 3},
        {"miner_options": []},
        {"augment": {"flop": 1}},
        {"augment": 3},
        {"augment": {"zoom": ["a", "b"]}},
    ],
)
def test_values_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"In the recipe: ."):
        config_from_mapping(options)


def test_a_misspelt_option_names_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"In my\.toml: 'epoch' is not a known training option. Did you mean 'epochs'"
    ):
        config_from_mapping({"epoch": 3}, "my.toml")
    with pytest.raises(ConfigError, match="Did you mean 'batch-hard'"):
        TrainingConfig(miner="batch_hard")


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=4,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from([*FIELDS, "epoch"]), ANYTHING, max_size=3))
def test_any_mapping_is_a_configuration_or_a_clear_refusal(values: dict[str, Any]) -> None:
    reason = ""
    try:
        config = config_from_mapping(values)
    except ConfigError as error:
        reason = str(error)
    if reason:
        assert reason.startswith("In the recipe: ")
        return
    assert config_from_mapping(config.to_json()) == config


def test_a_recipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[about]\ntitle = "mine"\n[training]\nepochs = 2\n[training.augment]\nflip = 0.5\n')
    config, about = load_recipe(path)
    assert (config.epochs, config.augment.flip, about) == (2, 0.5, {"title": "mine"})


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"[training\n", "cannot be read as TOML"),
        (b"\xff\xfe\x00", "cannot be read as TOML"),
        (b"[trainings]\nepochs = 1\n", r"\[about\], \[training\] and \[before\] only"),
        (b"training = 3\n", "only"),
        (b"[training]\nepoch = 3\n", "Did you mean 'epochs'"),
        (b"[training]\nepochs = 'three'\n", "epochs = 'three'"),
    ],
)
def test_a_bad_recipe_is_refused(tmp_path: Path, content: bytes, hint: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=hint):
        load_recipe(path)


def test_a_missing_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_recipe_never_breaks(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray((Path(__file__).parent.parent / "scripts/recipes/compact.toml").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.toml"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    reason = "damaged.toml"
    try:
        assert load_recipe(path)[0].epochs >= 1
    except ConfigError as error:
        reason = str(error)
    assert "damaged.toml" in reason
