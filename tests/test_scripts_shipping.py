"""``emotions export --shipped`` and the commands that use what it wrote when no gallery is named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import NAMES, REAL, Run, checksums, the_error

from galleries.shipped import NAME, open_shipped

pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")

SAYS = "The gallery that comes with the toolkit answers"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four faces of noise. Not to be changed."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(3)
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 256, (48, 48), dtype=np.uint8))
    return folder


def test_a_run_is_made_small(run: Run, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "shipped"
    options = ("--shipped", "--references", 12, "--max-drop", 100, "--out", out)
    code, text, err = run("export", trained, *options, "--json")
    assert code == 0, err
    report = json.loads(text)
    assert "the gallery is not calibrated" in err  # too few faces
    bundle = open_shipped(folder=out)
    assert len(bundle.gallery) == report["references"] <= 13
    assert bundle.gallery.thumbnails is None
    assert set(bundle.gallery.emotions) == set(NAMES)
    assert len(bundle.encoder.model) < 0.6 * (trained / "tower.onnx").stat().st_size
    assert bundle.checked["difference_float16"] < 0.05
    assert report["validation"]["pictures"] == 6
    assert report["test"]["knn"]["n"] == 6
    disturbed = report["validation"]["disturbed"]
    assert disturbed["pictures"] == 6
    assert disturbed["kinds"][0]["accuracy"] == report["validation"]["after"]
    card = (out / "card.md").read_text("utf-8")
    assert "must not be used for" in card
    assert f"noisy {100 * disturbed['kinds'][6]['accuracy']:.1f} % (deviation of 15 grey values)" in card
    assert report["files"]["card.md"] == (out / "card.md").stat().st_size
    before = checksums(out)
    assert run("export", trained, *options)[0] == 0  # takes the place of the one before
    after = checksums(out)
    assert {name for name in after if after[name] != before[name]} <= {
        "bundle.json", "gallery/log.jsonl", "gallery/gallery.json"
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["shipped"]


def test_what_cannot_be_shipped_is_refused(
    run: Run, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "shipped"
    assert "--int8" in the_error(run("export", trained, "--shipped", "--int8", "--out", out)[2])
    assert "--out" in the_error(run("export", trained)[2])
    monkeypatch.setattr("emotions_cli.shipping.LARGEST", 1000)
    code, _, err = run("export", trained, "--shipped", "--references", 6, "--max-drop", 100, "--out", out)
    assert code == 2
    assert "1,000 may be shipped" in the_error(err)
    assert list(tmp_path.iterdir()) == []


def test_a_photograph_alone_is_answered(run: Run, pictures: Path) -> None:
    code, text, err = run("query", pictures / "0.png")
    assert code == 0
    assert SAYS in err
    assert text.startswith(f"{pictures / '0.png'}: ")
    code, text, err = run("query", pictures, "--json")
    answer = json.loads(text)
    assert (code, answer["gallery"], len(answer["results"])) == (0, NAME, 4)
    assert json.loads(run("query", NAME, pictures / "1.png", pictures / "2.png", "--json")[1])["gallery"] == NAME


def test_a_named_gallery_still_answers(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    picture = faces / "happiness" / "3.png"
    code, _, err = run("query", trained / "gallery", picture, "-k", 3)
    assert (code, err) == (0, "")
    for paths, why in (
        ((trained / "gallery",), "name pictures"),
        ((NAME,), "name pictures"),
        ((tmp_path / "no-such-gallery", picture), "no-such-gallery"),
        ((tmp_path / "missing.zip", picture), "missing.zip"),
        ((tmp_path / "missing.png",), "missing.png"),
    ):
        code, text, err = run("query", *paths)
        assert (code, text) == (2, "")
        assert why in the_error(err)


def test_a_damaged_gallery_is_not_taken_for_pictures(run: Run, built: Path, pictures: Path) -> None:
    (built / "gallery.json").unlink()
    code, _, err = run("query", built, pictures / "0.png")
    assert code == 2
    assert SAYS not in err
    assert str(built) in the_error(err)


def test_a_film_alone_is_answered(run: Run, film: Path) -> None:
    code, text, err = run("video", film, "--whole", "--json", "--seconds", 0.5)
    assert code == 0, err
    assert SAYS in err
    assert json.loads(text)["frames"] > 0


def test_a_copy_takes_a_new_emotion(run: Run, pictures: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    code, text, err = run("gallery", "copy", NAME, mine)
    assert code == 0, err
    assert f"emotions gallery add {mine} PICTURES --emotion NAME" in text.replace("\n", " ")
    size = json.loads(run("gallery", "info", NAME, "--json")[1])["size"]
    code, text, err = run("gallery", "add", mine, pictures, "--emotion", "boredom", "--json")
    assert code == 0, err
    assert json.loads(text)["counts"]["boredom"] == 4
    assert json.loads(text)["size"] == size + 4
    found = json.loads(run("query", mine, pictures / "2.png", "-k", 1, "--json")[1])
    assert found["results"][0]["faces"][0]["emotion"] == "boredom"
    code, _, err = run("gallery", "add", NAME, pictures, "--emotion", "boredom")
    assert code == 2
    assert f"emotions gallery copy {NAME} mine" in the_error(err)
    assert json.loads(run("gallery", "info", NAME, "--json")[1])["size"] == size


def test_a_real_photograph_and_film(run: Run) -> None:
    media = REAL / "media"
    if not media.exists():
        pytest.skip(f"{media} is missing (real data of this workplace)")
    code, text, _ = run("query", media / "multi_face.jpg", "--json")
    assert code == 0
    assert len(json.loads(text)["results"][0]["faces"]) == 5
