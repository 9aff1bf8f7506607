from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx_towers import SIDE, write_tower
from onnx_towers import card as onnx_card

from galleries.encoder import OnnxEncoder
from galleries.errors import DataError, EncoderMismatch, GalleryError
from galleries.faces import FaceDetector
from galleries.gallery import Gallery
from galleries.images import prepare_batch
from galleries.recognizer import Recognizer

MEDIA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "media"
FACES = np.random.default_rng(2).integers(0, 256, (6, SIDE, SIDE), dtype=np.uint8)
NAMES = ["anger", "anger", "fear", "fear", "joy", "joy"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of six faces that carries its tower."""
    place = tmp_path_factory.mktemp("gallery")
    encoder = OnnxEncoder(write_tower(place / "made.onnx"))
    vectors = encoder.encode(prepare_batch(FACES, encoder.input_spec))
    gallery = Gallery.build(vectors, NAMES, tower=encoder)
    gallery.attach_tower(encoder.model)
    gallery.save(place / "g")
    return place / "g"


def test_a_face_is_recognised_as_itself(folder: Path) -> None:
    recognizer = Recognizer.load(folder, n_neighbors=1, providers=["cpu"], threads=1)
    for face, name in zip(FACES, NAMES):
        (found,) = recognizer.recognise(face)
        assert found.box is None
        assert found.prediction.emotion == {"joy": "happiness"}.get(name, name)
        assert found.prediction.neighbours[0].distance == 0
        assert found.to_json()["box"] is None
        assert found.to_json()["confidence"] == 1.0


def test_faces_are_found_in_a_large_picture(folder: Path) -> None:
    if not MEDIA.exists():
        pytest.skip(f"{MEDIA} is missing (real data of this workplace)")
    recognizer = Recognizer.load(folder, n_neighbors=3, weights="majority", margin=0.1)
    (result,) = recognizer.recognise_files([MEDIA / "multi_face.jpg"])
    assert result.error is None
    assert len(result.faces) == 5
    assert all(face.box is not None and len(face.prediction.neighbours) == 3 for face in result.faces)
    assert len(json.loads(json.dumps(result.to_json()))["faces"]) == 5
    whole = Recognizer.load(folder, whole=True)
    assert [face.box for face in next(iter(whole.recognise_files([str(MEDIA / "multi_face.jpg")]))).faces] == [None]


def test_no_face_is_an_empty_answer(folder: Path) -> None:
    assert Recognizer.load(folder, FaceDetector()).recognise(np.full((300, 300), 128, np.uint8)) == []


def test_one_bad_file_is_reported_and_skipped(folder: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.jpg"
    cv2.imwrite(str(good), FACES[4])
    bad.write_text("I am no picture.")
    results = list(Recognizer.load(folder, n_neighbors=1).recognise_files([bad, good, tmp_path / "absent.png"]))
    assert [result.path for result in results] == [bad, good, tmp_path / "absent.png"]
    assert isinstance(results[0].error, DataError)
    assert "bad.jpg" in str(results[0].to_json()["error"])
    assert results[1].error is None
    assert results[1].faces[0].prediction.emotion == "happiness"
    assert results[2].faces == ()


def test_requests_that_cannot_be_met(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="7 neighbours"):
        Recognizer.load(folder, n_neighbors=7).recognise(FACES[0])
    with pytest.raises(DataError):
        Recognizer.load(folder).recognise(np.zeros((8, 8)))
    gallery = Gallery.load(folder)
    path = write_tower(tmp_path / "t.onnx", metadata=json.dumps(onnx_card(fingerprint="cd" * 16, tower="other")))
    with pytest.raises(EncoderMismatch, match="'other'"):
        Recognizer(gallery, OnnxEncoder(path))
    gallery.tower_onnx = None
    gallery.save(tmp_path / "bare")
    with pytest.raises(GalleryError, match="does not carry its tower 'tiny'"):
        Recognizer.load(tmp_path / "bare")
