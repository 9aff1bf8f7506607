"""``emotions train``: what a run says of the straightener that it began with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

import pytest

pytest.importorskip("torch", reason="the learning part is not installed")

from emotions_cli.straightener_run import taught_straightener
from galleries.shipped import FOLDER
from siamese.config import TrainingConfig
from siamese.datasets import load_dataset
from siamese.run import RunRequest
from siamese.splits import make_split
from siamese.towers import CompactStraightTower

STRAIGHT = TrainingConfig(tower=CompactStraightTower.name)
FACES = load_dataset("synthetic:subjects=4")
SPLIT = make_split(FACES)


def request(config: TrainingConfig = STRAIGHT, init: Optional[str] = None) -> RunRequest:
    return RunRequest(data="synthetic:subjects=4", training=config.to_json(), init=init)


def test_what_is_known_of_the_straightener_that_comes_along_stays_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lesson = json.loads((FOLDER / "card.json").read_text())["straightener"]
    assert 0 < lesson["error"] < lesson["before"]
    assert taught_straightener(FACES, SPLIT, request(init="pretrained")) == (None, {"straightener": lesson})
    assert capsys.readouterr().err == ""
    assert taught_straightener(FACES, SPLIT, request(), tmp_path) == (None, {})  # stopped before its first epoch ended
    (tmp_path / "card.json").write_bytes((FOLDER / "card.json").read_bytes())
    assert taught_straightener(FACES, SPLIT, request(), tmp_path) == (None, {"straightener": lesson})


def test_without_one_that_has_learned_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert taught_straightener(FACES, SPLIT, request()) == (None, {})
    assert "--init with a tower that knows it" in " ".join(capsys.readouterr().err.split())
    assert taught_straightener(FACES, SPLIT, request(TrainingConfig(tower="nano"))) == (None, {})
    assert capsys.readouterr().err == ""
