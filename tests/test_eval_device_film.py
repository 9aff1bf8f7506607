"""The drawn film shows faces that are found, and a film's run counts what was seen, took and cost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, List

import numpy as np
import pytest
from film_fakes import make_gallery, moving, open_gallery, read_film, write_film
from tegrastats_fake import LINES, forever, install

from eval.device_film import SIZE, draw_film, time_film
from galleries.errors import DataError
from galleries.evidence import Prediction
from galleries.faces import FaceDetector


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gallery(tmp_path_factory.mktemp("gallery"))


def test_two_people_are_drawn_and_found(tmp_path: Path) -> None:
    frames = read_film(draw_film(tmp_path / "drawn.mp4", 25))
    assert len(frames) == 25
    assert frames[0].shape == (SIZE[1], SIZE[0], 3)
    detector = FaceDetector()
    found = [detector.detect(frame) for frame in frames[::8]]
    assert [len(boxes) for boxes in found] == [2] * len(found)
    wanderer = [min(boxes, key=lambda box: box.x).x for boxes in found]
    assert wanderer == sorted(wanderer)
    assert wanderer[-1] > wanderer[0] + 10
    others = read_film(draw_film(tmp_path / "other.mp4", 2, seed=1))
    assert abs(others[0].astype(int) - frames[0]).max() > 50
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_a_film_end_to_end(gallery: Path, tmp_path: Path) -> None:
    recognizer = open_gallery(gallery)
    film = write_film(tmp_path / "two.avi", moving(20))
    with_faces = time_film(recognizer, film, 2)
    assert (with_faces.frames, with_faces.faces, with_faces.people) == (20, 40, 2)
    assert with_faces.detection
    assert with_faces.energy is None
    assert with_faces.fps == pytest.approx(20 / with_faces.seconds)
    assert 0 < with_faces.cpu_share < 2
    whole = time_film(recognizer, film, 2, detection=False, seconds=0.5)
    assert (whole.frames, whole.faces, whole.detection) == (5, 5, False)
    assert not recognizer.whole, "it is as it was"


def test_a_film_on_a_jetson(gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line, power = LINES["AGX Xavier, JetPack 5"]
    monkeypatch.setenv("PATH", str(install(tmp_path / "bin", forever(line))), prepend=":")
    film = write_film(tmp_path / "two.avi", moving(25) * 8)
    found = time_film(open_gallery(gallery), film, 2)
    assert found.energy is not None
    assert (found.energy.power, found.energy.idle, found.energy.note) == (power, power, "")
    assert found.energy.per_face == pytest.approx(power / 1000 * found.seconds / found.faces)
    assert found.energy.per_face_above_idle == 0


def test_a_meter_that_dies_is_told(gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beats, stop, gone = tmp_path / "beats", tmp_path / "stop", tmp_path / "gone"
    line = LINES["Nano"][0]
    body = f"while [ ! -e '{stop}' ]; do echo '{line}'; echo >> '{beats}'; sleep 0.02; done; touch '{gone}'; exit 1"
    monkeypatch.setenv("PATH", str(install(tmp_path / "bin", body)), prepend=":")
    recognizer = open_gallery(gallery)
    classify, asked = recognizer.classify, 0

    def classify_and_kill(vectors: np.ndarray) -> List[Prediction]:
        nonlocal asked
        asked += 1
        if asked == 3:
            wait_for(lambda: beats.is_file() and beats.stat().st_size >= 10)
            seen = beats.stat().st_size
            wait_for(lambda: beats.stat().st_size > seen + 5)
            stop.touch()
            wait_for(gone.exists)
            time.sleep(0.5)  # from its last command to its end
        return classify(vectors)

    monkeypatch.setattr(recognizer, "classify", classify_and_kill)
    found = time_film(recognizer, write_film(tmp_path / "two.avi", moving(25) * 4), 2)
    assert found.frames == 100, "the measurement goes on"
    assert found.energy is not None
    assert found.energy.samples >= 5
    assert "ended by itself (code 1)" in found.energy.note


def wait_for(is_there: Callable[[], bool]) -> None:
    for _ in range(3000):
        if is_there():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come within 30 seconds")


def test_no_film(gallery: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        time_film(open_gallery(gallery), tmp_path / "absent.mp4", 2)
