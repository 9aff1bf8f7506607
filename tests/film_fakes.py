"""Films, a detector, sources and a gallery for the tests of video: bright squares on dark ground stand for faces."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Tuple

import cv2
import numpy as np
from onnx_towers import SIDE, write_tower

from galleries.encoder import OnnxEncoder
from galleries.faces import Box
from galleries.gallery import Gallery
from galleries.images import prepare_batch
from galleries.recognizer import Recognizer
from galleries.sources import Frame, open_source

EMOTIONS = ("anger", "fear", "happiness", "sadness")
SIZE = (240, 160)  # width, height
Square = Tuple[int, int, int]  # x, y, side


def picture(squares: Sequence[Square], size: Tuple[int, int] = SIZE, seed: int = 0) -> np.ndarray:
    """A frame, uint8 (H, W, 3) RGB, with a bright patterned square for each face."""
    image = np.full((size[1], size[0], 3), 20, np.uint8)
    rng = np.random.default_rng(seed)
    for x, y, side in squares:
        pattern = rng.integers(150, 256, (4, 4), dtype=np.uint8)
        image[y : y + side, x : x + side] = cv2.resize(pattern, (side, side))[..., None]
    return image


def moving(count: int) -> List[np.ndarray]:
    """Frames of two faces, one drifting to the right, one standing still."""
    return [picture([(10 + 2 * n, 20, 50), (170, 90, 40)], seed=n) for n in range(count)]


def three_scenes() -> List[np.ndarray]:
    """Three faces in turn: of each six sharp frames, six blurred, two with a second face, one without any."""
    frames = []
    for seed in (1, 2, 3):
        sharp = picture([(80, 40, 60)], seed=seed)
        fine = np.random.default_rng(seed).integers(-40, 40, (30, 30)).repeat(2, 0).repeat(2, 1)[..., None]
        sharp[40:100, 80:140] = np.clip(sharp[40:100, 80:140].astype(int) + fine, 100, 255)
        blurred = sharp.copy()
        blurred[40:100, 80:140] = cv2.GaussianBlur(sharp[40:100, 80:140], (0, 0), 6)
        frames += [sharp] * 6 + [blurred] * 6 + [picture([(80, 40, 60), (170, 90, 40)], seed=seed)] * 2 + [picture([])]
    return frames


def write_film(path: Path, frames: Sequence[np.ndarray], fps: float = 10.0, codec: str = "MJPG") -> Path:
    """A film of RGB frames."""
    size = (frames[0].shape[1], frames[0].shape[0])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, size)
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def read_film(path: Path) -> List[np.ndarray]:
    """A film's frames, RGB."""
    film, frames = cv2.VideoCapture(str(path)), []
    while True:
        done, frame = film.read()
        if not done:
            film.release()
            return frames
        frames.append(np.ascontiguousarray(frame[..., ::-1]))


class SquareFinder:
    """Finds the bright squares, as a face detector finds faces."""

    name = "squares"

    def __init__(self, model: Optional[Path] = None) -> None:
        self.calls = 0

    def detect(self, image: np.ndarray) -> List[Box]:
        self.calls += 1
        grey = image if image.ndim == 2 else image[..., 1]
        _, _, stats, _ = cv2.connectedComponentsWithStats((grey > 90).astype(np.uint8))
        found = [Box(*(int(v) for v in row[:4]), score=1.0) for row in stats[1:] if row[4] > 100]
        return sorted(found, key=lambda box: -box.width * box.height)


class MadeSource:
    """Frames from memory; it may be live, may wait before each, and may die."""

    def __init__(
        self,
        frames: Sequence[np.ndarray],
        is_live: bool = False,
        wait: float = 0.0,
        dies: Optional[Exception] = None,
        before: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.name = "made"
        self.is_live = is_live
        self.fps = 10.0
        self.total = None if is_live else len(frames)
        self.skipped = 0
        self.notes: List[str] = []
        self.closed = 0
        self.given = 0
        self._frames = frames
        self._wait = wait
        self._dies = dies
        self._before = before

    def read(self) -> Optional[Frame]:
        self._before(self.given)
        time.sleep(self._wait)
        if self.given == len(self._frames):
            if self._dies is not None:
                raise self._dies
            return None
        self.given += 1
        return Frame(self.given - 1, (self.given - 1) / self.fps, self._frames[self.given - 1])

    def close(self) -> None:
        self.closed += 1


def make_gallery(folder: Path, thumbnails: bool = True) -> Path:
    """A gallery of twelve faces under four emotions that carries its tiny tower."""
    faces = np.random.default_rng(3).integers(0, 256, (12, SIDE, SIDE), dtype=np.uint8)
    encoder = OnnxEncoder(write_tower(folder / "made.onnx"))
    vectors = encoder.encode(prepare_batch(faces, encoder.input_spec))
    pictures = faces if thumbnails else None
    gallery = Gallery.build(vectors, [EMOTIONS[n % 4] for n in range(12)], tower=encoder, thumbnails=pictures)
    gallery.attach_tower(encoder.model)
    gallery.save(folder / "gallery")
    return folder / "gallery"


def open_gallery(folder: Path, **options: Any) -> Recognizer:
    """A recognizer on a made gallery that finds squares."""
    settings = {"detector": SquareFinder(), "n_neighbors": 3, "providers": ["cpu"], "threads": 1, **options}
    return Recognizer.load(folder, **settings)


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


def megabytes() -> float:
    """Memory of this process now, MiB; needs Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
