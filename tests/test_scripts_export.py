"""``emotions export`` as a person uses it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, List

import numpy as np
import pytest
from conftest import Run, checksums

pytest.importorskip("torch", reason="the learning part is not installed")
pytest.importorskip("onnx", reason="onnx is not installed (extra [train])")

from galleries.bundle import open_bundle
from galleries.gallery import Gallery


def test_a_folder_that_answers(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    before = checksums(trained)
    code, out, err = run("export", trained, "--out", tmp_path / "device", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["checked"]["difference"] <= 1e-4
    assert told["precision"] == "float32"
    assert told["bundle_bytes"] == sum(path.stat().st_size for path in (tmp_path / "device").rglob("*.*"))
    assert checksums(trained) == before
    picture = next(faces.rglob("*.png"))
    answers = [
        json.loads(run("query", place, picture, "--json")[1])["results"]
        for place in (trained / "gallery", tmp_path / "device")
    ]
    assert answers[0] == answers[1]
    found = open_bundle(tmp_path / "device")
    assert found.card == json.loads((trained / "card.json").read_text())
    assert found.gallery.references == Gallery.load(trained / "gallery").references


def test_a_zip_that_answers(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    code, out, err = run("export", trained, "--out", tmp_path / "device.zip")
    assert code == 0, err
    assert "difference from PyTorch" in out
    assert f"emotions query {tmp_path / 'device.zip'} PHOTO" in out
    assert [path.name for path in tmp_path.iterdir()] == ["device.zip"]
    code, out, err = run("query", tmp_path / "device.zip", next(faces.rglob("*.png")), "--provider", "cpu")
    assert code == 0, err
    assert "of the vote" in out
    assert "The tower runs on cpu." in err


@pytest.mark.parametrize(("option", "precision"), [("--int8", "int8"), ("--fp16", "float16")])
def test_a_smaller_tower(run: Run, trained: Path, tmp_path: Path, option: str, precision: str) -> None:
    code, out, err = run("export", trained, "--out", tmp_path / "b", option, "--max-drop", 100, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["precision"] == precision
    assert told["tower_bytes"][precision] < told["tower_bytes"]["float32"]
    checked = told["checked"]["validation"]
    assert 0 <= checked["before"] <= 1
    assert 0 <= checked["after"] <= 1
    assert checked["pictures"] > 0
    found = open_bundle(tmp_path / "b")
    whole = Gallery.load(trained / "gallery")
    assert found.precision == found.encoder.precision == precision
    assert found.gallery.references == whole.references
    assert found.gallery.tower.fingerprint == told["fingerprint"] != whole.tower.fingerprint
    cosine = (found.gallery.vectors * whole.vectors).sum(1)
    assert cosine.min() > 0.9


def test_a_smaller_tower_that_loses_too_much_is_not_written(
    run: Run, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emotions_cli import export_run

    shares = iter([0.9, 0.885, 0.9, 0.885])
    monkeypatch.setattr(export_run, "_accuracy", lambda *_: next(shares))
    code, _, err = run("export", trained, "--out", tmp_path / "b", "--fp16")
    assert code == 2
    assert "right on 88.50 %" in err
    assert "a loss of 1.50 points, and 1 are allowed (--max-drop); nothing was written." in err
    assert not list(tmp_path.iterdir())
    code, out, err = run("export", trained, "--out", tmp_path / "b", "--fp16", "--max-drop", 1.6)
    assert code == 0, err
    assert "90.00 % -> 88.50 %" in out


def test_another_gallery_of_the_same_tower(run: Run, trained: Path, tmp_path: Path) -> None:
    gallery = Gallery.load(trained / "gallery")
    gallery.remove(gallery.numbers[:5].tolist())
    gallery.save(tmp_path / "fewer")
    code, _, err = run("export", trained, "--out", tmp_path / "b", "--gallery", tmp_path / "fewer")
    assert code == 0, err
    assert len(open_bundle(tmp_path / "b").gallery) == len(gallery)


def test_a_reference_from_elsewhere_has_no_smaller_vector(run: Run, trained: Path, tmp_path: Path) -> None:
    gallery = Gallery.load(trained / "gallery")
    thumbnail = None if gallery.thumbnails is None else gallery.thumbnails[:1]
    gallery.add(gallery.vectors[:1], ["anger"], sources=["webcam.png"], thumbnails=thumbnail)
    gallery.save(tmp_path / "more")
    for option, wanted in (("--fp16", 2), ("--json", 0)):
        code, _, err = run("export", trained, "--out", tmp_path / "b", "--gallery", tmp_path / "more", option)
        assert code == wanted, err
        assert wanted == 0 or "'webcam.png', are no pictures of" in err


def test_data_that_moved(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "run"))
    request = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**request, "data": str(tmp_path / "gone")}))
    code, _, err = run("export", copy, "--out", tmp_path / "b")
    assert code == 2
    assert "gone" in err
    code, _, err = run("export", copy, "--out", tmp_path / "b", "--data", faces)
    assert code == 0, err


def refusals(trained: Path, tmp_path: Path) -> List[Any]:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").touch()
    return [
        ([trained, "--out", tmp_path / "b", "--int8", "--fp16"], "exclude each other"),
        ([trained, "--out", tmp_path / "taken"], "not empty"),
        ([tmp_path / "none", "--out", tmp_path / "b"], "not a finished run"),
        ([trained, "--out", tmp_path / "b", "--gallery", tmp_path / "none"], "no folder"),
        ([trained, "--out", tmp_path / "b", "--max-drop", -1], "max-drop"),
        ([trained, "--out", tmp_path / "b", "--int8", "--calibrate", 0], "calibrate"),
    ]


def test_what_cannot_be_done_is_told(run: Run, trained: Path, tmp_path: Path) -> None:
    for arguments, reason in refusals(trained, tmp_path):
        code, out, err = run("export", *arguments)
        assert (code, out) == (2, ""), arguments
        assert reason in err
        assert not (tmp_path / "b").exists()


def test_a_tower_that_differs_from_pytorchs_is_not_written(
    run: Run, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from galleries.encoder import OnnxEncoder

    real = OnnxEncoder.encode
    monkeypatch.setattr(OnnxEncoder, "encode", lambda self, pixels: real(self, pixels) + np.float32(2e-4))
    code, _, err = run("export", trained, "--out", tmp_path / "b")
    assert code == 2
    assert "differs from PyTorch's" in err
    assert not list(tmp_path.iterdir())
