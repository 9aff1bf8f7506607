"""What is kept of a film: the annotated film itself, a table of faces (CSV), and a log of frames (JSON Lines)."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Mapping, Optional, Sequence, TextIO, Tuple, Type, Union

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.atomic import sync
from galleries.errors import DataError, EmotionsError
from galleries.film_results import FrameResult

CODECS: Dict[str, str] = {".mp4": "mp4v", ".avi": "MJPG", ".webm": "VP90", ".mkv": "FFV1"}
"""File endings of films that OpenCV's wheels write, with the codec of each."""

LIVE_FPS = 15.0
"""Frames a second of a film written from a camera or stream."""

_RESERVE = 32_000_000  # bytes left free on the disk, so that a film can still be closed as one
_PAUSE = 5.0  # seconds at most that a camera's last frame is repeated for

Pixels = NDArray[np.uint8]


class FilmWriter:
    """Writes a film under a temporary name beside its place, and moves it there when closed.

    Closed after an error it keeps what was written so far. The first frame's size is the film's; a frame of another
    size is fitted in, with black bars.

    Args:
        path: ``.mp4``, ``.avi``, ``.webm`` or ``.mkv``; what stands there is replaced in the end.
        fps: Frames a second.
        by_time: Keep a camera's uneven frames in time: repeat and leave out as needed.

    Raises:
        DataError: An ending OpenCV does not write.
        EmotionsError: The folder cannot be written.
    """

    def __init__(self, path: Union[str, Path], fps: float, by_time: bool = False) -> None:
        self.path = Path(path)
        self.frames = 0
        check_ending(self.path)
        self._codec = CODECS[self.path.suffix.lower()]
        self._fps = fps
        self._by_time = by_time
        self._began: Optional[float] = None
        self._writer: Optional[Any] = None
        self._size: Tuple[int, int] = (0, 0)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(
                prefix=f".{self.path.stem}.", suffix=self.path.suffix.lower(), dir=self.path.parent
            )
        except OSError as error:
            raise EmotionsError(
                f"{self.path} cannot be written ({error.strerror or error}); choose another place for the film."
            ) from error
        os.close(handle)
        self._temporary = Path(name)

    def __enter__(self) -> FilmWriter:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def write(self, image: Pixels, time: float) -> None:
        """Add a frame.

        Args:
            image: uint8 (H, W, 3) RGB.
            time: Its second in the source; it matters for a camera's frames alone.

        Raises:
            EmotionsError: OpenCV cannot write such a film here; or the disk is nearly full, with the film so far whole.
        """
        if shutil.disk_usage(self._temporary.parent).free < _RESERVE:
            raise EmotionsError(
                f"{self.path} ends after {self.frames} frames: the disk has less than {_RESERVE // 10**6} MB left. "
                "Free space or choose another place, and run it again."
            )
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            code = cv2.VideoWriter_fourcc(*self._codec)  # type: ignore[attr-defined]
            self._writer = cv2.VideoWriter(str(self._temporary), code, self._fps, self._size)
            self._began = time
            if not self._writer.isOpened():
                raise EmotionsError(
                    f"OpenCV cannot write {self.path} ({self._codec}, {self._size[0]}x{self._size[1]}, "
                    f"{self._fps:g} frames a second); try another ending: {', '.join(CODECS)}."
                )
        picture = cv2.cvtColor(_fitted(image, self._size), cv2.COLOR_RGB2BGR)
        for _ in range(self._copies(time)):
            self._writer.write(picture)
            self.frames += 1

    def _copies(self, time: float) -> int:
        if not self._by_time or self._began is None:
            return 1
        due = int((time - self._began) * self._fps) + 1 - self.frames
        return max(0, min(due, int(_PAUSE * self._fps)))

    def close(self) -> None:
        """Finish the film and move it to its place. Without a frame there is no film, and what stood there stays.

        Raises:
            EmotionsError: What was written cannot be read back: the disk is full, most likely.
        """
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            if not _is_film(self._temporary, self._size, self.frames):
                self._remove()
                raise EmotionsError(
                    f"{self.path} could not be written whole; free space or choose another place, and run it again."
                )
            try:
                sync(self._temporary)
                self._temporary.chmod(0o644)
                self._temporary.replace(self.path)
                sync(self.path.parent)
            except OSError as error:
                raise EmotionsError(
                    f"The film is whole, but cannot be moved to {self.path} ({error.strerror or error}); it stays as "
                    f"{self._temporary}."
                ) from error
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self._temporary.unlink()


