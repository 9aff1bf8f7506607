"""``emotions gallery`` and ``emotions query`` as a person uses them, with a tiny tower."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run, checksums
from onnx_towers import SIDE, write_tower

from galleries.encoder import TowerCard
from galleries.gallery import Gallery
from galleries.images import InputSpec

NAMES = ("angry", "happy", "sad")
MEDIA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "media"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tower in ``run``, a folder of classes ``faces``, four pictures each, one of them broken."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "run").mkdir()
    write_tower(folder / "run" / "tower.onnx")
    rng = np.random.default_rng(8)
    for name in NAMES:
        (folder / "faces" / name).mkdir(parents=True)
        for number in range(4):
            picture = rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
            cv2.imwrite(str(folder / "faces" / name / f"{number}.png"), picture)
    (folder / "faces" / "sad" / "3.png").write_text("I am no picture.")
    return folder


@pytest.fixture
def built(place: Path, tmp_path: Path, run: Run) -> Path:
    code, _, err = run("gallery", "build", "--data", place / "faces", "--tower", place / "run", "--out", tmp_path / "g")
    assert code == 0, err
    return tmp_path / "g"


def test_build_tells_what_it_did(place: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "g"
    code, printed, err = run(
        "gallery", "build", "--data", place / "faces", "--tower", place / "run", "--out", out, "--metric", "euclidean"
    )  # fmt: skip
    assert code == 0
    assert "11 references, euclidean, flat index" in printed
    assert f"emotions query {out}" in printed
    assert "1 pictures were skipped" in err
    assert "3.png" in err
    gallery = Gallery.load(out)
    assert gallery.info()["counts"] == {"anger": 4, "happiness": 4, "sadness": 3}
    assert gallery.tower_onnx == (place / "run" / "tower.onnx").read_bytes()
    assert {reference.source for reference in gallery.references} >= {"angry/0.png", "sad/2.png"}
    assert gallery.thumbnails is not None
    assert gallery.thumbnails.shape == (11, 48, 48)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--metric", "cosin"], "Did you mean 'cosine'"),
        (["--index", "pq"], "not a known index"),
        (["--tower", "/nowhere"], "cannot be read as a tower"),
        (["--data", "/nowhere"], "/nowhere"),
    ],
)
def test_a_build_that_cannot_be(place: Path, tmp_path: Path, run: Run, options: list, sentence: str) -> None:
    given = {"--data": place / "faces", "--tower": place / "run", "--out": tmp_path / "g"}
    given.update(zip(options[::2], options[1::2]))
    code, _, err = run("gallery", "build", *[word for pair in given.items() for word in pair])
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err
    assert not (tmp_path / "g").exists()


def test_a_build_spares_what_is_there(place: Path, built: Path, run: Run) -> None:
    before = (built / "gallery.json").read_bytes()
    code, _, err = run("gallery", "build", "--data", place / "faces", "--tower", place / "run", "--out", built)
    assert code == 2
    assert "not empty" in err
    assert (built / "gallery.json").read_bytes() == before


def test_a_part_of_a_split(place: Path, tmp_path: Path, run: Run) -> None:
    given = ["gallery", "build", "--data", place / "faces", "--tower", place / "run"]
    code, printed, _ = run(*given, "--out", tmp_path / "g", "--part", "train", "--split", "random", "--json")
    assert code == 0
    assert 3 <= json.loads(printed)["size"] < 11
    code, _, err = run(*given, "--out", tmp_path / "h", "--part", "half")
    assert code == 2
    assert "choose one of: auto, train" in err


def test_add_remove_relabel_info(place: Path, built: Path, tmp_path: Path, run: Run) -> None:
    shots = tmp_path / "shots"
    shots.mkdir()
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
        cv2.imwrite(str(shots / f"{number}.png"), picture)
    (shots / "bad.jpg").write_text("I am no picture.")
    code, printed, err = run("gallery", "add", built, shots, "--emotion", "Boredom", "--subject", "Ana")
    assert code == 0
    assert "Added 3 references, numbers 11 to 13" in printed
    assert "1 pictures were skipped" in err
    assert Gallery.load(built).references[-1].subject == "Ana"
    code, printed, _ = run("query", built, shots / "1.png", "-k", 1)
    assert code == 0
    assert "boredom (100.0 % of the vote)" in printed
    assert "#12" in printed
    assert run("gallery", "remove", built, 12, 0)[0] == 0
    assert run("gallery", "relabel", built, 11, "--to", "enojo")[0] == 0
    assert run("gallery", "remove", built, "--emotion", "boredom", "--subject", "Ana")[0] == 0
    code, printed, _ = run("gallery", "info", built, "--json")
    assert json.loads(printed)["counts"] == {"anger": 4, "happiness": 4, "sadness": 3}
    code, printed, _ = run("gallery", "info", built, "--list")
    assert len(printed.splitlines()) == 11
    assert printed.splitlines()[-1].startswith("11\tanger\tAna\t")
    assert len(json.loads(run("gallery", "info", built, "--list", "--json")[1])) == 11


def test_changes_that_cannot_be_harm_nothing(built: Path, tmp_path: Path, run: Run) -> None:
    before = {path.name: path.read_bytes() for path in built.iterdir()}
    (tmp_path / "text.jpg").write_text("I am no picture.")
    for arguments, sentence in [
        (["remove", built], "Nothing to remove"),
        (["remove", built, 99], "number 99"),
        (["remove", built, "--subject", "Eva"], "'Eva'"),
        (["remove", built, *range(11)], "empty gallery"),
        (["relabel", built, 99, "--to", "fear"], "number 99"),
        (["relabel", built, 1, "--to", "!!"], "no letter or digit"),
        (["add", built, tmp_path / "text.jpg", "--emotion", "fear"], "None of 1 pictures"),
        (["add", built, tmp_path / "absent.png"], "does not exist"),
        (["info", tmp_path], "holds no gallery.json"),
        (["info", tmp_path / "absent"], "is no folder"),
    ]:
        code, _, err = run("gallery", *arguments)
        assert code == 2
        assert sentence in err
        assert "Traceback" not in err
    assert {path.name: path.read_bytes() for path in built.iterdir()} == before


def test_query_many_with_json(place: Path, built: Path, run: Run) -> None:
    code, printed, err = run("query", built, place / "faces", "--json", "-k", 1, "--language", "es")
    assert code == 0
    answer = json.loads(printed)
    assert answer["skipped"] == 1
    assert len(answer["results"]) == 12
    assert "skipped" in err
    good = [result for result in answer["results"] if result["error"] is None]
    expected = {"angry": "enojo", "happy": "felicidad", "sad": "tristeza"}
    for result in good:
        (face,) = result["faces"]
        assert face["emotion"] == expected[Path(result["path"]).parent.name]
        assert face["neighbours"][0]["distance"] == 0
        assert sum(face["scores"].values()) == pytest.approx(1)


def test_query_similar(place: Path, built: Path, run: Run) -> None:
    picture = place / "faces" / "happy" / "2.png"
    code, printed, _ = run("query", built, picture, "--similar", 2, "--json")
    assert code == 0
    found = json.loads(printed)["results"][0]["faces"][0]["similar"]
    assert len(found) == 11
    assert found[0]["source"] == "happy/2.png"
    assert [row["distance"] for row in found] == sorted(row["distance"] for row in found)
    code, printed, _ = run("query", built, picture, "--similar", 0)
    assert "1 references within 0" in printed
    assert run("query", built, picture, "--similar", -1)[0] == 2


def test_queries_that_cannot_be(place: Path, built: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "text.jpg").write_text("I am no picture.")
    (tmp_path / "empty").mkdir()
    picture = place / "faces" / "happy" / "2.png"
    for arguments, sentence in [
        ([built, tmp_path / "text.jpg"], "text.jpg is not a picture"),
        ([built, tmp_path / "text.jpg", tmp_path / "absent.png"], "None of 2 files"),
        ([built, tmp_path / "empty"], "holds no picture"),
        ([built, picture, "-k", 12], "12 neighbours were asked for, but the gallery holds 11"),
        ([built, picture, "-k", 0], "whole number"),
        ([built, picture, "--weights", "best"], "distance, majority"),
        ([built, picture, "--provider", "abacus"], "'abacus'"),
        ([built, picture, "--language", "fr"], "en, es"),
        ([built, picture, "--detector", tmp_path / "no.onnx"], "YuNet"),
        ([place / "run", picture], "holds no gallery.json"),
    ]:
        code, _, err = run("query", *arguments)
        assert (code, sentence in err, "Traceback" in err) == (2, True, False), err


def test_a_gallery_without_its_tower(place: Path, built: Path, run: Run) -> None:
    held = Gallery.load(built)
    held.tower_onnx = None
    held.save(built)
    picture = place / "faces" / "happy" / "2.png"
    code, _, err = run("query", built, picture)
    assert code == 2
    assert "--tower" in err
    assert run("query", built, picture, "--tower", place / "run")[0] == 0


def test_a_photograph_with_five_faces(built: Path, run: Run) -> None:
    if not MEDIA.exists():
        pytest.skip(f"{MEDIA} is missing (real data of this workplace)")
    code, printed, _ = run("query", built, MEDIA / "multi_face.jpg", "--margin", 0.1)
    assert code == 0
    assert printed.count("% of the vote") == 5
    assert "face 5 at" in printed
    assert run("query", built, MEDIA / "multi_face.jpg", "--whole")[1].count("% of the vote") == 1


def test_querying_needs_no_torch(place: Path, built: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "torchvision", "sklearn", "plotly"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run("query", built, place / "faces" / "happy" / "2.png")[0] == 0
    assert run("gallery", "info", built)[0] == 0


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


@pytest.mark.parametrize("way", ["herding", "k-centres", "random", "condensed"])
def test_a_smaller_gallery(noisy: Path, tmp_path: Path, run: Run, way: str) -> None:
    code, out, err = run("gallery", "condense", noisy, "--to", "10%", "--way", way, "--out", tmp_path / "small")
    assert code == 0, err
    small = Gallery.load(tmp_path / "small")
    assert len(small) == 12 if way != "condensed" else len(small) <= 12
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
