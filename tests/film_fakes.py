"""Films, a detector, sources and a gallery for the tests of video: bright squares on dark ground stand for faces."""

from __future__ import annotations

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
from galleries.sources import Frame

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
