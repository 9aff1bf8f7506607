"""``emotions gallery`` and ``emotions query`` as a person uses them, with a tiny tower."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run, the_error, write_faces
from onnx_towers import SIDE

from galleries.gallery import Gallery
from galleries.recall import Recall

NAMES = ("angry", "happy", "sad")
MEDIA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "media"


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


def test_an_approximate_index_tells_how_often_it_is_right(place: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "g"
    options = ("--data", place / "faces", "--tower", place / "run", "--index", "ivfpq")
    code, printed, err = run("gallery", "build", *options, "--out", out)
    assert code == 0, err
    assert "ivfpq index" in printed
    told = Gallery.load(out).recall
    assert told is not None
    assert told.sentence() in " ".join(printed.split())
    for arguments in (("info", out), ("build", *options, "--out", tmp_path / "again")):
        code, printed, err = run("gallery", *arguments, "--json")
        assert code == 0, err
        assert json.loads(printed)["recall"] == {"share": told.share, "k": 5, "queries": 11, "size": 11}
    assert told.sentence() in " ".join(run("gallery", "info", out)[1].split())
    assert run("query", out, place / "faces" / "happy" / "0.png", "--json")[0] == 0


def test_an_index_that_misses_much_is_warned_of(place: Path, tmp_path: Path, run: Run, built: Path) -> None:
    gallery = Gallery.load(built)
    gallery.recall = Recall(0.6, 5, 11, 11)
    gallery.save(tmp_path / "g")
    code, _, err = run("gallery", "info", tmp_path / "g")
    assert code == 0
    assert "misses many of the nearest" in " ".join(err.split())


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


def test_many_pictures_are_encoded_a_block_at_a_time(
    place: Path, built: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emotions_cli import enrolment

    assert run("gallery", "add", built, place / "faces")[0] == 0
    assert run("gallery", "undo", built)[0] == 0
    before = Gallery.load(built)
    monkeypatch.setattr(enrolment, "BLOCK", 2)
    assert run("gallery", "add", built, place / "faces")[0] == 0
    after = Gallery.load(built)
    assert len(after) == 2 * len(before) == 22
    np.testing.assert_allclose(after.vectors[11:], before.vectors, atol=1e-6)


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


def test_a_rare_new_emotion_is_heard(place: Path, tmp_path: Path, run: Run) -> None:
    """Two pictures among many: they count as nearer as far as is wanted, and that can be changed and undone."""
    many, held = tmp_path / "many", tmp_path / "g"
    write_faces(many, {"angry": 30, "happy": 30}, seed=5)
    bored = write_faces(tmp_path / "shots", {"boredom": 2}, seed=6)
    built = run("gallery", "build", "--data", many, "--tower", place / "run", "--out", held, "--metric", "euclidean")
    assert built[0] == 0, built[2]
    code, out, err = run("gallery", "add", held, bored, "--whole", "--taken", 0.1, "--json")
    assert code == 0, err
    facts = json.loads(out)
    (fitted,) = facts["emphasised"]
    assert (fitted["emotion"], fitted["references"], fitted["asked"], fitted["n_neighbors"]) == ("boredom", 2, 60, 5)
    assert fitted["taken"] <= 0.1
    assert facts["emphasis"] == {"boredom": fitted["factor"]}
    assert fitted["factor"] > 1
    said = " ".join(run("gallery", "info", held)[1].split())
    assert f"boredom counts as {fitted['factor']:g} times nearer" in said
    code, out, err = run("query", held, bored / "boredom" / "0.png", "--whole", "--language", "es")
    assert code == 0, err
    assert "counts as" in out
    assert "times nearer" in err
    # more of it: fitted anew
    more = write_faces(tmp_path / "more", {"boredom": 3}, seed=6)
    again = json.loads(run("gallery", "add", held, more, "--whole", "--json")[1])
    assert again["emphasised"][0]["references"] == 5
    assert json.loads(run("gallery", "undo", held, "--json")[1])["emphasis"] == {"boredom": fitted["factor"]}
    # as told
    by_hand = json.loads(run("gallery", "emphasise", held, "Boredom", "--factor", 4, "--json")[1])
    assert by_hand["emphasis"] == {"boredom": 4.0}
    assert by_hand["emphasised"] is None
    less = run("gallery", "emphasise", held, "boredom", "--taken", 0.02, "-k", 3)
    assert less[0] == 0
    assert "references of other emotions would be called boredom" in " ".join(less[1].split())
    assert "emphasis" not in json.loads(run("gallery", "emphasise", held, "boredom", "--factor", 1, "--json")[1])
    assert run("gallery", "undo", held)[0] == 0
    # and not where it is not wanted
    plain = tmp_path / "plain"
    assert run("gallery", "build", "--data", many, "--tower", place / "run", "--out", plain)[0] == 0
    untouched = json.loads(run("gallery", "add", plain, bored, "--whole", "--taken", 0, "--json")[1])
    assert untouched["emphasised"] == []
    assert "emphasis" not in untouched
    for arguments in (
        ("add", plain, bored, "--whole", "--taken", 1.5),
        ("emphasise", plain, "joyful"),
        ("emphasise", plain, "boredom", "--factor", 0.5),
        ("emphasise", plain, "boredom", "--taken", 0),
    ):
        code, _, err = run("gallery", *arguments)
        assert code == 2
        the_error(err)
    assert Gallery.load(plain).info()["counts"]["boredom"] == 2


def test_means_come_to_vote_where_a_rare_emotion_is_added(tmp_path: Path, run: Run) -> None:
    held = tmp_path / "mine"
    assert run("gallery", "copy", "pretrained", held)[0] == 0
    size = len(Gallery.load(held))
    bored = write_faces(tmp_path / "shots", {"boredom": 2}, seed=6)
    code, out, err = run("gallery", "add", held, bored, "--whole")
    assert code == 0, err
    assert "from now on the mean of each emotion votes" in " ".join(out.split())
    assert Gallery.load(held).weights == "mean"
    assert Gallery.load(held).emphasis == {}
    assert "vote, by mean" in run("gallery", "log", held)[1]
    assert run("gallery", "undo", held)[0] == 0
    assert (Gallery.load(held).weights, len(Gallery.load(held))) == ("distance", size)
    facts = json.loads(run("gallery", "add", held, bored, "--whole", "--json")[1])
    assert (facts["weights"], facts["emphasised"]) == ("mean", [])


def test_an_emotion_with_as_many_references_changes_no_vote(place: Path, tmp_path: Path, run: Run) -> None:
    many, held = tmp_path / "many", tmp_path / "g"
    write_faces(many, {"angry": 30, "happy": 30}, seed=5)
    assert run("gallery", "build", "--data", many, "--tower", place / "run", "--out", held)[0] == 0
    more = write_faces(tmp_path / "more", {"boredom": 30}, seed=6)
    out = run("gallery", "add", held, more, "--whole")[1]
    assert "from now on" not in out
    assert Gallery.load(held).weights == "distance"


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


def test_a_person_s_own_references_count_more(place: Path, built: Path, run: Run) -> None:
    """Of the same picture under two names the person's own one is believed, and the answer says so."""
    picture = place / "faces" / "happy" / "2.png"
    assert run("gallery", "add", built, picture, "--emotion", "fear", "--subject", "Ana")[0] == 0
    code, printed, _ = run("query", built, picture, "-k", 1)
    assert "happiness (100.0 % of the vote)" in printed
    code, printed, err = run("query", built, picture, "-k", 1, "--subject", "Ana", "--language", "es")
    assert code == 0, err
    assert "miedo (100.0 % of the vote)" in printed
    assert "Ana's own references count 2 times nearer: 1 of 1 voters, 100.0 % of the vote; the ordinary vote says " in (
        printed
    )
    assert "says felicidad" in printed
    options = ["--subject", "Ana", "--personal-weight", 3, "-k", 5, "--json"]
    (face,) = json.loads(run("query", built, picture, *options)[1])["results"][0]["faces"]
    assert (face["personal"]["subject"], face["personal"]["weight"], face["personal"]["voters"]) == ("Ana", 3.0, 1)
    assert json.loads(run("query", built, picture, "--json")[1])["results"][0]["faces"][0]["personal"] is None
    for wrong, sentence in [
        (["--subject", "Zoe"], "no reference of 'Zoe', but of Ana"),
        (["--subject", "Ana", "--personal-weight", 0.5], "personal weight of 0.5"),
        (["--personal-weight", 2], "--subject"),
        (["--subject", "Ana", "--similar", 1], "leave one out"),
    ]:
        code, _, err = run("query", built, picture, *wrong)
        assert (code, sentence in " ".join(err.split()), "Traceback" in err) == (2, True, False), err


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