class LineFile:
    """A text file to which whole lines are added, each at once on its way to the disk.

    Args:
        path: The file; what stands there is replaced.

    Raises:
        EmotionsError: It cannot be written.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = self.path.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise EmotionsError(
                f"{self.path} cannot be written ({error.strerror or error}); choose another place."
            ) from error

    def __enter__(self) -> LineFile:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def add(self, lines: str) -> None:
        """Add whole lines.

        Raises:
            EmotionsError: The disk is full.
        """
        try:
            self._file.write(lines)
            self._file.flush()
        except OSError as error:
            raise EmotionsError(
                f"{self.path} could not be written on ({error.strerror or error}); the lines before are unharmed."
            ) from error

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # what could not be flushed was told when it was added
            self._file.close()


def frame_line(result: FrameResult, names: Mapping[str, str]) -> str:
    """A frame as a line of JSON, with its faces (none are an empty list); emotions are named as ``names`` says."""
    faces = [face.to_json(names) for face in result.faces]
    return json.dumps({**result.to_json(), "faces": faces}, allow_nan=False) + "\n"


def face_columns(emotions: Sequence[str], names: Mapping[str, str]) -> str:
    """The first line of a table of faces: one column a score, emotions named as ``names`` says."""
    scores = [f"score_{names.get(emotion, emotion)}" for emotion in emotions]
    return _row([
        "time", "frame", "track", "x", "y", "width", "height", "emotion", "confidence", *scores,
        "nearest_emotion", "nearest_distance", "nearest_number", "nearest_source",
    ])  # fmt: skip


def face_rows(result: FrameResult, emotions: Sequence[str], names: Mapping[str, str]) -> str:
    """A frame's faces as lines of CSV, one each, under :func:`face_columns`; an empty text without faces."""
    lines = []
    for face in result.faces:
        box, near = face.box, face.nearest
        shares = [f"{face.scores[emotion]:.6f}" for emotion in emotions]
        place = [f"{result.time:.4f}", result.number, face.track, box.x, box.y, box.width, box.height]
        nearest = [names.get(near.emotion, near.emotion), f"{near.distance:.6f}", near.number, near.source]
        emotion = names.get(face.emotion, face.emotion)
        lines.append(_row([*place, emotion, f"{face.confidence:.6f}", *shares, *nearest]))
    return "".join(lines)


def check_ending(path: Path) -> None:
    """Refuse a film's name OpenCV cannot write.

    Raises:
        DataError: An unknown ending.
    """
    if path.suffix.lower() not in CODECS:
        raise DataError(f"{path} has no ending of a film OpenCV writes; give it one of: {', '.join(CODECS)}.")


def _row(cells: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _fitted(image: Pixels, size: Tuple[int, int]) -> Pixels:
    """A picture fitted into (width, height), with black bars where it has another shape."""
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas: Pixels = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = small
    return canvas


def _is_film(path: Path, size: Tuple[int, int], frames: int) -> bool:
    """Whether a film can be read back, and says it has as many frames as were written (give or take a few)."""
    capture = cv2.VideoCapture(str(path))
    try:
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        done, image = capture.read()
        return bool(done) and image.shape[1::-1] == size and abs(count - frames) <= max(2, frames // 50)
    finally:
        capture.release()
