"""``emotions benchmark upkeep`` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run, checksums, write_faces

pytest.importorskip("sklearn", reason="the judging part is not installed")

QUICK = ("--noise", "10,30", "--sizes", "40,20", "-k", 5)


def test_a_run_is_planted_cleaned_and_condensed(run: Run, trained: Path) -> None:
    before = checksums(trained / "gallery")
    code, out, err = run("benchmark", "upkeep", trained, *QUICK, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["references"], facts["faces"], facts["neighbors"], facts["part"]) == (30, 6, 5, "test")
    assert facts["interval"][0] <= facts["accuracy"] <= facts["interval"][1]
    assert [row["planted"] for row in facts["noise"]] == [3, 9]
    for row in facts["noise"]:
        assert 0 <= row["precision"] <= 1
        assert 0 <= row["recall_of_all"] <= 1
        assert {"noisy", "removed", "relabelled"} <= set(row)
    made = [(row["way"], row["edited"], row["size"]) for row in facts["condensed"]]
    for way, edited in (("herding", True), ("k-centres", True), ("random", True), ("random", False)):
        assert (way, edited, 12) in made
        assert (way, edited, 6) in made
    assert [size for way, _, size in made if way == "condensed"] == sorted(
        [size for way, _, size in made if way == "condensed"], reverse=True
    )
    assert all(size <= 12 for _, _, size in made)
    assert checksums(trained / "gallery") == before
    assert json.loads(run("benchmark", "upkeep", trained / "gallery", *QUICK, "--json")[1]) == facts
    other = json.loads(run("benchmark", "upkeep", trained, *QUICK, "--seed", 5, "--json")[1])
    assert other["noise"] != facts["noise"]
    code, out, err = run("benchmark", "upkeep", trained, *QUICK)
    assert code == 0, err
    assert "│ 9       │" in out
    assert "herding, edited" in out
    assert "95 % interval" in out
    assert facts["own"] is None, "nobody is named"
    assert "nobody whom the gallery does not know is named" in out


def test_other_data_and_faces_the_gallery_holds(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    asked = write_faces(tmp_path / "other", {"anger": 4, "sadness": 4}, seed=3)
    options = ["--data", asked, "--split", "all", *QUICK, "--json"]
    code, out, err = run("benchmark", "upkeep", trained, *options)
    assert code == 0, err
    assert json.loads(out)["faces"] == 8
    code, out, err = run("benchmark", "upkeep", trained, "--data", faces, "--split", "all", *QUICK, "--json")
    assert code == 0, err
    assert json.loads(out)["faces"] == 12
    assert "30 faces that the gallery holds are left out" in " ".join(err.split())


def test_people_are_given_references_of_their_own(run: Run, trained: Path) -> None:
    """Drawn people whom the gallery does not know."""
    pytest.importorskip("torch", reason="the learning part is not installed")
    data = "synthetic:subjects=3,pictures=24"
    options = ["--data", data, "--split", "all", "--own", "2", "--noise", "10", "--sizes", "40", "-k", 5]
    code, out, err = run("benchmark", "upkeep", trained, *options, "--json")
    assert code == 0, err
    rows = json.loads(out)["own"]
    assert [(row["shots"], row["of_one"], row["people"]) for row in rows] == [(2, False, 3), (2, True, 3)]
    assert [weight for weight, _ in rows[0]["by_weight"]] == [1.0, 1.5, 2.0, 3.0, 4.0]
    assert rows[0]["faces"] < rows[1]["faces"]
    code, out, err = run("benchmark", "upkeep", trained, *options)
    assert "│ 2 of one  │" in out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--noise", "much"], "above 0 and below 100"),
        (["--noise", "0"], "above 0 and below 100"),
        (["--sizes", "10,100"], "--sizes '10,100' was given"),
        (["--own", "many"], "--own 'many' was given"),
        (["--own", "0"], "--own '0' was given"),
        (["--split", "half"], "'half' is no part"),
        (["--split", "train"], "holds every face of the part train"),
        (["--data", "/nowhere"], "/nowhere"),
    ],
)
def test_what_cannot_be_asked(run: Run, trained: Path, options: list, sentence: str) -> None:
    code, out, err = run("benchmark", "upkeep", trained, *options)
    assert (code, out) == (2, "")
    assert sentence in " ".join(err.split())
    assert "Traceback" not in err
