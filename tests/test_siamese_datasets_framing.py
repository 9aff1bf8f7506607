"""How large faces are in their pictures: found again where it is known, and what is advised."""

from __future__ import annotations

import json
import lzma
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import REAL, Run, the_error, write_faces

from galleries.errors import DataError
from galleries.faces import FaceDetector
from siamese.datasets import load_dataset
from siamese.datasets.base import FaceDataset, PixelStore
from siamese.datasets.framing import Framing, measure_framing

YUNET = REAL / "models" / "face_detection_yunet_2026may.onnx"


def framed(faces: FaceDataset, times: float, wide: float = 1.0) -> FaceDataset:
    """The same faces cut out ``times`` as widely, the picture squeezed to be ``wide`` times as wide as high."""
    images = []
    for row in range(len(faces)):
        image = faces.image(row)
        edge = round(image.shape[0] * (times - 1) / 2)
        around = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        images.append(np.asarray(cv2.resize(around, None, fx=wide, fy=1.0), np.uint8))
    return replace(faces, store=PixelStore.from_images(images), rows=np.arange(len(images)))


@pytest.fixture(scope="module")
def faces() -> FaceDataset:
    dataset = load_dataset("synthetic:subjects=3,seed=4")
    return dataset.subset(np.arange(0, len(dataset), 2))


@pytest.mark.parametrize("times", [1.25, 1.6])
def test_a_wider_frame_is_measured_as_such(faces: FaceDataset, times: float) -> None:
    haar = FaceDetector()
    plain, wide = (measure_framing(each, haar) for each in (faces, framed(faces, times)))
    assert plain.asked == wide.asked == len(faces)
    assert plain.found > 0.9 * len(faces)
    assert plain.share / wide.share == pytest.approx(times, rel=0.06)
    assert wide.quartiles[0] <= wide.share <= wide.quartiles[1]
    assert plain.closer == 1
    assert wide.closer == pytest.approx(times, abs=0.15)


def test_pictures_that_are_not_square_count_by_both_sides(faces: FaceDataset) -> None:
    haar = FaceDetector()
    square, narrow = (measure_framing(each, haar).share for each in (faces, framed(faces, 1.25, wide=0.9)))
    assert square / narrow == pytest.approx(1.25, rel=0.1)


@pytest.mark.parametrize(
    ("detector", "share", "closer"),
    [
        ("haar", 1.3, 1),
        ("haar", 0.89, 1),
        ("haar", 0.88, 1.1),
        ("haar", 0.78, 1.25),
        ("haar", 0.6, 1.65),
        ("haar", 0.49, 2),
        ("haar", 0.1, 2),
        ("yunet", 0.88, 1),
        ("yunet", 0.87, 1.1),
    ],
)
def test_what_is_advised(detector: str, share: float, closer: float) -> None:
    framing = Framing(detector, 10, 9, share, (share - 0.05, share + 0.05))
    assert framing.closer == pytest.approx(closer)
    assert framing.to_json()["closer"] == framing.closer
    assert ("--closer" in framing.sentence()) == (closer > 1)


def test_more_pictures_than_the_sample_are_drawn_from(monkeypatch: pytest.MonkeyPatch, faces: FaceDataset) -> None:
    monkeypatch.setattr("siamese.datasets.framing.SAMPLE", 10)
    seen: list[tuple[int, int]] = []
    first, same, other = (
        measure_framing(faces, FaceDetector(), seed, lambda done, of: seen.append((done, of))) for seed in (1, 1, 2)
    )
    assert first == same != other
    assert first.asked == 10
    assert seen[:10] == [(done, 10) for done in range(1, 11)]


def test_pictures_without_faces_are_refused(tmp_path: Path) -> None:
    noise = load_dataset(write_faces(tmp_path / "noise", {"anger": 4, "fear": 4}), cache=False)
    with pytest.raises(DataError, match="found no face in 8 pictures"):
        measure_framing(noise, FaceDetector())


@pytest.mark.parametrize("detector", ["haar", "yunet"])
def test_faces_of_fer2013_fill_their_pictures(run: Run, tmp_path: Path, detector: str) -> None:
    source = REAL / "fer2013.csv.xz"
    if not source.exists() or (detector == "yunet" and not YUNET.exists()):
        pytest.skip(f"{source} or {YUNET} is missing (real data of this workplace)")
    with lzma.open(source, "rt") as file:
        (tmp_path / "fer2013.csv").write_text("".join(islice(file, 81)))
    options = ["--detector", YUNET] if detector == "yunet" else []
    code, out, err = run("data", tmp_path / "fer2013.csv", "--framing", *options, "--json")
    assert code == 0, err
    framing = json.loads(out)["framing"]
    assert framing["detector"] == detector
    assert framing["asked"] == 80
    assert framing["found"] >= (48 if detector == "haar" else 64)
    assert 0.9 < framing["share"] < 1.06
    assert framing["closer"] == 1


def test_the_command_says_it(run: Run) -> None:
    code, out, err = run("data", "synthetic:subjects=3", "--framing")
    assert code == 0, err
    assert "cut out closely" in " ".join(out.split())
    assert "belongs to --framing" in the_error(run("data", "synthetic:subjects=3", "--detector", "yunet.onnx")[2])
    assert "yunet.onnx" in the_error(run("data", "synthetic:subjects=3", "--framing", "--detector", "yunet.onnx")[2])
