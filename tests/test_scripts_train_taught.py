"""``emotions train`` with teachers, a cleaned training part, mixup, and a time budget."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import SMALL, Run, the_error

pytest.importorskip("torch", reason="the learning part is not installed")


def test_a_taught_run_on_a_clean_part(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    data = tmp_path / "faces"
    shutil.copytree(faces, data)
    shutil.copy(data / "anger" / "3.png", data / "anger" / "copy.png")
    shutil.copy(data / "anger" / "4.png", data / "sadness" / "conflict.png")
    out = tmp_path / "run"
    options = (
        "--teacher",
        trained,
        "--clean",
        "training",
        "--mixup",
        0.25,
        "--distil-weight",
        0.5,
        "--split",
        "random",
    )
    code, text, err = run("train", "--data", data, "--epochs", 2, "--out", out, *options, "--json", *SMALL)
    assert code == 0, err
    assert "are left out" in err
    report, asked = json.loads(text), json.loads((out / "run.json").read_text())
    listed = (out / "cleaned.tsv").read_text().splitlines()[1:]
    assert sum(report["cleaning"].values()) == len(listed) > 0
    assert (asked["teachers"], asked["training"]["clean"], asked["training"]["mixup"]) == (
        [str(trained)],
        "training",
        0.25,
    )
    assert (asked["training"]["distil_weight"], asked["training"]["distil_temperature"]) == (0.5, 4.0)
    assert "loss_distillation" in (out / "history.csv").read_text().splitlines()[0]
    card = json.loads((out / "card.json").read_text())
    assert card["teachers"][0]["run"] == str(trained)
    assert any("left out" in note for note in card["split"]["notes"])
    code, text, err = run("train", "--resume", out, "--json")
    assert code == 0, err
    again = json.loads(text)
    assert (again["test"], again["cleaning"]) == (report["test"], report["cleaning"])


def test_what_does_not_fit_is_refused_and_leaves_nothing(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    shared = ("train", "--data", faces, "--epochs", 1, "--out", tmp_path / "run", *SMALL)
    for options, why in (
        (("--teacher", trained, "--emotions", "joy,sad"), "knows anger, happiness, sadness, but the data has"),
        (("--teacher", tmp_path / "nobody"), "is not a finished run"),
        (("--teacher", trained, "--loss", "supcon"), "add cross-entropy"),
        (("--clean", "trainig"), "Did you mean 'training'"),
        (("--mixup", 0.9), "at most 0.5"),
    ):
        code, _, err = run(*shared, *options)
        assert code == 2
        assert why in the_error(err)
        assert not (tmp_path / "run").exists()


def test_a_time_budget(run: Run, faces: Path, tmp_path: Path) -> None:
    shared = ("train", "--data", faces, "--epochs", 500, "--out", tmp_path / "run", *SMALL)
    code, text, err = run(*shared, "--seconds", 0.3, "--json")
    assert code == 0, err
    assert json.loads(text)["stopped"] == "time is up"
