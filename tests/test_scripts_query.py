"""``emotions query``: the vote, the faces that say so, and a gallery that changes under it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import NAMES, REAL, Run

pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")


def test_which_emotion_and_which_faces_say_so(run: Run, trained: Path, faces: Path) -> None:
    gallery, picture = trained / "gallery", faces / "happiness" / "3.png"
    code, out, err = run("query", gallery, picture, "-k", 3)
    assert (code, err) == (0, "")
    assert re.match(rf"{re.escape(str(picture))}: \w+ \(\d+\.\d % of the vote\)\n", out)
    assert len(out.splitlines()) == 4
    code, out, _ = run("query", gallery, faces, "--json", "-k", 3)
    answer = json.loads(out)
    assert code == 0
    assert len(answer["results"]) == 42
    for result in answer["results"]:
        (face,) = result["faces"]
        assert sum(face["scores"].values()) == pytest.approx(1)
        assert len(face["neighbours"]) == 3
        assert face["emotion"] in NAMES


def test_the_faces_like_this_one(run: Run, trained: Path, faces: Path) -> None:
    gallery = trained / "gallery"
    source = json.loads((gallery / "references.jsonl").read_text().splitlines()[0])["source"]
    code, out, _ = run("query", gallery, faces / source, "--similar", 0.001)
    assert code == 0
    assert source in out
    found = json.loads(run("query", gallery, faces / source, "--similar", 2, "--json")[1])
    assert len(found["results"][0]["faces"][0]["similar"]) == 30


def test_a_real_photograph(run: Run, trained: Path) -> None:
    picture = REAL / "media" / "multi_face.jpg"
    if not picture.exists():
        pytest.skip(f"{picture} is missing (real data of this workplace)")
    code, out, _ = run("query", trained / "gallery", picture, "--json", "-k", 1)
    assert code == 0
    assert len(json.loads(out)["results"][0]["faces"]) == 5


def test_a_gallery_changes(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    code, out, _ = run("gallery", "build", "--data", faces, "--tower", trained, "--out", gallery, "--json")
    assert code == 0
    assert json.loads(out)["size"] == 42
    code, out, _ = run(
        "gallery", "add", gallery, faces / "anger" / "0.png", "--emotion", "boredom", "--taken", 0, "--json"
    )
    assert json.loads(out)["counts"]["boredom"] == 1
    code, out, _ = run("query", gallery, faces / "anger" / "0.png", "-k", 2, "--json")
    neighbours = json.loads(out)["results"][0]["faces"][0]["neighbours"]
    assert [(found["emotion"], found["distance"]) for found in neighbours] == [("anger", 0), ("boredom", 0)]
    assert run("gallery", "remove", gallery, "--emotion", "boredom")[0] == 0
    code, out, _ = run("gallery", "info", gallery, "--json")
    assert json.loads(out)["counts"] == dict.fromkeys(NAMES, 14)
