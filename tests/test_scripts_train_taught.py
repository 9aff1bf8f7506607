"""``emotions train`` with teachers, a cleaned training part, mixup, and a time budget."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SMALL, Run, the_error
from onnx_towers import write_tower
from voted_faces import voted_faces

from galleries.gallery import Gallery

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
        (("--teacher", trained, "--data", "synthetic:subjects=4"), "a teacher that knows contempt, disgust, fear,"),
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
    assert "were through" not in err
    shared = ("train", "--data", faces, "--epochs", 1, "--out", tmp_path / "short", *SMALL)
    code, _, err = run(*shared, "--seconds", 10000)
    assert code == 0, err
    assert "The 1 epochs were through after 0 of 10000 seconds" in " ".join(err.split())


def test_votes_beside_the_labels(run: Run, faces: Path, tmp_path: Path) -> None:
    data, votes = voted_faces(tmp_path)
    out = tmp_path / "run"
    shared = ("train", "--data", data, "--recipe", "compact", "--epochs", 1, *SMALL)
    code, _text, err = run(*shared, "--votes", votes, "--out", out, "--json")
    assert code == 0, err
    assert "50% of what a face teaches and votes for" in " ".join(err.split())
    assert json.loads((out / "run.json").read_text())["votes"] == str(votes)
    card = json.loads((out / "card.json").read_text())
    assert (card["data"]["votes"], card["data"]["ferplus"], card["emotions"]) == (
        True,
        False,
        ["anger", "happiness", "sadness"],
    )
    held = Gallery.load(out / "gallery")
    assert held.info()["divided"] == len(held)  # the run's own gallery votes as it was taught
    code, _, err = run("evaluate", out / "gallery", "--json")
    assert code == 0, err  # asked about FER-2013's own labels, without the votes
    export = ("--shipped", "--references", 6, "--max-drop", 100, "--out", tmp_path / "small")
    code, _, err = run("export", out, *export)
    assert code == 0, err
    assert "divided" not in Gallery.load(tmp_path / "small" / "gallery").info()
    assert "The votes are FER+" in (tmp_path / "small" / "card.md").read_text("utf-8")
    code, _, err = run(*shared, "--out", tmp_path / "plain")
    assert code == 0, err
    assert (tmp_path / "plain" / "history.csv").read_text() != (out / "history.csv").read_text()
    for options, why in (
        (("--ferplus", votes), "either replace"),
        (("--data", faces), "belong to the rows of FER-2013's CSV"),
    ):
        code, _, err = run(*shared, "--votes", votes, *options, "--out", tmp_path / "no")
        assert code == 2
        assert why in the_error(err)
        assert not (tmp_path / "no").exists()


def test_faces_vote_as_their_annotators_did(run: Run, tmp_path: Path) -> None:
    data, votes = voted_faces(tmp_path)
    lines = [line.split(",") for line in votes.read_text().splitlines()]
    for line in lines[1:]:  # the three votes for neutral, which is nobody's label, become votes for happiness
        line[2], line[3] = "0", str(int(line[3]) + int(line[2]))
    votes.write_text("\n".join(",".join(line) for line in lines) + "\n")
    cv2.imwrite(str(tmp_path / "face.png"), np.arange(48 * 48).reshape(48, 48) % 256)
    write_tower(tmp_path / "tower.onnx")
    shared = ("gallery", "build", "--data", data, "--tower", tmp_path / "tower.onnx", "--json")
    for name, options, expected in (
        ("plain", (), None),
        ("beside", ("--votes", votes), None),
        ("all", ("--votes", votes, "--votes-share", 1), None),
        ("soft", ("--ferplus", votes, "--soft"), {"anger": 0.7, "happiness": 0.3}),
    ):
        code, text, err = run(*shared, *options, "--out", tmp_path / name)
        assert code == 0, err
        held = Gallery.load(tmp_path / name)
        assert json.loads(text).get("divided", 0) == {"plain": 0, "soft": 12}.get(name, len(held))
        cast = held.references[0].votes
        assert held.references[0].label == "anger"
        if expected is not None:
            assert cast == expected
        elif name == "beside":
            assert cast is not None
            assert cast["anger"] > 0.5
            assert sum(cast.values()) == pytest.approx(1, abs=1e-3)
    code, text, err = run("gallery", "info", tmp_path / "soft")
    assert code == 0, err
    assert "12 references vote as their annotators did" in " ".join(text.split())
    code, text, err = run("query", tmp_path / "soft", data.parent / "face.png", "--whole", "--neighbors", len(held))
    assert code == 0, err
    assert "votes anger 70.0 %, happiness 30.0 %" in " ".join(text.split())
    for options, why in (
        (("--votes", votes, "--votes-share", 1.5), "give a share from 0 to 1"),
        (("--soft",), "without votes"),
        (("--votes", votes, "--ferplus", votes), "either replace"),
    ):
        code, _, err = run(*shared, *options, "--out", tmp_path / "no")
        assert code == 2
        assert why in the_error(err)
        assert not (tmp_path / "no").exists()
