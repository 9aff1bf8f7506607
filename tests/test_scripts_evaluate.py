"""``emotions evaluate`` as a person uses it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import List

import numpy as np
import pytest
from conftest import NAMES, Run, write_faces

pytest.importorskip("sklearn", reason="the judging part is not installed")


def test_a_runs_gallery_on_its_own_test(run: Run, trained: Path) -> None:
    """Nothing but the gallery is told, and the answer is what training found."""
    result = json.loads((trained / "result.json").read_text())["test"]
    code, out, err = run("evaluate", trained / "gallery", "-k", result["n_neighbors"], "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["knn"]["confusion"] == result["knn"]["confusion"]
    assert facts["n_neighbors"] == result["n_neighbors"]
    assert not facts["leaking"]
    assert facts["knn"]["one_vs_rest"]["floor"] == pytest.approx(2 / 3)
    assert (facts["similarity"], facts["without"], facts["unknown"], facts["neighbors"]) == (None, None, None, None)
    assert facts["knn"]["intervals"]["by"] == "pictures"
    assert set(facts["knn"]["retrieval"]) >= {"recall_at_1", "recall_at_8", "map_at_r", "r_precision"}


def test_the_number_of_neighbours_is_chosen_on_validation_and_all_is_on_one_page(
    run: Run, trained: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    code, out, err = run("evaluate", trained / "gallery", "--without", NAMES[1], "--html", page)
    assert code == 0, err
    assert "chosen on" in out
    assert f"with and without {NAMES[1]}" in out
    assert "MAP@R" in out
    assert "does it know which of" in out
    assert "right of the surest 80%" in out
    text = page.read_text(encoding="utf-8")
    for wanted in (
        "How many neighbours vote",
        "validation pictures",
        f"With and without {NAMES[1]}",
        "chance",
        "Does it know which",
    ):
        assert wanted in text
    assert "<script src" not in text
    code, out, err = run("evaluate", trained / "gallery", "--json")
    facts = json.loads(out)
    assert facts["n_neighbors"] == facts["neighbors"]["chosen"]
    assert facts["neighbors_from"] == "validation"
    (told,) = facts["assurance"]
    assert (told["by"], told["right_of_surest"][0]) == ("share", [1.0, facts["knn"]["accuracy"]])
    assert 0 <= told["auroc_interval"][0] <= told["auroc"] <= told["auroc_interval"][1] <= 1
    assert facts["neighbors"]["accuracies"][facts["neighbors"]["tried"].index(facts["n_neighbors"])] == max(
        facts["neighbors"]["accuracies"]
    )


def test_emotions_the_gallery_lacks(run: Run, trained: Path) -> None:
    code, out, err = run("evaluate", trained / "gallery", "-k", 3, "--unknown", "--leave-out", NAMES[0], "--json")
    assert code == 0, err
    assert json.loads(out)["unknown"]["rounds"][0]["left_out"] == [NAMES[0]]


def test_how_the_vote_holds_in_worse_light(run: Run, trained: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, out, err = run("evaluate", trained / "gallery", "-k", 3, "--disturbed", "--html", page)
    assert code == 0, err
    for text in (out, page.read_text(encoding="utf-8")):
        for wanted in ("side light", "gamma 2", "few pixels", "known to leak" if text is out else "worse light"):
            assert wanted in text
    code, out, err = run("evaluate", trained / "gallery", "-k", 3, "--disturbed", "--json")
    facts = json.loads(out)["disturbed"]
    assert [entry["kind"] for entry in facts["kinds"]][:2] == ["as they are", "dark"]
    assert 0 < facts["mean"] < 1


def test_the_papers_table_and_the_threshold_mode(run: Run, trained: Path) -> None:
    code, out, err = run("evaluate", trained / "gallery", "--one-vs-rest", "--similarity")
    assert code == 0, err
    for wanted in ("TP", "TN", "FP", "FN", "never saying yes: 66.7 %", "chance 33.3 %", "best F1 on validation"):
        assert wanted in out
    assert "calling all alike" in out
    code, out, err = run("evaluate", trained / "gallery", "--similarity", "--json")
    assert code == 0, err
    found = json.loads(out)["similarity"]
    assert found["test"]["threshold"] == found["chosen"]["threshold"]
    assert found["test"]["f1"] >= 0
    assert found["always"]["recall"] == 1


def test_asking_about_what_it_holds_is_called_leaking(run: Run, trained: Path) -> None:
    code, out, err = run("evaluate", trained / "gallery", "--split", "all")
    assert code == 0, err
    assert "LEAKING" in out
    assert "no leaks" in out
    code, out, _ = run("evaluate", trained / "gallery", "--split", "train", "--json")
    facts = json.loads(out)
    assert facts["leaking"]
    assert facts["knn_without_leaks"] is None  # nothing is left


def test_copies_of_what_its_tower_has_learned_from_leak_though_the_gallery_lacks_them(
    run: Run, trained: Path, faces: Path, tmp_path: Path
) -> None:
    """A condensed gallery, elsewhere and without its run: the tower's own file tells what it was trained on."""
    few = tmp_path / "few"
    code, _, err = run("gallery", "condense", trained / "gallery", "--to", 6, "--way", "random", "--out", few)
    assert code == 0, err
    code, out, err = run("evaluate", few, "--data", faces, "--split", "train", "-k", 3, "--json")
    assert code == 0, err
    facts = json.loads(out)
    trained_on = facts["knn"]["n"]
    assert facts["leaking"]
    assert facts["knn_without_leaks"] is None
    assert f"has learned from {trained_on - 6} of the {trained_on} pictures" in " ".join(facts["leakage"])
    code, out, err = run("evaluate", few, "--data", faces, "--split-by", "random", "--seed", 5, "-k", 3, "--json")
    assert code == 0, err
    assert "in another split" in " ".join(err.split())
    code, out, err = run("evaluate", few, "--data", faces, "-k", 3, "--json")
    assert not json.loads(out)["leaking"]


