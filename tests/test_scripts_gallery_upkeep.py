"""Looking after a gallery at the terminal: check, condense, merge, export, import, log, undo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, checksums

from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

NAMES = ("angry", "happy", "sad")


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A gallery of 120 references in three clear groups, five of them called wrongly."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    vectors = (np.eye(3, 8)[labels] + rng.normal(0, 0.1, (120, 8))).astype(np.float32)
    names = [NAMES[(label + 1) % 3] if i in (4, 40, 55, 80, 110) else NAMES[label] for i, label in enumerate(labels)]
    pictures = rng.integers(0, 256, (120, 8, 8)).astype(np.uint8)
    card = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 8)
    Gallery.build(vectors, names, tower=card, thumbnails=pictures).save(tmp_path / "noisy")
    return tmp_path / "noisy"


def test_suspects_are_found_kept_as_a_table_and_fixed(noisy: Path, tmp_path: Path, run: Run) -> None:
    table, page = tmp_path / "fixes.csv", tmp_path / "check.html"
    code, out, err = run("gallery", "check", noisy, "--csv", table, "--html", page)
    assert code == 0, err
    assert "5 of 120 references are outvoted" in out
    assert "agreement: the neighbours of 95.8 %" in out
    assert page.read_text().count("<figure class='asked'>") == 5
    code, out, _ = run("gallery", "check", noisy, "--json")
    facts = json.loads(out)
    assert {suspect["number"] for suspect in facts["suspects"]} == {4, 40, 55, 80, 110}
    code, _, err = run("gallery", "check", noisy, "--apply", table)
    assert code == 2
    assert "nothing to carry out" in " ".join(err.split())
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *(line.replace("keep", "relabel") for line in lines[1:4]), *lines[4:]]))
    code, out, err = run("gallery", "check", noisy, "--apply", table)
    assert code == 0, err
    assert "Carried out 3 fixes" in out
    assert len(json.loads(run("gallery", "check", noisy, "--json")[1])["suspects"]) == 2
    run("gallery", "undo", noisy)
    assert len(json.loads(run("gallery", "check", noisy, "--json")[1])["suspects"]) == 5


def test_a_check_says_what_knowing_the_person_is_worth(noisy: Path, tmp_path: Path, run: Run) -> None:
    assert "own person" not in run("gallery", "check", noisy)[1]
    assert json.loads(run("gallery", "check", noisy, "--json")[1])["own_person"] is None
    held = Gallery.load(noisy)
    names = [known.label for known in held.references]
    people = [f"S{i // 3 % 8}" for i in range(120)]
    Gallery.build(held.vectors, names, tower=held.tower, subjects=people).save(tmp_path / "named")
    code, out, err = run("gallery", "check", tmp_path / "named", "-k", 5)
    assert code == 0, err
    assert "own person: 95.8 % of 120 references are answered rightly by the others, 95.8 % without" in out
    facts = json.loads(run("gallery", "check", tmp_path / "named", "-k", 5, "--json")[1])["own_person"]
    assert facts == {
        "references": 120, "people": 8, "n_neighbors": 5,
        "accuracy": pytest.approx(115 / 120), "accuracy_without": pytest.approx(115 / 120),
    }  # fmt: skip


@pytest.mark.parametrize(
    "row", ["4,praise,a,b,0.5,x", "x,remove,a,b,0.5,x", "4,relabel,a,,0.5,x", "999,remove,a,b,0.5,x", "4"]
)
def test_fixes_that_cannot_be_change_nothing(noisy: Path, tmp_path: Path, run: Run, row: str) -> None:
    table = tmp_path / "fixes.csv"
    table.write_text(f"number,action,emotion,suggested,suspicion,source\n40,remove,a,b,0.5,x\n{row}\n")
    before = checksums(noisy)
    code, _, err = run("gallery", "check", noisy, "--apply", table)
    assert code == 2
    assert "Traceback" not in err
    assert checksums(noisy) == before


@pytest.mark.parametrize("way", ["herding", "typical", "k-centres", "random", "condensed"])
def test_a_smaller_gallery(noisy: Path, tmp_path: Path, run: Run, way: str) -> None:
    code, out, err = run("gallery", "condense", noisy, "--to", "10%", "--way", way, "--out", tmp_path / "small")
    assert code == 0, err
    small = Gallery.load(tmp_path / "small")
    assert len(small) == 12 if way != "condensed" else len(small) <= 12
    assert small.typical == ("the most typical ones of a larger gallery" in out) == (way == "typical")
    assert f"Kept {len(small)} of 120 references, by {way}." in out
    assert len(Gallery.load(noisy)) == 120


@pytest.mark.parametrize(("to", "said"), [("2", "cannot be condensed to 2"), ("many", "a share such as 5%")])
def test_sizes_that_cannot_be(noisy: Path, tmp_path: Path, run: Run, to: str, said: str) -> None:
    code, _, err = run("gallery", "condense", noisy, "--to", to, "--out", tmp_path / "small")
    assert code == 2
    assert said in " ".join(err.split())
    assert not (tmp_path / "small").exists()


def test_two_galleries_become_one(place: Path, built: Path, tmp_path: Path, run: Run) -> None:
    code, out, err = run("gallery", "merge", built, built, "--out", tmp_path / "same")
    assert code == 0, err
    assert len(Gallery.load(tmp_path / "same")) == 11
    run("gallery", "add", built, place / "faces" / "angry" / "0.png", "--emotion", "boredom")
    code, out, err = run("gallery", "merge", tmp_path / "same", built, "--out", tmp_path / "both")
    assert code == 0, err
    assert f"added 1 of {built}" in out
    assert Gallery.load(tmp_path / "both").emotions == ("anger", "boredom", "happiness", "sadness")
    assert run("gallery", "merge", built, "--out", tmp_path / "one")[0] == 2


def test_a_table_for_other_tools_and_back(place: Path, built: Path, tmp_path: Path, run: Run) -> None:
    pytest.importorskip("pyarrow")
    code, out, err = run("gallery", "export", built, "--parquet", tmp_path / "g.parquet")
    assert code == 0, err
    assert "11 references written" in out
    code, _, err = run("gallery", "import", tmp_path / "g.parquet", "--out", tmp_path / "back")
    assert code == 0, err
    assert Gallery.load(tmp_path / "back").tower_onnx is None
    options = ["--tower", place / "run", "--out", tmp_path / "whole"]
    code, _, err = run("gallery", "import", tmp_path / "g.parquet", *options)
    assert code == 0, err
    assert np.allclose(Gallery.load(tmp_path / "whole").vectors, Gallery.load(built).vectors, atol=1e-6)
    code, _, err = run("gallery", "import", place / "faces" / "sad" / "3.png", "--out", tmp_path / "none")
    assert code == 2
    assert "Parquet" in err
    assert not (tmp_path / "none").exists()


def test_an_addition_is_judged_logged_and_undone(place: Path, built: Path, run: Run) -> None:
    before = Gallery.load(built)
    pictures = [place / "faces" / "angry" / f"{number}.png" for number in range(3)]
    code, out, err = run("gallery", "add", built, *pictures, "--emotion", "boredom", "--subject", "Ana")
    assert code == 0, err
    assert "of 3 references" in out
    assert "undo takes the addition back" in out
    said = " ".join(err.split())
    assert "boredom has only 3 references" in said
    assert "All references of boredom show one person" in said
    code, out, _ = run("gallery", "log", built)
    assert code == 0
    assert out.count("\n") == 2
    assert "add boredom (3), person Ana  -> 14 references" in out
    code, out, _ = run("gallery", "undo", built)
    assert code == 0
    assert "Done: undo, add boredom (3), person Ana." in out
    after = Gallery.load(built)
    assert after.references == before.references
    assert np.array_equal(after.vectors, before.vectors)
    code, out, _ = run("gallery", "log", built, "--json")
    assert [entry["changes"][0]["action"] for entry in json.loads(out)] == ["build", "add", "undo"]
    code, out, err = run("gallery", "add", built, *pictures, "--emotion", "boredom", "--json")
    facts = json.loads(out)
    assert facts["added"] == [14, 15, 16]  # numbers once given stay given
    assert facts["separation"][0]["emotion"] == "boredom"


def test_nothing_to_undo(built: Path, run: Run) -> None:
    code, _, err = run("gallery", "undo", built)
    assert code == 2
    assert "nothing to undo" in " ".join(err.split())
