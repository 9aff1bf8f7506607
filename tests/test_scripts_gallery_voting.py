"""``emotions gallery vote``, and what other commands do with a gallery that votes by means."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import NAMES, Run, checksums

from galleries.gallery import Gallery
from galleries.voting import WAYS


@pytest.fixture
def own_run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run" / "gallery"


def test_ways_are_tried_and_one_is_kept(run: Run, own_run: Path, faces: Path) -> None:
    before = checksums(own_run)
    code, out, err = run("gallery", "vote", own_run, "-k", 3)
    assert code == 0, err
    assert "distance (now)" in out
    assert checksums(own_run) == before
    facts = json.loads(run("gallery", "vote", own_run, "-k", 3, "--json")[1])
    assert (facts["weights"], facts["n_neighbors"], set(facts["accuracy"])) == ("distance", 3, set(WAYS))
    code, out, err = run("gallery", "vote", own_run, "mean")
    assert code == 0, err
    assert "It votes by mean" in out
    assert Gallery.load(own_run).weights == "mean"
    assert json.loads(run("gallery", "info", own_run, "--json")[1])["weights"] == "mean"
    assert "mean (now)" in run("gallery", "vote", own_run)[1]
    picture = next((faces / NAMES[0]).iterdir())
    face = json.loads(run("query", own_run, picture, "--whole", "--json")[1])["results"][0]["faces"][0]
    assert face["weights"] == "mean"
    assert len(face["neighbours"]) == 5
    out = " ".join(run("query", own_run, picture, "--whole")[1].split())
    assert "of the vote of the emotions' means; nearest faces below)" in out
    usual = json.loads(run("query", own_run, picture, "--whole", "--weights", "distance", "--json")[1])
    assert usual["results"][0]["faces"][0]["weights"] == "distance"
    assert run("gallery", "undo", own_run)[0] == 0
    assert Gallery.load(own_run).weights == "distance"
    code, _, err = run("gallery", "vote", own_run, "median")
    assert code == 2
    assert "distance, majority, mean" in " ".join(err.split())


def test_a_person_and_a_new_emotion(run: Run, own_run: Path, faces: Path) -> None:
    assert run("gallery", "vote", own_run, "mean")[0] == 0
    pictures = sorted((faces / NAMES[0]).iterdir())[:3]
    code, out, err = run(
        "gallery", "add", own_run, *pictures, "--emotion", "boredom", "--subject", "Ana", "--whole", "--json"
    )
    assert code == 0, err
    facts = json.loads(out)
    assert facts["emphasised"] == []
    assert "emphasis" not in facts
    assert facts["separation"][0]["references"] == 3
    asked = ["query", own_run, pictures[0], "--whole", "--subject", "Ana", "--personal-weight", 1e6]
    personal = json.loads(run(*asked, "--json")[1])["results"][0]["faces"][0]
    assert (personal["emotion"], personal["personal"]["voters"]) == ("boredom", 1)
    assert "times nearer: 1 of 4 voters" in " ".join(run(*asked)[1].split())


def test_a_gallery_that_was_calibrated_for_another_vote(run: Run, own_run: Path) -> None:
    assert run("gallery", "calibrate", own_run, "--target-fpr", 0.5)[0] == 0
    code, _, err = run("gallery", "vote", own_run, "mean")
    assert code == 0
    assert "is calibrated for another vote" in " ".join(err.split())
    assert run("gallery", "calibrate", own_run, "--target-fpr", 0.5)[0] == 0
    fitted = Gallery.load(own_run).calibration
    assert fitted is not None
    assert fitted.weights == "mean"
    code, _, err = run("gallery", "vote", own_run, "distance")
    assert code == 0
    assert "another vote" not in err
    held = Gallery.load(own_run)
    assert held.calibration is not None
    assert held.calibration.weights == "distance"


def test_it_is_judged_as_it_votes(run: Run, own_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the judging part is not installed")
    asked = json.loads(run("evaluate", own_run, "--weights", "mean", "--json")[1])
    assert run("gallery", "vote", own_run, "mean")[0] == 0
    page = tmp_path / "page.html"
    more = ["--disturbed", "--unknown", "--leave-out", NAMES[0], "--without", NAMES[1], "--html", page]
    code, out, err = run("evaluate", own_run, "--json", *more)
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["weights"], facts["neighbors"], facts["neighbors_from"]) == ("mean", None, "default")
    assert facts["knn"]["confusion"] == asked["knn"]["confusion"]
    assert facts["unknown"]["weights"] == "mean"
    assert "The mean of each emotion" in page.read_text(encoding="utf-8")
    out = run("evaluate", own_run, "--unknown", "--leave-out", NAMES[0])[1]
    assert out.count("by means") == 2
    assert "k =" not in out
    shares = json.loads(run("evaluate", own_run, "-k", 3, "--weights", "distance", "--json")[1])
    assert shares["weights"] == "distance"
