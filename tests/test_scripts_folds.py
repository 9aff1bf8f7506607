"""``emotions folds`` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import List

import pytest
from conftest import SMALL, Run

pytest.importorskip("torch", reason="the learning part is not installed")


def test_two_ways_side_by_side(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "folds"
    options: List[object] = ["--data", "synthetic:subjects=9", "--emotions", "happy,sad", "--folds", 3, "--epochs", 1]
    code, told, err = run("folds", *options, "--out", out, *SMALL)
    assert code == 0, err
    assert "random: LEAKING, " in told
    assert "subject: 0.0 % of the pictures tested show people who are trained on" in told
    assert "points lie between random and subject" in told
    facts = json.loads((out / "folds.json").read_text())
    assert [way["method"] for way in facts["ways"]] == ["random", "subject"]
    assert facts["ways"][0]["known_people"] > 0.9
    assert facts["ways"][1]["known_people"] == 0
    code, told, err = run("folds", "--resume", out, "--folds", 3, "--json")
    assert code == 0, err
    assert json.loads(told) == facts


def test_a_tower_of_other_data_is_asked_as_it_is_and_trained_on(run: Run, faces: Path, tmp_path: Path) -> None:
    first, out = tmp_path / "first", tmp_path / "folds"
    code, _, err = run("train", "--data", faces, "--epochs", 1, "--out", first, *SMALL)
    assert code == 0, err
    options: List[object] = ["--data", "synthetic:subjects=9", "--emotions", "happy,sad", "--folds", 3, "--epochs", 1]
    code, told, err = run("folds", *options, "--by", "subject", "--init", first, "--out", out, *SMALL)
    assert code == 0, err
    assert "subject, not trained on: 0.0 % of the pictures tested show people" in told
    assert "points lie between subject, not trained on and subject" in told
    plain, trained = json.loads((out / "folds.json").read_text())["ways"]
    assert (plain["trained"], trained["trained"]) == (False, True)
    assert plain["knn"]["n"] == trained["knn"]["n"]
    stage = json.loads((out / "subject" / "fold-1-of-3" / "stage.json").read_text())
    assert stage["started_from"] == str(first)


def test_nobody_is_kept_aside_where_the_last_epoch_is_kept(run: Run, tmp_path: Path) -> None:
    out, recipe = tmp_path / "folds", tmp_path / "last.toml"
    recipe.write_text('[training]\ntower = "nano"\nmonitor = "last"\n')
    options: List[object] = ["--data", "synthetic:subjects=9", "--emotions", "happy,sad", "--folds", 3, "--epochs", 1]
    code, _, err = run("folds", *options, "--by", "subject", "--recipe", recipe, "--out", out, "--input-size", 24)
    assert code == 0, err
    assert "fold-1-of-3: trained, nobody kept aside for validation" in " ".join(err.split())
    split = json.loads((out / "subject" / "fold-1-of-3" / "split.json").read_text())
    assert not split["val"]
    whole = len(split["train"]) + len(split["test"])
    assert json.loads((out / "folds.json").read_text())["ways"][0]["knn"]["n"] == whole
    code, _, err = run("folds", "--resume", out, "--by", "subject", "--folds", 3)
    assert code == 0, err


def test_a_tower_is_not_tested_on_what_it_learned_from(run: Run, faces: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    code, _, err = run("train", "--data", faces, "--epochs", 1, "--out", first, *SMALL)
    assert code == 0, err
    code, _, err = run("folds", "--data", faces, "--by", "random", "--init", first, "--out", tmp_path / "folds", *SMALL)
    assert code == 2
    assert "so no fold would test strangers" in " ".join(err.split())
    assert not (tmp_path / "folds").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--by", "official"], "not a known way to split into folds"),
        (["--folds", 1], "give 2 or more"),
        (["--by", "subject"], "subject"),
        (["--resume", "nowhere"], "is not a run"),
    ],
)
def test_what_cannot_be_is_refused(run: Run, faces: Path, tmp_path: Path, options: List[object], said: str) -> None:
    code, _, err = run("folds", "--data", faces, "--out", tmp_path / "folds", *SMALL, *options)
    assert code == 2
    assert said in " ".join(err.split())
    assert not (tmp_path / "folds").exists()
