"""Films, cameras and folders: what is read, followed, smoothed, drawn, written and shown."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Dict, List, Tuple

import cv2
import numpy as np
import pytest
from film_fakes import (
    EMOTIONS,
    SIZE,
    MadeSource,
    SquareFinder,
    make_gallery,
    moving,
    open_gallery,
    picture,
    read_film,
    write_film,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.annotate import Annotator, plain
from galleries.errors import ConfigError, DataError, EmotionsError, GalleryError
from galleries.faces import Box
from galleries.feed import Feed
from galleries.film_files import CODECS, FilmWriter, LineFile, face_columns, face_rows, frame_line
from galleries.live_page import LivePage
from galleries.recognizer import Recognizer
from galleries.sources import FilmSource, Frame, LiveSource, PictureSource, Span, open_source, safe_name
from galleries.video import Film, FilmOptions, FrameResult, detect_from, recognise_film

MEDIA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "media"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gallery(tmp_path_factory.mktemp("gallery"))


@pytest.fixture
def recognizer(folder: Path) -> Recognizer:
    return open_gallery(folder)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of two faces, ten frames a second. Not to be changed."""
    return write_film(tmp_path_factory.mktemp("film") / "two.avi", moving(20))


def numbers(source: Any) -> List[int]:
    found = []
    while True:
        frame = source.read()
        if frame is None:
            source.close()
            return found
        found.append(frame.number)


# --- sources ----------------------------------------------------------------------------------------------------------


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


