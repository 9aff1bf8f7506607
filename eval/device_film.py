"""A whole film from file to answers, timed end to end; and a film of people who do not exist, where none is given."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from eval.jetson import Energy, energy_of
from eval.tegrastats import Tegrastats
from galleries.errors import DataError
from galleries.film_files import FilmWriter
from galleries.frames import Span
from galleries.recognizer import Recognizer
from galleries.sources import open_source
from galleries.video import Film, FilmOptions
from siamese.datasets.action_units import prototype
from siamese.datasets.synthetic import draw_face, make_person

SIZE = (640, 360)
"""Width and height of a drawn film."""

_RATE = 25.0
_SIDE = 160
_GROUND = 150
_REST = 1.0  # seconds of rest before the film, for the power of an idle machine


@dataclass(frozen=True)
class FilmSpeed:
    """A film from its file to the answers.

    Attributes:
        detection: Whether faces were looked for; else every frame was taken for one face.
        frames: Frames read.
        faces: Faces classified.
        people: People followed.
        seconds: From opening to the last answer.
        fps: Frames a second.
        cpu_share: Processor time as a share of what all cores could give, 0-1.
        cpu_per_frame: Milliseconds of processor time a frame.
        energy: What it cost on a Jetson; None elsewhere.
    """

    detection: bool
    frames: int
    faces: int
    people: int
    seconds: float
    fps: float
    cpu_share: float
    cpu_per_frame: float
    energy: Optional[Energy]


def draw_film(path: Path, frames: int = 100, seed: int = 0) -> Path:
    """Draw a film of two people, one of whom wanders to and fro, whose faces change.

    Args:
        path: Where, ending in ``.mp4``; written whole or not at all.
        frames: How many, 25 a second.
        seed: Who they are.

    Returns:
        The path.
    """
    moods = ("neutral", "happiness", "surprise", "sadness", "anger")
    people = [make_person(seed, number) for number in range(2)]
    drawn = [
        [draw_face(person, prototype(mood, strength), _SIDE) for mood in moods for strength in (0.4, 0.8)]
        for person in people
    ]
    with FilmWriter(path, _RATE) as writer:
        for number in range(frames):
            frame: NDArray[np.uint8] = np.full((SIZE[1], SIZE[0]), _GROUND, np.uint8)
            step = number % 100
            left = 40 + (step if step < 50 else 100 - step)
            for faces, x, y in ((drawn[0], left, 60), (drawn[1], 400, 120)):
                frame[y : y + _SIDE, x : x + _SIDE] = faces[number // 8 % len(faces)]
            writer.write(np.repeat(frame[..., None], 3, axis=2), number / _RATE)
    return path


def time_film(
    recognizer: Recognizer,
    film: Path,
    cores: int,
    detection: bool = True,
    seconds: Optional[float] = None,
    program: str = "tegrastats",
) -> FilmSpeed:
    """Run a film through everything and count what it takes.

    Args:
        recognizer: The gallery, its tower and its detector.
        film: A film.
        cores: Processors there are.
        detection: Whether faces are looked for.
        seconds: How much of the film is read; None reads all.
        program: What tells a Jetson's power.

    Raises:
        DataError: The film cannot be read.
    """
    whole = recognizer.whole
    recognizer.whole = whole or not detection
    try:
        with Tegrastats(program=program) as meter:
            idle, busy, speed = _run(recognizer, film, cores, detection, seconds, meter)
        energy = energy_of(meter.between(*busy), meter.between(*idle), speed.seconds, speed.faces, meter.failure or "")
    finally:
        recognizer.whole = whole
    return FilmSpeed(**{**vars(speed), "energy": energy})


def _run(
    recognizer: Recognizer, film: Path, cores: int, detection: bool, seconds: Optional[float], meter: Tegrastats
) -> Tuple[Tuple[float, float], Tuple[float, float], FilmSpeed]:
    before = time.monotonic()
    if meter.failure is None:
        time.sleep(_REST)
    source = open_source(film, Span(0.0, seconds))
    if source.is_live:
        source.close()
        raise DataError(f"{film} is live; give a film's file.")
    began, work = time.monotonic(), time.process_time()
    with Film(recognizer, source, FilmOptions()) as run:
        for _ in run:
            pass
        seen = run.summary()
    ended = time.monotonic()
    used, passed = time.process_time() - work, max(ended - began, 1e-9)
    speed = FilmSpeed(
        detection, seen.frames, seen.faces, seen.people, passed, seen.frames / passed,
        used / passed / max(cores, 1), 1000 * used / max(seen.frames, 1), None,
    )  # fmt: skip
    return (before, began), (began, ended), speed