def test_what_comes_along_knows_copies_of_what_it_was_trained_on(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (21, 48 * 48))
    pictures[14] = pictures[0]  # a copy of a training picture in the test
    usage = ["Training"] * 7 + ["PublicTest"] * 7 + ["PrivateTest"] * 7
    lines = [f"{row % 7},{' '.join(map(str, picture))},{usage[row]}" for row, picture in enumerate(pictures.tolist())]
    data = tmp_path / "fer2013.csv"
    data.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    code, out, err = run("evaluate", "pretrained", "--data", data, "-k", 5, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["leaking"]
    assert (facts["knn"]["n"], facts["knn_without_leaks"]["n"]) == (7, 6)
    assert "has learned from 1 of the 7 pictures" in " ".join(facts["leakage"])


def test_other_faces_and_fewer_emotions(run: Run, trained: Path, tmp_path: Path) -> None:
    other = write_faces(tmp_path / "other", {NAMES[0]: 6, NAMES[1]: 6, "fear": 6}, seed=5)
    code, out, err = run("evaluate", trained / "gallery", "--data", other, "--split", "all", "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["knn"]["n"] == 12
    assert "fear of" in " ".join(err.split())
    assert not facts["leaking"]
    code, out, err = run("evaluate", trained / "gallery", "--emotions", f"{NAMES[0]},{NAMES[1]}", "--json")
    assert code == 0, err
    assert {c["emotion"]: c["support"] for c in json.loads(out)["knn"]["classes"]}[NAMES[2]] == 0


def test_a_gallery_alone_needs_data(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(trained / "gallery", alone)
    code, _, err = run("evaluate", alone)
    assert code == 2
    assert "say with --data" in err
    code, out, err = run("evaluate", alone, "--data", faces, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert not facts["leaking"]  # the same data set and seed give the run's own split again
    assert facts["n_neighbors"] == facts["neighbors"]["chosen"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--split", "holdout"], "no part of a split; choose one of"),
        (["--split", "val", "--similarity"], "cannot be tested there"),
        (["--emotions", "boredom"], "boredom does not occur"),
        (["--split-by", "none.json"], "none.json"),
        (["-k", 400], "400"),
        (["-k", "many"], "give a whole number from 1, or auto"),
        (["-k", 0], "give a whole number from 1, or auto"),
        (["--leave-out", "anger"], "says what --unknown leaves out"),
        (["-k", 3, "--without", "boredom"], "was to be left out of a gallery of"),
        (["--weights", "heavy"], "heavy"),
    ],
)
def test_bad_options(run: Run, trained: Path, options: List[object], said: str) -> None:
    code, _, err = run("evaluate", trained / "gallery", *options)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_nothing_in_common(run: Run, trained: Path, tmp_path: Path) -> None:
    other = write_faces(tmp_path / "other", {"fear": 6, "disgust": 6})
    code, _, err = run("evaluate", trained / "gallery", "--data", other)
    assert code == 2
    assert "has none of them" in err