def test_a_truncated_film_ends_early_and_says_so(film: Path, recognizer: Recognizer, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size * 6 // 10])
    with recognise_film(recognizer, cut) as run:
        seen = list(run)
        summary = run.summary()
    assert 5 < len(seen) == summary.frames < 16
    assert [frame.number for frame in seen] == list(range(len(seen)))
    assert summary.people == 2
    assert any("ended early" in note for note in summary.notes) == (run.source.total is not None)


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


def test_a_camera_that_vanishes(recognizer: Recognizer) -> None:
    camera = FakeCamera(3)
    with recognise_film(recognizer, LiveSource("camera 0", camera)) as run:
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


# --- the feed ---------------------------------------------------------------------------------------------------------


def test_a_film_waits_for_whoever_takes_it() -> None:
    source = MadeSource([np.zeros((2, 2), np.uint8)] * 30)
    feed = Feed(source, room=4)
    taken: List[Frame] = []
    while True:
        frames = feed.take(3)
        if not frames:
            break
        assert len(frames) == 3
        assert source.given <= len(taken) + 3 + 4 + 1
        taken += frames
    feed.close()
    assert [frame.number for frame in taken] == list(range(30))
    assert (feed.dropped, feed.failure, source.closed) == (0, None, 1)


def test_a_camera_does_not_wait() -> None:
    ten, go_on = threading.Event(), threading.Event()

    def before(number: int) -> None:
        if number == 10:
            ten.set()
            go_on.wait(30)

    source = MadeSource([np.zeros((2, 2), np.uint8)] * 11, is_live=True, before=before)
    feed = Feed(source)
    assert ten.wait(30)
    assert [frame.number for frame in feed.take(8)] == [9], "only the newest waits"
    assert feed.dropped == 9
    go_on.set()
    assert [frame.number for frame in feed.take(8)] == [10]
    assert feed.take(8) == []
    feed.close()


def test_a_camera_that_falls_silent_counts_as_vanished() -> None:
    go_on = threading.Event()
    source = MadeSource([np.zeros((2, 2), np.uint8)], is_live=True, before=lambda number: go_on.wait(30) and None)
    feed = Feed(source, silence=0.05)
    assert feed.take(1) == []
    assert "gave no frame for 0.05 s" in str(feed.failure)
    go_on.set()
    feed.close()
    assert source.closed == 1


def test_slow_recognition_drops_frames_and_counts_them(folder: Path) -> None:
    class Slow(SquareFinder):
        def detect(self, image: np.ndarray) -> List[Box]:
            time.sleep(0.03)
            return super().detect(image)

    source = MadeSource(moving(40), is_live=True, wait=0.002)
    with Film(open_gallery(folder, detector=Slow()), source) as run:
        seen = [frame.number for frame in run]
        summary = run.summary()
    assert seen == sorted(seen)
    assert summary.dropped > 0
    assert summary.frames + summary.dropped == 40


# --- recognition ------------------------------------------------------------------------------------------------------


def test_two_faces_are_followed(recognizer: Recognizer, film: Path) -> None:
    with recognise_film(recognizer, str(film), FilmOptions(batch=3)) as run:
        seen = list(run)
        summary = run.summary()
    assert [frame.number for frame in seen] == list(range(20))
    assert [[face.track for face in frame.faces] for frame in seen] == [[1, 2]] * 20
    for frame in seen:
        first, second = (face.box for face in frame.faces)
        assert abs(first.x - (10 + 2 * frame.number)) <= 3
        assert abs(second.x - 170) <= 3
        assert frame.detected
        assert frame.fps >= 0
    assert (summary.frames, summary.faces, summary.people, summary.brief) == (20, 40, 2, 0)
    assert (summary.first, summary.last) == (0.0, 1.9)
    assert sum(summary.shares.values()) == pytest.approx(1)
    assert summary.fps > 0
    assert json.loads(json.dumps(summary.to_json()))["people"] == 2


def test_votes_are_smoothed_as_a_slow_mean_says(recognizer: Recognizer) -> None:
    with recognise_film(recognizer, MadeSource(moving(15)), FilmOptions(smoothing=0.6, batch=4)) as run:
        seen = list(run)
    means: Dict[int, Dict[str, float]] = {}
    for frame in seen:
        for face in frame.faces:
            alone = face.prediction.scores
            before = means.get(face.track, alone)
            means[face.track] = {name: 0.6 * before[name] + 0.4 * alone[name] for name in alone}
            assert face.scores == pytest.approx(means[face.track])
            assert sum(face.scores.values()) == pytest.approx(1)
            assert face.confidence == max(face.scores.values()) == face.scores[face.emotion]
    assert any(face.emotion != face.prediction.emotion for frame in seen for face in frame.faces)


@pytest.mark.parametrize("batch", [1, 7])
def test_without_smoothing_it_is_what_a_photograph_gives(recognizer: Recognizer, batch: int) -> None:
    frames = moving(8)
    with recognise_film(recognizer, MadeSource(frames), FilmOptions(smoothing=0.0, batch=batch)) as run:
        for frame, image in zip(run, frames):
            alone = recognizer.recognise(image)  # the larger face first, which is the first track's
            assert [(f.box, f.emotion) for f in frame.faces] == [(a.box, a.prediction.emotion) for a in alone]
            for face, photograph in zip(frame.faces, alone):
                assert face.scores == pytest.approx(photograph.prediction.scores, abs=1e-5)


def test_between_detections_faces_stay_where_they_were(folder: Path) -> None:
    finder = SquareFinder()
    frames = [*moving(7), picture([(10, 10, 40)], (200, 150))]
    with Film(open_gallery(folder, detector=finder), MadeSource(frames), FilmOptions(detect_every=3)) as run:
        seen = list(run)
    assert [frame.detected for frame in seen] == [True, False, False, True, False, False, True, True]
    assert finder.calls == 4, "another size of frame is looked at anew"
    assert [frame.faces[0].box for frame in seen[:3]] == [seen[0].faces[0].box] * 3
    assert seen[3].faces[0].box.x == 16
    assert [len(frame.faces) for frame in seen] == [2] * 7 + [1]


def test_small_faces_can_be_left_out(recognizer: Recognizer) -> None:
    with recognise_film(recognizer, MadeSource(moving(3)), FilmOptions(min_face=45)) as run:
        assert [[face.track for face in frame.faces] for frame in run] == [[1]] * 3


def test_detection_in_a_reduced_picture_finds_the_same() -> None:
    image = picture([(300, 100, 200), (40, 40, 120), (700, 500, 60)], (1200, 800))
    every = detect_from(SquareFinder(), image, 0)  # type: ignore[arg-type]
    large = detect_from(SquareFinder(), image, 100)  # type: ignore[arg-type]
    assert [box.width for box in every] == [200, 120, 60]
    assert len(large) == 2
    for box, same in zip(large, every):
        assert np.abs(np.subtract(*[(b.x, b.y, b.width, b.height) for b in (box, same)])).max() <= 6


def test_a_small_frame_is_a_face_and_whole_frames_are_taken_whole(folder: Path) -> None:
    small = [np.random.default_rng(n).integers(0, 256, (48, 40), dtype=np.uint8) for n in range(3)]
    with Film(open_gallery(folder), MadeSource(small)) as run:
        assert [[(f.track, f.box) for f in frame.faces] for frame in run] == [[(1, Box(0, 0, 40, 48, 0.0))]] * 3
    with Film(open_gallery(folder, whole=True), MadeSource(moving(2))) as run:
        assert [[f.box for f in frame.faces] for frame in run] == [[Box(0, 0, *SIZE, 0.0)]] * 2


def test_no_faces(recognizer: Recognizer) -> None:
    with recognise_film(recognizer, MadeSource([picture([])] * 4)) as run:
        assert [frame.faces for frame in run] == [()] * 4
        summary = run.summary()
    assert (summary.frames, summary.faces, summary.people, summary.shares) == (4, 0, 0, {})


@pytest.mark.parametrize("failure", [cv2.error("driver"), OSError("unplugged"), EmotionsError("gone")])
def test_a_source_that_dies_ends_the_film_and_is_told(recognizer: Recognizer, failure: Exception) -> None:
    source = MadeSource(moving(5), dies=failure)
    with recognise_film(recognizer, source) as run:
        assert len(list(run)) == 5
        assert run.summary().notes == (f"made broke off: {failure}",)
    assert source.closed == 1


def test_a_source_without_a_frame_is_an_error(recognizer: Recognizer) -> None:
    with pytest.raises(DataError, match=r"made gave no frame to look at\. made broke off: gone"):
        list(recognise_film(recognizer, MadeSource([], dies=OSError("gone"))))


def test_breaking_off_lets_go_of_the_source(recognizer: Recognizer) -> None:
    source = MadeSource(moving(30))
    with recognise_film(recognizer, source) as run:
        for frame in run:
            if frame.number == 2:
                break
    assert source.closed == 1
    assert run.summary().frames == 3


def test_wrong_requests_are_refused_before_the_first_frame(folder: Path, film: Path) -> None:
    with pytest.raises(GalleryError, match="99 neighbours"):
        recognise_film(open_gallery(folder, n_neighbors=99), film)
    with pytest.raises(ConfigError, match="weighing"):
        recognise_film(open_gallery(folder, weights="loud"), film)
    for wrong in ({"detect_every": 0}, {"batch": 0}, {"batch": 999}, {"smoothing": 1.0}, {"min_face": -1}):
        with pytest.raises(ConfigError, match="was given"):
            FilmOptions(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        recognise_film(open_gallery(folder), film, FilmOptions(overlap=2.0))


# --- drawing ----------------------------------------------------------------------------------------------------------


def result_of(recognizer: Recognizer, image: np.ndarray, boxes: List[Box]) -> FrameResult:
    class Given:
        def detect(self, image: np.ndarray) -> List[Box]:
            return boxes

    recognizer.detector = Given()  # type: ignore[assignment]
    with recognise_film(recognizer, MadeSource([image])) as run:
        return next(iter(run))


BOXES = st.builds(
    Box, st.integers(-20, 250), st.integers(-20, 190), st.integers(5, 90), st.integers(5, 90), st.just(1.0)
)


@given(st.lists(BOXES, max_size=5), st.booleans(), st.sampled_from([(131, 131), (200, 260), (700, 300)]))
@settings(deadline=None, max_examples=30)
def test_no_face_is_ever_covered(folder_once: Path, boxes: List[Box], grey: bool, size: Tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, size if grey else (*size, 3), dtype=np.uint8)
    inside = [b for b in boxes if b.x < size[1] and b.y < size[0] and b.x + b.width > 0 and b.y + b.height > 0]
    recognizer = open_gallery(folder_once)
    result = result_of(recognizer, image, inside)
    drawn = Annotator(recognizer.gallery).draw(result)
    blank = Annotator(recognizer.gallery).draw(result_of(recognizer, image, []))
    assert drawn.shape == blank.shape
    assert drawn.shape[0] % 2 == drawn.shape[1] % 2 == 0
    factor = max(1, -(-480 // max(size)))
    for box in inside:
        rows = slice(max(0, box.y) * factor, min(size[0], box.y + box.height) * factor)
        columns = slice(max(0, box.x) * factor, min(size[1], box.x + box.width) * factor)
        assert np.array_equal(drawn[rows, columns], blank[rows, columns])
    outside = drawn[:, : size[1] * factor] != blank[:, : size[1] * factor]
    assert outside.any() or not any(b.x > 0 or b.y > 0 for b in inside)


@pytest.fixture(scope="module")
def folder_once(folder: Path) -> Path:
    """The gallery, for tests hypothesis repeats."""
    return folder


def test_a_card_shows_votes_and_the_nearest_face(folder: Path) -> None:
    recognizer = open_gallery(folder)
    result = result_of(recognizer, picture([(40, 40, 60)], (640, 480)), [Box(40, 40, 60, 60, 1.0)])
    drawn = Annotator(recognizer.gallery).draw(result)
    panel = drawn[:, 640:]
    assert panel.shape[:2] == (480, 260)
    thumbnail = recognizer.gallery.thumbnails
    assert thumbnail is not None
    expected = cv2.resize(thumbnail[result.faces[0].nearest.number], (56, 56), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(panel[28:84, -60:-4], np.repeat(expected[..., None], 3, axis=2))
    for place, emotion in enumerate(EMOTIONS):
        bar = panel[28 + 60 + 15 * place + 6, 100:252]
        filled = int((bar[:, 0] > 200).sum())
        assert filled == pytest.approx(152 * result.faces[0].scores[emotion], abs=2)


def test_drawing_without_thumbnails_in_spanish_and_for_crowds(tmp_path: Path) -> None:
    recognizer = open_gallery(make_gallery(tmp_path, thumbnails=False))
    boxes = [Box(x, y, 30, 30, 1.0) for y in (20, 80, 140) for x in (20, 80, 140, 200)]
    result = result_of(recognizer, picture([], (300, 200)), boxes)
    english = Annotator(recognizer.gallery).draw(result)
    spanish = Annotator(recognizer.gallery, {"anger": "enojo", "fear": "miedo"}, "es").draw(result)
    assert english.shape == spanish.shape
    assert (english[-14:, 602:] != 24).any(), "how many more there are"
    assert not np.array_equal(english, spanish)
    with pytest.raises(ConfigError, match="language"):
        Annotator(recognizer.gallery, language="fr")


def test_letters_opencv_lacks_are_written_plainly() -> None:
    assert plain("Alegría y compañía, más") == "Alegria y compania, mas"
    assert plain("怒 x") == "? x"


# --- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", CODECS)
def test_every_kind_of_film_is_written_and_read_back(tmp_path: Path, ending: str) -> None:
    frames = moving(6)
    with FilmWriter(tmp_path / f"out{ending}", 10.0) as writer:
        for number, frame in enumerate(frames):
            writer.write(frame, number / 10)
        assert not (tmp_path / f"out{ending}").exists(), "until it is whole it has another name"
    back = read_film(tmp_path / f"out{ending}")
    assert len(back) == 6
    for frame, same in zip(frames, back):
        assert np.abs(frame.astype(int) - same).mean() < 6
    assert [path.name for path in tmp_path.iterdir()] == [f"out{ending}"]


def test_frames_of_another_size_are_fitted_in(tmp_path: Path) -> None:
    with FilmWriter(tmp_path / "o.mkv", 10.0) as writer:
        for size in ((60, 40), (40, 60), (240, 160), (1, 1)):
            writer.write(np.full((size[1], size[0], 3), 200, np.uint8), 0.0)
    back = read_film(tmp_path / "o.mkv")
    assert {frame.shape for frame in back} == {(40, 60, 3)}
    assert (back[1][:, :16] < 20).all()
    assert (back[1][:, 20:40] > 180).all()
    assert (back[2] > 180).all()


def test_a_cameras_film_keeps_time(tmp_path: Path) -> None:
    with FilmWriter(tmp_path / "o.avi", 10.0, by_time=True) as writer:
        for moment in (5.0, 5.01, 5.02, 5.35, 5.36, 900.0):
            writer.write(picture([]), moment)
        assert writer.frames == 1 + 3 + 50


def test_without_a_frame_there_is_no_film(tmp_path: Path) -> None:
    (tmp_path / "o.mp4").write_bytes(b"older")
    FilmWriter(tmp_path / "o.mp4", 10.0).close()
    assert (tmp_path / "o.mp4").read_bytes() == b"older"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_error_keeps_the_film_so_far(tmp_path: Path) -> None:
    def broken_off() -> None:
        with FilmWriter(tmp_path / "o.avi", 10.0) as writer:
            for frame in moving(4):
                writer.write(frame, 0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert len(read_film(tmp_path / "o.avi")) == 4


def test_a_film_that_cannot_be_read_back_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "o.avi").write_bytes(b"older")
    writer = FilmWriter(tmp_path / "o.avi", 10.0)
    writer.write(moving(1)[0], 0.0)
    (temporary,) = [path for path in tmp_path.iterdir() if path.name != "o.avi"]
    temporary.write_bytes(b"")
    os.truncate(temporary, 0)
    writer._writer.release()  # type: ignore[union-attr]
    temporary.write_bytes(b"damaged")
    with pytest.raises(EmotionsError, match="could not be written whole"):
        writer.close()
    assert (tmp_path / "o.avi").read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir()] == ["o.avi"]


def test_a_disk_that_fills_up_leaves_a_whole_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [10**9] * 3 + [10**6]
    usage = type("Usage", (), {"free": property(lambda self: left.pop(0))})
    monkeypatch.setattr("galleries.film_files.shutil.disk_usage", lambda path: usage())

    def write_all() -> None:
        with FilmWriter(tmp_path / "o.mp4", 10.0) as writer:
            for frame in moving(9):
                writer.write(frame, 0.0)

    with pytest.raises(EmotionsError, match=r"ends after 3 frames: the disk has less than 32 MB left"):
        write_all()
    assert len(read_film(tmp_path / "o.mp4")) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here, which Linux has")
def test_a_line_that_finds_no_room_is_told() -> None:
    with LineFile("/dev/full") as log, pytest.raises(
        EmotionsError, match=r"/dev/full could not be written on \(No space"
    ):
        log.add("a line\n")


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"give it one of: \.mp4"):
        FilmWriter(tmp_path / "o.gif", 10.0)
    (tmp_path / "file").touch()
    for make in (lambda p: FilmWriter(p / "o.mp4", 10.0), lambda p: LineFile(p / "o.csv")):
        with pytest.raises(EmotionsError, match="cannot be written"):
            make(tmp_path / "file")


def test_lines_are_there_at_once_and_say_what_was_seen(recognizer: Recognizer, tmp_path: Path) -> None:
    emotions = recognizer.gallery.emotions
    names = {"anger": "enojo"}
    with LineFile(tmp_path / "l.jsonl") as log, LineFile(tmp_path / "t.csv") as table:
        table.add(face_columns(emotions, names))
        with recognise_film(recognizer, MadeSource([*moving(4), picture([])])) as run:
            for frame in run:
                log.add(frame_line(frame, names))
                table.add(face_rows(frame, emotions, names))
                assert len((tmp_path / "l.jsonl").read_text().splitlines()) == frame.number + 1
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    lines = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    assert [len(line["faces"]) for line in lines] == [2, 2, 2, 2, 0]
    assert len(rows) == 8
    for row, face in zip(rows, [face for line in lines for face in line["faces"]]):
        assert int(row["track"]) == face["track"]
        assert [int(row[key]) for key in ("x", "y", "width", "height")] == [
            face["box"][key] for key in ("x", "y", "width", "height")
        ]
        assert row["emotion"] == face["emotion"]
        assert row["emotion"] in ("enojo", *EMOTIONS[1:])
        assert float(row["score_enojo"]) == pytest.approx(face["scores"]["enojo"], abs=1e-6)
        assert row["nearest_emotion"] == face["nearest"]["emotion"]
        assert row["nearest_source"] == face["nearest"]["source"]
    assert [row["frame"] for row in rows] == ["0", "0", "1", "1", "2", "2", "3", "3"]
    assert rows[2]["time"] == "0.1000"


# --- the page ---------------------------------------------------------------------------------------------------------

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def test_the_page_shows_the_newest_picture() -> None:
    with LivePage() as page:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", page.url)
        with OPENER.open(page.url, timeout=30) as answer:
            assert b"/stream.mjpg" in answer.read()
        page.show(np.full((40, 60, 3), (250, 0, 0), np.uint8))
        with OPENER.open(page.url + "frame.jpg", timeout=30) as answer:
            assert answer.headers["Content-Type"] == "image/jpeg"
            shown = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)
        assert shown.shape == (40, 60, 3)
        assert shown[20, 20, 2] > 200  # red, in OpenCV's order
        with OPENER.open(page.url + "stream.mjpg", timeout=30) as stream:
            first = read_part(stream)
            page.show(np.full((40, 60, 3), (0, 0, 250), np.uint8))
            second = read_part(stream)
            assert page.viewers == 1
        assert first[20, 20, 2] > 200
        assert second[20, 20, 0] > 200
        url = page.url
    with pytest.raises(urllib.error.URLError):
        OPENER.open(url, timeout=5)


def test_a_stream_is_a_source_until_it_vanishes(recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
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
        with recognise_film(recognizer, source) as run:
            for frame in run:
                assert [face.track for face in frame.faces][:1] == [1]
                if run.summary().frames == 3:
                    over.set()
                    page.close()
            summary = run.summary()
        thread.join()
    assert summary.frames >= 3
    assert "gave no more frames" in summary.notes[0]


def read_part(stream: Any) -> np.ndarray:
    """The next picture of a multipart stream."""
    length = 0
    while True:
        line = stream.readline().strip()
        if line.startswith(b"Content-Length:"):
            length = int(line.split(b":")[1])
        if not line and length:
            data = stream.read(length)
            return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize(("path", "host", "code"), [("absent", None, 404), ("frame.jpg", "evil.example", 403)])
def test_the_page_refuses_the_rest(path: str, host: Any, code: int) -> None:
    with LivePage() as page:
        request = urllib.request.Request(page.url + path, headers={} if host is None else {"Host": host})
        with pytest.raises(urllib.error.HTTPError) as error:
            OPENER.open(request, timeout=30)
        assert error.value.code == code
        error.value.close()
        with pytest.raises(EmotionsError, match="another port"):
            LivePage(page.port)


# --- real films, and long ones ----------------------------------------------------------------------------------------


def test_real_films(folder: Path) -> None:
    if not MEDIA.exists():
        pytest.skip(f"{MEDIA} is missing (real data of this workplace)")
    recognizer = open_gallery(folder, detector=None)
    options = FilmOptions(detect_every=4, min_face=100)
    for name, people, faces in (("single_face.mp4", 1, 12), ("no_face.mp4", 0, 0)):
        with Film(recognizer, open_source(MEDIA / name, Span(0.5, 0.4)), options) as run:
            seen = list(run)
            summary = run.summary()
        assert summary.people == people
        assert summary.faces == faces
        assert len(seen) == (12 if people else 10)


class Loop:
    """A film read over and over: opened anew each time, as a long run of many films would."""

    def __init__(self, path: Path, rounds: int, seconds: float) -> None:
        self.name, self.is_live, self.fps, self.total = str(path), False, 10.0, None
        self.skipped, self.notes, self.rounds = 0, [], 0
        self._path, self._most, self._end = path, rounds, time.monotonic() + seconds
        self._film, self._number = open_source(path), 0

    def read(self) -> Any:
        frame = self._film.read()
        if frame is None:
            self.rounds += 1
            if self.rounds >= self._most and time.monotonic() >= self._end:
                return None
            self._film.close()
            self._film = open_source(self._path)
            frame = self._film.read()
        self._number += 1
        return Frame(self._number - 1, (self._number - 1) / self.fps, frame.image)

    def close(self) -> None:
        self._film.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc, which Linux has")
def test_memory_and_handles_stay_flat(folder: Path, film: Path, tmp_path: Path) -> None:
    """EMOTIONS_LOOP_SECONDS=180 makes it a long run; its slope is printed with ``-s``."""

    def megabytes() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    recognizer = open_gallery(folder)
    annotator = Annotator(recognizer.gallery)
    loop = Loop(film, 14, float(os.environ.get("EMOTIONS_LOOP_SECONDS", "0")))
    marks: List[Tuple[float, float, int]] = []
    began, rounds = time.monotonic(), 0
    with Film(recognizer, loop) as run, LineFile(tmp_path / "l.jsonl") as log:
        for frame in run:
            log.add(frame_line(frame, {}))
            annotator.draw(frame)
            if loop.rounds > rounds:
                rounds = loop.rounds
                marks.append((time.monotonic() - began, megabytes(), len(list(Path("/proc/self/fd").iterdir()))))
        summary = run.summary()
    steady = np.array(marks[len(marks) // 3 :])
    slope = float(np.polyfit(steady[:, 0], steady[:, 1], 1)[0]) * 3600
    sizes = f"{steady[0, 1]:.1f} to {steady[-1, 1]:.1f} MB"
    print(f"{summary.frames} frames, {steady[-1, 0]:.0f} s, {sizes}, {slope:.1f} MB/h, {int(steady[-1, 2])} handles")
    assert summary.frames >= 280
    assert summary.people >= 2
    assert steady[:, 2].max() - steady[:, 2].min() <= 1, "a film being opened is one handle"
    assert steady[-1, 1] - steady[0, 1] < 12, "frames kept would be 115 kB each, 20 a round"
