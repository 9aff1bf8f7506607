"""``emotions gallery calibrate``, and what ``emotions query`` says afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Dict, List

import pytest
from conftest import NAMES, Run, checksums

from emotions_cli.query import _told
from galleries.gallery import Gallery


@pytest.fixture
def own_run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run" / "gallery"


def test_it_is_fitted_tested_kept_and_used(run: Run, own_run: Path, faces: Path) -> None:
    code, out, err = run("gallery", "calibrate", own_run, "--target-fpr", 0.5)
    assert code == 0, err
    assert "unknown beyond a distance of" in out
    assert "of the sets hold the true emotion (asked for: 50.0 %)" in out
    held = Gallery.load(own_run)
    assert held.calibration is not None
    assert held.calibration.faces == 6
    assert set(held.calibration.thresholds) == set(NAMES)
    picture = next((faces / NAMES[0]).iterdir())
    code, out, err = run("query", own_run, picture, "--whole", "--json", "--language", "es")
    decision = json.loads(out)["results"][0]["faces"][0]["decision"]
    assert set(decision["emotions"]) <= {"enojo", "felicidad", "tristeza"}
    assert decision["reason"]
    code, out, _ = run("query", own_run, picture, "--whole")
    assert decision["reason"] in out
    facts = json.loads(run("gallery", "info", own_run, "--json")[1])
    assert facts["calibration"]["error"] == 0.5
    code, out, _ = run("gallery", "undo", own_run)
    assert code == 0
    assert Gallery.load(own_run).calibration is None


def test_a_person_is_told_apart_from_what_is_promised(run: Run, own_run: Path, faces: Path) -> None:
    assert run("gallery", "calibrate", own_run, "--target-fpr", 0.5)[0] == 0
    pictures = sorted((faces / NAMES[0]).iterdir())[:3]
    code, _, err = run("gallery", "add", own_run, *pictures, "--emotion", "fear", "--subject", "Ana", "--whole")
    assert code == 0, err
    assert "was calibrated before these were added" in " ".join(err.split())
    asked = ["query", own_run, pictures[0], "--whole", "-k", 3]
    plain = json.loads(run(*asked, "--json")[1])["results"][0]["faces"][0]
    code, out, err = run(*asked, "--subject", "Ana", "--personal-weight", 1e6, "--json")
    assert code == 0, err
    face = json.loads(out)["results"][0]["faces"][0]
    assert face["decision"] == plain["decision"]
    assert face["emotion"] == "fear"
    out = " ".join(run(*asked, "--subject", "Ana", "--personal-weight", 1e6)[1].split())
    assert f"without regard to Ana: {'unknown' if face['decision']['unknown'] else ''}" in out
    assert "without regard" not in run(*asked)[1]


def test_whose_probability_is_told_is_named() -> None:
    decision = {
        "emotions": ["fear", "surprise"],
        "unknown": False,
        "confidence": 0.61,
        "reason": "why",
        "winner": "fear",
    }
    usual: Dict[str, Any] = {"emotion": "fear", "decision": decision, "personal": None}
    assert _told(usual) == "fear or surprise (why; right with probability 0.61)"
    personal = {**usual, "emotion": "surprise", "personal": {"subject": "Ana"}}
    told = "without regard to Ana: fear or surprise (why; fear is right with probability 0.61)"
    assert _told(personal) == told
    unknown = {**personal, "decision": {**decision, "unknown": True}}
    assert _told(unknown) == "without regard to Ana: unknown: why"


def test_json(run: Run, own_run: Path) -> None:
    code, out, err = run("gallery", "calibrate", own_run, "--target-fpr", 0.5, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["test"]["faces"] == 6
    assert 0 <= facts["test"]["coverage"] <= 1
    assert set(facts["test"]["coverage_by_emotion"]) == set(NAMES)


def test_what_is_known_is_left_aside(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    """A small gallery away from its run, and test and validation pictures some of which are copies of training ones."""
    few, copied = tmp_path / "few", tmp_path / "faces"
    code, _, err = run("gallery", "condense", trained / "gallery", "--to", 6, "--way", "random", "--out", few)
    assert code == 0, err
    code, _, err = run("gallery", "calibrate", few, "--data", faces, "--split", "train", "--target-fpr", 0.5)
    assert code == 2
    assert "its tower has learned from it" in " ".join(err.split())
    shutil.copytree(faces, copied)
    parts = json.loads((trained / "split.json").read_text())
    for part in ("val", "test"):
        known, other = parts["train"][0], next(name for name in parts[part] if name.startswith(NAMES[0]))
        shutil.copy(copied / known, copied / other)
    options = ["--data", copied, "--split-by", trained / "split.json", "--target-fpr", 0.6]
    code, out, err = run("gallery", "calibrate", few, *options, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["calibration"]["faces"], facts["left_aside"]) == (len(parts["val"]) - 1, 1)
    assert (facts["test"]["faces"], facts["test"]["left_aside"]) == (len(parts["test"]) - 1, 1)
    code, out, err = run("gallery", "calibrate", few, *options)
    assert code == 0, err
    assert "1 known ones left aside" in " ".join(out.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "needs 19 of each emotion"),
        (["--target-fpr", 2], "between 0 and 1"),
        (["--split", "train"], "stands in the gallery"),
        (["--split", "some"], "no part of a split"),
    ],
)
def test_what_cannot_be_changes_nothing(run: Run, own_run: Path, options: List[object], said: str) -> None:
    before = checksums(own_run)
    code, _, err = run("gallery", "calibrate", own_run, *options)
    assert code == 2
    assert said in " ".join(err.split())
    assert checksums(own_run) == before
