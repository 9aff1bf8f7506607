from __future__ import annotations

from pathlib import Path
from typing import List, Optional

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries.errors import ConfigError, DataError
from galleries.faces import Box, FaceDetector, _once_each, crop, is_face_picture
from galleries.images import InputSpec, read_picture

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
YUNET = DATA / "models" / "face_detection_yunet_2026may.onnx"
CENTRES = [(734, 355), (263, 123), (367, 293), (576, 368), (478, 259)]  # of multi_face.jpg, looked up by eye


def detector(name: str) -> FaceDetector:
    if not DATA.exists():
        pytest.skip(f"{DATA} is missing (real data of this workplace)")
    return FaceDetector(YUNET if name == "yunet" else None)


def frames(name: str, every: int) -> List[np.ndarray]:
    film = cv2.VideoCapture(str(DATA / "media" / name))
    found = []
    while True:
        done, frame = film.read()
        if not done:
            return found[::every]
        found.append(frame[..., ::-1])


@pytest.mark.parametrize("name", ["haar", "yunet"])
def test_five_faces_in_a_photograph(name: str) -> None:
    finder = detector(name)
    image = read_picture(DATA / "media" / "multi_face.jpg")
    boxes = finder.detect(image)
    assert len(boxes) == 5
    sizes = [box.width * box.height for box in boxes]
    assert sizes == sorted(sizes, reverse=True)
    for x, y in CENTRES:
        (hit,) = [b for b in boxes if b.x < x < b.x + b.width and b.y < y < b.y + b.height]
        assert abs(hit.x + hit.width / 2 - x) < 25
        assert abs(hit.y + hit.height / 2 - y) < 25
        assert 80 < max(hit.width, hit.height) < 150
    large = cv2.resize(image, None, fx=3, fy=3)
    assert len(finder.detect(large)) == 5
    assert finder.detect(large)[-1].width == pytest.approx(3 * boxes[-1].width, rel=0.2)


def test_eyes_nose_and_mouth_of_the_largest_face() -> None:
    finder = detector("yunet")
    image = read_picture(DATA / "media" / "multi_face.jpg")
    largest = finder.detect(image)[0]
    points = finder.landmarks(image)
    assert points is not None
    assert points.shape == (5, 2)
    assert (points > (largest.x, largest.y)).all()
    assert (points < (largest.x + largest.width, largest.y + largest.height)).all()
    left, right, nose, corner, other = points
    assert left[0] < nose[0] < right[0]
    assert corner[0] < other[0]
    assert max(left[1], right[1]) < nose[1] < min(corner[1], other[1])
    large = cv2.resize(image, None, fx=3, fy=3)
    np.testing.assert_allclose(finder.landmarks(large), 3 * points + 1, atol=0.05 * 3 * largest.width)
    assert finder.landmarks(np.full((100, 100), 90, np.uint8)) is None
    with pytest.raises(ConfigError, match="finds no eyes and mouths"):
        detector("haar").landmarks(image)


@pytest.mark.parametrize("name", ["haar", "yunet"])
def test_films_with_one_face_and_with_none(name: str) -> None:
    finder = detector(name)
    assert [len(finder.detect(frame)) for frame in frames("single_face.mp4", 18)] == [1] * 4
    assert [len(finder.detect(frame)) for frame in frames("WolfgangLanger_Pexels.mp4", 160)] == [1] * 3
    assert [len(finder.detect(frame)) for frame in frames("no_face.mp4", 33)] == [0] * 3


@pytest.mark.parametrize("name", ["haar", "yunet"])
@pytest.mark.parametrize(
    "shape", [(1, 1), (23, 400), (24, 24), (30, 30, 3), (32, 641, 3), (64, 31), (2, 3000), (1200, 50, 3)]
)
def test_any_picture_can_be_searched(name: str, shape: tuple) -> None:
    assert detector(name).detect(np.full(shape, 90, np.uint8)) == []


def test_searching_what_is_no_picture() -> None:
    with pytest.raises(DataError):
        FaceDetector().detect(np.zeros((3, 3)))


def test_models_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        FaceDetector(tmp_path)
    (tmp_path / "x.onnx").write_text("no model")
    with pytest.raises(ConfigError, match="cannot be used as a YuNet"):
        FaceDetector(tmp_path / "x.onnx")
    monkeypatch.setattr("galleries.faces._HAAR_FILE", "absent.xml")
    with pytest.raises(ConfigError, match=r"absent\.xml was not found"):
        FaceDetector()
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(ConfigError, match="has no Haar detector"):
        FaceDetector()


def test_overlapping_boxes_are_one_face() -> None:
    found = np.array([[0, 0, 100, 100, 3.0], [10, 10, 100, 100, 5.0], [200, 0, 50, 50, 1.0], [300, 0, 50, 50, -1.0]])
    assert sorted(_once_each(found).tolist()) == [1, 2]
    assert _once_each(np.empty((0, 5))).tolist() == []


def test_crop_inside_is_the_pixels_themselves() -> None:
    image = np.arange(100, dtype=np.uint8).reshape(10, 10)
    assert np.array_equal(crop(image, Box(2, 3, 4, 4, 1.0)), image[3:7, 2:6])
    assert np.array_equal(crop(image, Box(3, 3, 2, 4, 1.0)), image[3:7, 2:6])  # widened to a square
    assert np.array_equal(crop(image, Box(3, 3, 4, 4, 1.0), margin=0.25), image[2:8, 2:8])


def test_crop_over_the_border_repeats_it() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    padded = cv2.copyMakeBorder(image, 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    assert np.array_equal(crop(image, Box(-2, -2, 5, 5, 1.0)), padded[:5, :5])
    assert np.array_equal(crop(image, Box(1, 0, 5, 5, 1.0)), padded[2:7, 3:8])


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 90),
    st.integers(1, 90), st.sampled_from([None, 3]), st.floats(0, 2),
)  # fmt: skip
def test_crops_are_square_and_of_the_asked_size(
    height: int, width: int, x: int, y: int, w: int, h: int, channels: Optional[int], margin: float
) -> None:
    image = np.zeros((height, width, 3) if channels else (height, width), np.uint8)
    box = Box(x, y, w, h, 1.0)
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        with pytest.raises(DataError, match="outside"):
            crop(image, box, margin)
        return
    face = crop(image, box, margin)
    side = max(1, round(max(w, h) * (1 + 2 * margin)))
    assert face.shape == ((side, side, 3) if channels else (side, side))


@pytest.mark.parametrize("margin", [-0.1, 2.1, float("nan")])
def test_a_wrong_margin_is_refused(margin: float) -> None:
    with pytest.raises(ConfigError, match="margin"):
        crop(np.zeros((9, 9), np.uint8), Box(0, 0, 3, 3, 1.0), margin)


def test_what_is_taken_for_a_face() -> None:
    spec = InputSpec(48, 48, 1)
    assert is_face_picture(np.zeros((48, 48), np.uint8), spec)
    assert is_face_picture(np.zeros((130, 100), np.uint8), spec)
    assert not is_face_picture(np.zeros((100, 131, 3), np.uint8), spec)
    assert is_face_picture(np.zeros((224, 224, 3), np.uint8), InputSpec(224, 224, 3))
