"""Faces of a film are found, followed and smoothed; on made and real films, and without end."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Dict, List, Tuple

import cv2
import numpy as np
import pytest
from film_fakes import (
    SIZE,
    Loop,
    MadeSource,
    SquareFinder,
    megabytes,
    moving,
    open_gallery,
    picture,
)

from galleries.annotate import Annotator
from galleries.errors import ConfigError, DataError, EmotionsError, GalleryError
from galleries.faces import Box
from galleries.film_files import LineFile, frame_line
from galleries.recognizer import Recognizer
from galleries.sources import Span, open_source
from galleries.video import Film, FilmOptions, detect_from, recognise_film

MEDIA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "media"


def test_two_faces_are_followed(film_recognizer: Recognizer, film: Path) -> None:
    with recognise_film(film_recognizer, str(film), FilmOptions(batch=3)) as run:
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


def test_votes_are_smoothed_as_a_slow_mean_says(film_recognizer: Recognizer) -> None:
    with recognise_film(film_recognizer, MadeSource(moving(15)), FilmOptions(smoothing=0.6, batch=4)) as run:
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
def test_without_smoothing_it_is_what_a_photograph_gives(film_recognizer: Recognizer, batch: int) -> None:
    frames = moving(8)
    with recognise_film(film_recognizer, MadeSource(frames), FilmOptions(smoothing=0.0, batch=batch)) as run:
        for frame, image in zip(run, frames):
            alone = film_recognizer.recognise(image)  # the larger face first, which is the first track's
            assert [(f.box, f.emotion) for f in frame.faces] == [(a.box, a.prediction.emotion) for a in alone]
            for face, photograph in zip(frame.faces, alone):
                assert face.scores == pytest.approx(photograph.prediction.scores, abs=1e-5)


def test_between_detections_faces_stay_where_they_were(film_gallery: Path) -> None:
    finder = SquareFinder()
    frames = [*moving(7), picture([(10, 10, 40)], (200, 150))]
    with Film(open_gallery(film_gallery, detector=finder), MadeSource(frames), FilmOptions(detect_every=3)) as run:
        seen = list(run)
    assert [frame.detected for frame in seen] == [True, False, False, True, False, False, True, True]
    assert finder.calls == 4, "another size of frame is looked at anew"
    assert [frame.faces[0].box for frame in seen[:3]] == [seen[0].faces[0].box] * 3
    assert seen[3].faces[0].box.x == 16
    assert [len(frame.faces) for frame in seen] == [2] * 7 + [1]


def test_small_faces_can_be_left_out(film_recognizer: Recognizer) -> None:
    with recognise_film(film_recognizer, MadeSource(moving(3)), FilmOptions(min_face=45)) as run:
        assert [[face.track for face in frame.faces] for frame in run] == [[1]] * 3


def test_detection_in_a_reduced_picture_finds_the_same() -> None:
    image = picture([(300, 100, 200), (40, 40, 120), (700, 500, 60)], (1200, 800))
    every = detect_from(SquareFinder(), image, 0)  # type: ignore[arg-type]
    large = detect_from(SquareFinder(), image, 100)  # type: ignore[arg-type]
    assert [box.width for box in every] == [200, 120, 60]
    assert len(large) == 2
    for box, same in zip(large, every):
        assert np.abs(np.subtract(*[(b.x, b.y, b.width, b.height) for b in (box, same)])).max() <= 6


def test_a_small_frame_is_a_face_and_whole_frames_are_taken_whole(film_gallery: Path) -> None:
    small = [np.random.default_rng(n).integers(0, 256, (48, 40), dtype=np.uint8) for n in range(3)]
    with Film(open_gallery(film_gallery), MadeSource(small)) as run:
        assert [[(f.track, f.box) for f in frame.faces] for frame in run] == [[(1, Box(0, 0, 40, 48, 0.0))]] * 3
    with Film(open_gallery(film_gallery, whole=True), MadeSource(moving(2))) as run:
        assert [[f.box for f in frame.faces] for frame in run] == [[Box(0, 0, *SIZE, 0.0)]] * 2


@pytest.mark.parametrize(("batch", "detect_every"), [(1, 1), (3, 1), (8, 1), (3, 2)])
def test_a_whole_frame_is_answered_as_a_photograph(film_gallery: Path, batch: int, detect_every: int) -> None:
    recognizer = open_gallery(film_gallery, whole=True)
    frames = [np.random.default_rng(n).integers(0, 256, (320, 320, 3), dtype=np.uint8) for n in range(7)]
    options = FilmOptions(detect_every=detect_every, smoothing=0.0, batch=batch)
    with Film(recognizer, MadeSource(frames), options) as run:
        for frame, image in zip(run, frames):
            (face,), (alone,) = frame.faces, recognizer.recognise(image)
            assert face.prediction.neighbours == alone.prediction.neighbours
            assert face.prediction.scores == alone.prediction.scores
            assert frame.image is image


def test_no_faces(film_recognizer: Recognizer) -> None:
    with recognise_film(film_recognizer, MadeSource([picture([])] * 4)) as run:
        assert [frame.faces for frame in run] == [()] * 4
        summary = run.summary()
    assert (summary.frames, summary.faces, summary.people, summary.shares) == (4, 0, 0, {})


@pytest.mark.parametrize("failure", [cv2.error("driver"), OSError("unplugged"), EmotionsError("gone")])
def test_a_source_that_dies_ends_the_film_and_is_told(film_recognizer: Recognizer, failure: Exception) -> None:
    source = MadeSource(moving(5), dies=failure)
    with recognise_film(film_recognizer, source) as run:
        assert len(list(run)) == 5
        assert run.summary().notes == (f"made broke off: {failure}",)
    assert source.closed == 1


def test_a_source_without_a_frame_is_an_error(film_recognizer: Recognizer) -> None:
    with pytest.raises(DataError, match=r"made gave no frame to look at\. made broke off: gone"):
        list(recognise_film(film_recognizer, MadeSource([], dies=OSError("gone"))))


def test_breaking_off_lets_go_of_the_source(film_recognizer: Recognizer) -> None:
    source = MadeSource(moving(30))
    with recognise_film(film_recognizer, source) as run:
        for frame in run:
            if frame.number == 2:
                break
    assert source.closed == 1
    assert run.summary().frames == 3


def test_wrong_requests_are_refused_before_the_first_frame(film_gallery: Path, film: Path) -> None:
    with pytest.raises(GalleryError, match="99 neighbours"):
        recognise_film(open_gallery(film_gallery, n_neighbors=99), film)
    with pytest.raises(ConfigError, match="weighing"):
        recognise_film(open_gallery(film_gallery, weights="loud"), film)
    for wrong in ({"detect_every": 0}, {"batch": 0}, {"batch": 999}, {"smoothing": 1.0}, {"min_face": -1}):
        with pytest.raises(ConfigError, match="was given"):
            FilmOptions(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        recognise_film(open_gallery(film_gallery), film, FilmOptions(overlap=2.0))


def test_real_films(film_gallery: Path) -> None:
    if not MEDIA.exists():
        pytest.skip(f"{MEDIA} is missing (real data of this workplace)")
    film_recognizer = open_gallery(film_gallery, detector=None)
    options = FilmOptions(detect_every=4, min_face=100)
    for name, people, faces in (("single_face.mp4", 1, 12), ("no_face.mp4", 0, 0)):
        with Film(film_recognizer, open_source(MEDIA / name, Span(0.5, 0.4)), options) as run:
            seen = list(run)
            summary = run.summary()
        assert summary.people == people
        assert summary.faces == faces
        assert len(seen) == (12 if people else 10)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc, which Linux has")
def test_memory_and_handles_stay_flat(film_gallery: Path, film: Path, tmp_path: Path) -> None:
    """EMOTIONS_LOOP_SECONDS=180 makes it a long run; its slope is printed with ``-s``."""

    film_recognizer = open_gallery(film_gallery)
    annotator = Annotator(film_recognizer.gallery)
    loop = Loop(film, 14, float(os.environ.get("EMOTIONS_LOOP_SECONDS", "0")))
    marks: List[Tuple[float, float, int]] = []
    began, rounds = time.monotonic(), 0
    with Film(film_recognizer, loop) as run, LineFile(tmp_path / "l.jsonl") as log:
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
