"""``emotions train --detector``: a straightener learns where faces are before its tower is trained, and a card says how
well."""

from __future__ import annotations

import json
import lzma
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import REAL, SMALL, Run, the_error

from galleries.faces import FaceDetector
from galleries.shipped import FOLDER

pytest.importorskip("torch", reason="the learning part is not installed")

from emotions_cli.straightener_run import taught_straightener
from siamese.checkpoint import load_checkpoint
from siamese.config import TrainingConfig
from siamese.datasets import load_dataset
from siamese.run import RunRequest
from siamese.splits import make_split
from siamese.straightening import find_landmarks
from siamese.towers import CompactStraightTower

YUNET = REAL / "models" / "face_detection_yunet_2026may.onnx"


@pytest.fixture
def real_faces(tmp_path: Path) -> Path:
    source = REAL / "fer2013.csv.xz"
    if not source.exists() or not YUNET.exists():
        pytest.skip(f"{source} or {YUNET} is missing (real data of this workplace)")
    with lzma.open(source, "rt") as file:
        header, *rows = islice(file, 201)
    parts = ("Training", "Training", "Training", "PublicTest", "PrivateTest")
    kept = [f"{row.rsplit(',', 1)[0]},{parts[place % 5]}\n" for place, row in enumerate(rows)]
    (tmp_path / "fer2013.csv").write_text("".join([header, *kept]))
    return tmp_path / "fer2013.csv"


def test_real_faces_teach_it(run: Run, real_faces: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    options = ("--tower", "compact_straight", "--epochs", 1, "--batch-size", 16)
    code, text, err = run("train", "--data", real_faces, "--detector", YUNET, "--out", first, *options, "--json")
    assert code == 0, err
    assert "The straightener learned from" in " ".join(err.split())
    lesson = json.loads((first / "card.json").read_text())["straightener"]
    assert 80 < lesson["found"] <= lesson["asked"] <= 120
    tower = load_checkpoint(first).tower
    assert isinstance(tower, CompactStraightTower)
    assert tower.straightener.is_taught
    assert json.loads((first / "run.json").read_text())["detector"] == str(YUNET)
    report = json.loads(text)
    code, _, err = run("export", first, "--shipped", "--max-drop", 100, "--out", tmp_path / "small")
    assert code == 0, err
    told = " ".join((tmp_path / "small" / "card.md").read_text("utf-8").split())
    assert f"learned from {lesson['found']} training pictures where a face's eyes, nose and mouth are" in told
    code, text, err = run("train", "--resume", first, "--json")
    assert code == 0, err
    assert "learned from" not in err
    assert json.loads(text)["test"] == report["test"]
    assert json.loads((first / "card.json").read_text())["straightener"] == lesson
    code, _, err = run("train", "--data", real_faces, "--init", first, "--out", second, *options)
    assert code == 0, err
    assert "upright in the middle" not in err
    again = load_checkpoint(second).tower
    assert isinstance(again, CompactStraightTower)
    known = tower.straightener.state_dict()
    assert all(value.equal(known[key]) for key, value in again.straightener.state_dict().items())
    assert json.loads((second / "card.json").read_text())["straightener"] == lesson
    code, _, err = run("query", second / "gallery", REAL / "media" / "multi_face.jpg")
    assert code == 0, err


def test_landmarks_of_a_real_face_follow_it(real_faces: Path) -> None:
    pixels = np.array(real_faces.read_text().splitlines()[1].split(",")[1].split(), np.uint8).reshape(48, 48)
    detector = FaceDetector(YUNET)
    found = find_landmarks(pixels, detector)
    assert found is not None
    assert np.abs(found).max() < 1
    shifted = cv2.copyMakeBorder(pixels, 0, 12, 0, 12, cv2.BORDER_REPLICATE)  # the face at the upper left of 60x60
    moved = find_landmarks(shifted, detector)
    assert moved is not None
    np.testing.assert_allclose(moved, (found + 1) * 48 / 60 - 1, atol=0.08)
    assert find_landmarks(np.full((48, 48), 90, np.uint8), detector) is None


def test_without_a_detector_it_says_what_is_missing(run: Run, faces: Path, tmp_path: Path) -> None:
    options = ("--tower", "compact_straight", "--epochs", 1, *SMALL)
    code, _, err = run("train", "--data", faces, "--out", tmp_path / "run", *options)
    assert code == 0, err
    assert "takes every face for upright in the middle: give --detector" in " ".join(err.split())


def test_a_detector_that_is_of_no_use_is_refused(run: Run, faces: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    for tower, detector, why in (
        ("nano", YUNET, "--detector teaches compact_straight where faces are; the tower asked for is nano"),
        ("compact_straight", tmp_path / "lost.onnx", "is not a file; give a YuNet face detector's .onnx file"),
        ("compact_straight", tmp_path / "broken.onnx", "cannot be used as a YuNet face detector"),
    ):
        options = ("--tower", tower, "--detector", detector, "--epochs", 1, *SMALL)
        code, _, err = run("train", "--data", faces, "--out", tmp_path / "run", *options)
        assert code == 2
        assert why in the_error(err)
        assert not (tmp_path / "run").exists()


def test_what_is_known_of_the_straightener_that_comes_along_stays_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = load_dataset("synthetic:subjects=4")
    split, straight = make_split(faces), TrainingConfig(tower=CompactStraightTower.name).to_json()
    started = RunRequest(data="synthetic:subjects=4", training=straight, init="pretrained")
    lesson = json.loads((FOLDER / "card.json").read_text())["straightener"]
    assert 0 < lesson["error"] < lesson["before"]
    assert taught_straightener(faces, split, started) == (None, {"straightener": lesson})
    assert capsys.readouterr().err == ""
    resumed = RunRequest(data="synthetic:subjects=4", training=straight)
    assert taught_straightener(faces, split, resumed, tmp_path) == (None, {})  # stopped in its first epoch
    (tmp_path / "card.json").write_bytes((FOLDER / "card.json").read_bytes())
    assert taught_straightener(faces, split, resumed, tmp_path) == (None, {"straightener": lesson})
    assert taught_straightener(faces, split, resumed) == (None, {})
    assert "--init with a tower that knows it" in " ".join(capsys.readouterr().err.split())
    plain = RunRequest(data="synthetic:subjects=4", training=TrainingConfig(tower="nano").to_json())
    assert taught_straightener(faces, split, plain) == (None, {})
    assert capsys.readouterr().err == ""
