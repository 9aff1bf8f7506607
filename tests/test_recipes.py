"""The recipes that come with the toolkit: each parses, names a real tower, and says where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from galleries.errors import ConfigError
from siamese.config import load_recipe
from siamese.lineage import read_before
from siamese.losses import Objective, parse_loss
from siamese.towers import TOWERS, make_tower, tower_names

RECIPES = sorted((Path(__file__).parent.parent / "scripts" / "recipes").glob("*.toml"))


def test_every_tower_has_a_recipe_of_its_name() -> None:
    names = {path.stem for path in RECIPES}
    assert {*TOWERS, "mobilenet_v2", "demo"} <= names


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_can_be_trained(path: Path) -> None:
    config, about = load_recipe(path)
    assert config.tower in tower_names()
    known = (
        "demo",
        "few-shots",
        "fine-tune",
        "shipped",
        "shipped-first",
        "shipped-pairs",
        "shipped-straight",
        "shipped-votes",
    )
    assert path.stem in (config.tower, f"shipped-{config.tower}", *known)
    assert about["title"]
    assert about["source"]
    assert set(read_before(path).recipes) <= {path.stem for path in RECIPES}
    with torch.device("meta"):
        tower = make_tower(config.tower, None, config.input_size, config.embedding_dim, None)
    objective = Objective(
        parse_loss(config.loss), 7, tower.embedding_dim, config.loss_options, config.miner, config.miner_options
    )
    assert objective.needs_head or config.monitor == "knn"
    assert set(config.loss_options) <= {term.name for term in objective.terms}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_misspelt_key_names_the_nearest(path: Path, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for right, wrong in (("batch_size", "batchsize"), ("monitor", "monitr"), ("epochs", "epoch")):
        assert f"\n{right} =" in text
        (tmp_path / path.name).write_text(text.replace(f"\n{right} =", f"\n{wrong} ="), encoding="utf-8")
        with pytest.raises(ConfigError, match=f"{path.name}.*{wrong}.*Did you mean '{right}'"):
            load_recipe(tmp_path / path.name)


def test_the_papers_numbers_are_kept() -> None:
    by_name = {path.stem: load_recipe(path)[0] for path in RECIPES}
    paper = by_name["siamese"]
    assert (paper.optimizer, paper.lr, paper.epochs, paper.batch_size) == ("adam", 1e-4, 100, 180)
    assert (paper.loss, paper.sampler) == ("contrastive", "pairs")
    assert paper.loss_options["contrastive"]["pairing"] == "adjacent"
    lie = by_name["liexnet"]
    assert (lie.optimizer, lie.lr, lie.epochs, lie.batch_size, lie.schedule) == ("adam", 1e-4, 600, 64, "plateau")
    assert (lie.augment.shift, lie.augment.zoom, lie.augment.flip) == (0.1, (0.9, 1.1), 0.5)
    affect = by_name["affectnet_cnn"]
    assert (affect.epochs, affect.batch_size, affect.lr, affect.early_stop) == (30, 64, 1e-3, 10)
    assert (affect.plateau_factor, affect.plateau_patience, affect.min_lr, affect.gradient_clip) == (0.1, 5, 1e-6, 1.0)
    assert (affect.augment.rotate, affect.augment.zoom, affect.augment.shift) == (15.0, (0.8, 1.2), 0.1)
    assert (by_name["fer_cnn"].epochs, by_name["fer_cnn"].batch_size) == (60, 64)
