"""Films, pictures, cameras and streams: what is read, from where to where, and what is said of the rest."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, List, Tuple

import cv2
import numpy as np
import pytest
from film_fakes import (
    moving,
    write_film,
)

from galleries.errors import ConfigError, DataError
from galleries.live_page import LivePage
from galleries.recognizer import Recognizer
from galleries.sources import FilmSource, LiveSource, PictureSource, Span, open_source, safe_name
from galleries.video import recognise_film


def numbers(source: Any) -> List[int]:
    found = []
    while True:
        frame = source.read()
        if frame is None:
            source.close()
            return found
        found.append(frame.number)


def test_a_film_is_read_to_its_end(film: Path) -> None:
    source = open_source(film)
    assert isinstance(source, FilmSource)
    assert (source.is_live, source.fps, source.total) == (False, 10.0, 20)
    frame = source.read()
    assert frame is not None
    assert (frame.number, frame.time, frame.image.shape, frame.image.dtype) == (0, 0.0, (160, 240, 3), np.uint8)
    assert np.abs(frame.image.astype(int) - moving(1)[0]).mean() < 4  # what JPEG leaves
    assert numbers(source) == list(range(1, 20))
    assert source.notes == []


@pytest.mark.parametrize(
    ("start", "seconds", "expected"),
    [(0.5, None, range(5, 20)), (0.0, 0.3, range(3)), (1.0, 0.5, range(10, 15)), (1.9, 9.0, range(19, 20))],
)
def test_a_part_of_a_film(film: Path, start: float, seconds: Any, expected: range) -> None:
    source = open_source(film, Span(start, seconds))
    assert source.total == len(expected)
    frame = source.read()
    assert frame is not None
    assert frame.time == pytest.approx(expected[0] / 10)
    assert np.abs(frame.image.astype(int) - moving(20)[expected[0]]).mean() < 4
    assert [frame.number, *numbers(source)] == list(expected)


def test_a_film_that_cannot_jump_is_read_up_to_its_start(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stubborn:
        def __init__(self) -> None:
            self._film = cv2.VideoCapture(str(film))
            self.read, self.grab, self.release = self._film.read, self._film.grab, self._film.release

        def get(self, what: int) -> float:
            return 0.0 if what == cv2.CAP_PROP_POS_FRAMES else self._film.get(what)

        def set(self, what: int, value: float) -> bool:
            return False

    assert numbers(FilmSource("x", Stubborn(), Span(0.5))) == list(range(5, 20))


def test_what_cannot_be_opened_is_said_in_a_sentence(film: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("I am no film.")
    (tmp_path / "empty").mkdir()
    for where, sentence in [
        (tmp_path / "absent.mp4", "does not exist"),
        (tmp_path / "text.mp4", "is no film OpenCV can read"),
        (tmp_path / "empty", "holds no picture"),
        (987, "camera 987 cannot be opened"),
        ("gopher://x/y", "gopher:// addresses cannot be read"),
    ]:
        with pytest.raises(DataError, match=sentence):
            open_source(where)
    with pytest.raises(DataError, match=r"nothing can be read from 2 s on"):
        open_source(film, Span(2.0))
    with pytest.raises(ConfigError, match="is live"):
        open_source(0, Span(1.0))
    for wrong in [(-1.0, None), (0.0, 0.0), (float("nan"), None), (0.0, float("inf"))]:
        with pytest.raises(ConfigError, match="was given"):
            Span(*wrong)
    with pytest.raises(ConfigError, match="frames a second"):
        open_source(film, fps=0)


def test_an_mp4_cut_off_has_no_index(tmp_path: Path) -> None:
    whole = write_film(tmp_path / "whole.mp4", moving(20), codec="mp4v")
    assert numbers(open_source(whole)) == list(range(20))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(DataError, match="has lost its index"):
        open_source(cut)


def test_a_truncated_film_ends_early_and_says_so(film: Path, film_recognizer: Recognizer, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size * 6 // 10])
    with recognise_film(film_recognizer, cut) as run:
        seen = list(run)
        summary = run.summary()
    assert 5 < len(seen) == summary.frames < 16
    assert [frame.number for frame in seen] == list(range(len(seen)))
    assert summary.people == 2
    assert any("ended early" in note for note in summary.notes) == (run.source.total is not None)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 90_000, 3), (721, 333, 3), (360, 640), (1, 1)])
def test_frames_come_in_rgb_whatever_their_size(shape: Tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    class Camera:
        def get(self, _: int) -> float:
            return 25.0

        def read(self) -> Tuple[bool, np.ndarray]:
            return True, image

        def release(self) -> None:
            pass

    frame = LiveSource("made", Camera()).read()
    assert frame is not None
    expected = image[..., ::-1] if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    assert np.array_equal(frame.image, expected)


def test_a_header_that_promises_too_much(film: Path) -> None:
    class Boasting:
        def __init__(self) -> None:
            self._film = cv2.VideoCapture(str(film))
            self.read, self.release = self._film.read, self._film.release

        def get(self, what: int) -> float:
            return {cv2.CAP_PROP_FRAME_COUNT: 50.0, cv2.CAP_PROP_FPS: 0.0}[what]

    source = FilmSource("boast", Boasting(), fps=20.0)
    assert (source.fps, source.total) == (20.0, 50)
    assert numbers(source) == list(range(20))
    assert "does not say its frames a second (0)" in source.notes[0]
    assert "promises 50 frames, 20 could be read" in source.notes[1]


def test_a_folder_with_bad_pictures(tmp_path: Path) -> None:
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8 + number, 9), 50 * number, np.uint8))
    (tmp_path / "1.png").write_bytes(b"no picture")
    source = open_source(tmp_path, fps=2.0)
    assert isinstance(source, PictureSource)
    frames = [source.read() for _ in range(4)]
    assert [None if f is None else (f.number, f.time, f.image.shape) for f in frames] == [
        (0, 0.0, (8, 9)), (2, 1.0, (10, 9)), (3, 1.5, (11, 9)), None,
    ]  # fmt: skip
    assert source.skipped == 1
    assert "1.png" in source.notes[0]
    assert numbers(open_source(tmp_path, Span(1.0), fps=2.0)) == [2, 3]
    assert numbers(open_source(tmp_path / "3.png")) == [0]
    with pytest.raises(DataError, match="earlier start"):
        open_source(tmp_path, Span(2.0), fps=2.0)


class FakeCamera:
    """A cv2.VideoCapture that gives some frames and then vanishes."""

    def __init__(self, frames: int) -> None:
        self.left = frames
        self.released = False

    def get(self, what: int) -> float:
        return 0.0

    def read(self) -> Tuple[bool, Any]:
        self.left -= 1
        return (True, np.full((160, 240, 3), (1, 2, 3), np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


def test_a_camera_that_vanishes(film_recognizer: Recognizer) -> None:
    camera = FakeCamera(3)
    with recognise_film(film_recognizer, LiveSource("camera 0", camera)) as run:
        seen = list(run)
        summary = run.summary()
    assert len(seen) + summary.dropped == 3
    assert tuple(seen[0].image[0, 0]) == (3, 2, 1)  # BGR to RGB
    assert "camera 0 gave no more frames" in summary.notes[0]
    assert camera.released
    assert numbers(LiveSource("camera 0", FakeCamera(3), seconds=1e-9)) == [0]


def test_passwords_stay_out_of_names() -> None:
    assert safe_name("rtsp://me:se@cret@host:554/x@y") == "rtsp://host:554/x@y"
    assert safe_name("rtsp://host/x") == "rtsp://host/x"
    assert safe_name("a@b.mp4") == "a@b.mp4"
    with pytest.raises(DataError) as error:
        open_source("http://me:secret@127.0.0.1:9/film")
    assert "secret" not in str(error.value)


def test_a_stream_is_a_source_until_it_vanishes(film_recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    if cv2.CAP_FFMPEG not in cv2.videoio_registry.getStreamBackends():
        pytest.skip("this OpenCV has no FFmpeg to read streams with")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    over = threading.Event()
    with LivePage() as page:

        def show() -> None:
            for frame in moving(20) * 500:
                page.show(frame)
                if over.wait(0.02):
                    return

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        source = open_source(page.url + "stream.mjpg")
        assert isinstance(source, LiveSource)
        with recognise_film(film_recognizer, source) as run:
            for frame in run:
                assert [face.track for face in frame.faces][:1] == [1]
                if run.summary().frames == 3:
                    over.set()
                    page.close()
            summary = run.summary()
        thread.join()
    assert summary.frames >= 3
    assert "gave no more frames" in summary.notes[0]
