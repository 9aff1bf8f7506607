"""Where frames come from: a film, a folder of pictures, a camera, or a stream; one way to read them all."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path
from typing import Any, List, Optional, Sequence, Union

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError, DataError
from galleries.frames import FPS, Frame, Source, Span
from galleries.images import PICTURE_SUFFIXES, read_picture
from galleries.recognizer import list_pictures

__all__ = ["FPS", "FilmSource", "Frame", "LiveSource", "PictureSource", "Source", "Span", "open_source", "safe_name"]

_TIMEOUT = 10_000  # milliseconds a stream may take to open, or to give its next frame
_SHORT = 5  # a header's number of frames is often wrong by a few
_ALONE = 76_800  # pixels up to which OpenCV converts colours without its other threads
_STREAMS = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "rtp", "srt")

Where = Union[str, int, Path]


class FilmSource:
    """A film in a file, or one that a web server holds; attributes as :class:`Source`.

    Args:
        name: What to call it.
        capture: An opened ``cv2.VideoCapture``.
        span: The part to read.
        fps: Frames a second, if the film does not say it.

    Raises:
        DataError: The film ends before ``span`` begins.
    """

    is_live = False

    def __init__(self, name: str, capture: Any, span: Optional[Span] = None, fps: float = FPS) -> None:
        span = span or Span()
        self.name = name
        self.skipped = 0
        self.notes: List[str] = []
        self._capture = capture
        told = capture.get(cv2.CAP_PROP_FPS)
        self.fps = told if 0.1 <= told <= 1000 else fps
        if self.fps != told:
            self.notes.append(f"{name} does not say its frames a second ({told:g}); {fps:g} was taken.")
        first, self._end = span.first(self.fps), span.end(self.fps)
        self._count = _frame_count(capture)
        self._number = _go_to(capture, first, self._count)
        if self._number < first:
            capture.release()
            raise DataError(
                f"{name} is {self._number / self.fps:.1f} s long, so nothing can be read from {span.start:g} s on; "
                "give an earlier start."
            )
        ends = [end for end in (self._count, self._end) if end is not None]
        self.total = None if self._count is None else max(0, min(ends) - first)

    def read(self) -> Optional[Frame]:
        """The next frame, or None at the end."""
        if self._end is not None and self._number >= self._end:
            return None
        image = _next_image(self._capture)
        if image is None:
            if self._count is not None and self._number < self._count - max(_SHORT, self._count // 50):
                self.notes.append(
                    f"{self.name} ended early: its header promises {self._count} frames, {self._number} could be read."
                )
            return None
        frame = Frame(self._number, self._number / self.fps, image)
        self._number += 1
        return frame

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()


class PictureSource:
    """Pictures, one a frame, in the order given; sizes may change. Attributes as :class:`Source`.

    A file that is no picture is counted in ``skipped``, and its place in time stays empty.

    Args:
        name: What to call them, such as their folder.
        paths: The pictures.
        span: The part to read, at ``fps`` pictures a second.
        fps: Pictures a second.

    Raises:
        DataError: There are none in this span.
    """

    is_live = False

    def __init__(self, name: str, paths: Sequence[Path], span: Optional[Span] = None, fps: float = FPS) -> None:
        span = span or Span()
        self.name = name
        self.fps = fps
        self.skipped = 0
        self.notes: List[str] = []
        self._paths = list(paths)[: span.end(fps)]
        self._number = span.first(fps)
        self.total: Optional[int] = len(self._paths) - self._number
        if self.total <= 0:
            raise DataError(f"{name} holds {len(paths)} pictures, {fps:g} a second; give an earlier start.")

    def read(self) -> Optional[Frame]:
        """The next picture, or None at the end."""
        while self._number < len(self._paths):
            number = self._number
            self._number += 1
            try:
                return Frame(number, number / self.fps, read_picture(self._paths[number]))
            except DataError as error:
                self.skipped += 1
                if self.skipped == 1:
                    self.notes.append(f"skipped: {error}")
        return None

    def close(self) -> None:
        """Nothing is held open."""


class LiveSource:
    """A camera or stream; attributes as :class:`Source`.

    Args:
        name: What to call it.
        capture: An opened ``cv2.VideoCapture``.
        seconds: Ends after so many seconds; None goes on until it vanishes.
    """

    is_live = True

    def __init__(self, name: str, capture: Any, seconds: Optional[float] = None) -> None:
        self.name = name
        self.total: Optional[int] = None
        self.skipped = 0
        self.notes: List[str] = []
        told = capture.get(cv2.CAP_PROP_FPS)
        self.fps = told if 1 <= told <= 1000 else FPS
        self._capture = capture
        self._seconds = seconds
        self._began: Optional[float] = None
        self._number = 0

    def read(self) -> Optional[Frame]:
        """The next frame; None when the camera gives no more, or the time is over."""
        image = _next_image(self._capture)
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        passed = now - self._began
        if image is None:
            self.notes.append(f"{self.name} gave no more frames after {passed:.1f} s.")
            return None
        if self._seconds is not None and passed >= self._seconds:
            return None
        frame = Frame(self._number, passed, image)
        self._number += 1
        return frame

    def close(self) -> None:
        """Let go of the camera."""
        self._capture.release()


def open_source(where: Where, span: Optional[Span] = None, fps: float = FPS) -> Source:
    """Open whatever frames can be read from.

    Args:
        where: A film's path; a folder of pictures, or one picture; a camera's number (0, ``"0"``) or ``/dev/video0``;
            an address such as ``rtsp://…`` or ``http://…``.
        span: The part to read.
        fps: Frames a second of pictures, and of a film that does not say it.

    Raises:
        DataError: It is missing or cannot be read.
        ConfigError: A start was given for a camera or stream, or ``fps`` is out of range.
    """
    if not 0.1 <= fps <= 1000:
        raise ConfigError(f"{fps!r} frames a second were given; give 0.1 to 1000.")
    span = span or Span()
    text = str(where)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    if scheme is not None:
        return _open_stream(text, scheme.group(1).lower(), span, fps)
    if re.fullmatch(r"\d{1,4}", text) and not Path(text).exists():
        return _open_live(int(text), f"camera {text}", span)
    path = Path(text)
    if path.is_char_device():
        return _open_live(text, text, span)
    if path.is_dir() or (path.suffix.lower() in PICTURE_SUFFIXES and path.suffix.lower() != ".gif"):
        return PictureSource(text, list_pictures([path]), span, fps)
    if not path.is_file():
        raise DataError(
            f"{text} does not exist; give a film, a folder of pictures, a camera's number such as 0, or an address "
            "such as rtsp://…"
        )
    return FilmSource(text, _open(text, text), span, fps)


def safe_name(where: str) -> str:
    """An address without the user's name and password in it; anything else unchanged."""
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/]*@", r"\1", where)


def _open_stream(address: str, scheme: str, span: Span, fps: float) -> Source:
    if scheme not in _STREAMS:
        raise DataError(f"{scheme}:// addresses cannot be read; give one of: {', '.join(_STREAMS)}.")
    if scheme in ("http", "https"):
        capture = _open(address, safe_name(address))
        if _frame_count(capture) is not None:  # a whole film lies there
            return FilmSource(safe_name(address), capture, span, fps)
        capture.release()
    return _open_live(address, safe_name(address), span)


def _open_live(where: Union[str, int], name: str, span: Span) -> LiveSource:
    if span.start:
        raise ConfigError(f"{name} is live, so it has no {span.start:g} s to leave out; give no start.")
    return LiveSource(name, _open(where, name), span.seconds)


def _open(where: Union[str, int], name: str) -> Any:
    streams = isinstance(where, str) and "://" in where
    with contextlib.suppress(cv2.error):
        if streams and cv2.CAP_FFMPEG in cv2.videoio_registry.getStreamBackends():
            patience = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT]
            capture = cv2.VideoCapture(str(where), cv2.CAP_FFMPEG, patience)
        else:
            capture = cv2.VideoCapture(where)
        if capture.isOpened():
            return capture
    if isinstance(where, int) or str(where).startswith("/dev/"):
        raise DataError(f"{name} cannot be opened; is it plugged in, not in use elsewhere, and may you read it?")
    if streams:
        raise DataError(f"{name} does not answer with a film OpenCV can read; check the address and the network.")
    raise DataError(
        f"{name} is no film OpenCV can read; an .mp4 that was cut off has lost its index, which stands at its end."
    )


def _frame_count(capture: Any) -> Optional[int]:
    """The number of frames a header promises, if it does."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < 1e9 else None


def _go_to(capture: Any, first: int, count: Optional[int]) -> int:
    """Leave the frames before ``first`` out; the number of the frame that will be read next, less if there are less."""
    if first == 0:
        return 0
    if count is not None and first >= count:
        return count - 1
    capture.set(cv2.CAP_PROP_POS_FRAMES, first)
    if round(capture.get(cv2.CAP_PROP_POS_FRAMES)) == first:
        return first
    capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
    number = 0
    while number < first and capture.grab():
        number += 1
    return number


def _next_image(capture: Any) -> Optional[NDArray[np.uint8]]:
    try:
        done, image = capture.read()
    except cv2.error:
        return None
    if not done or image is None or image.size == 0:
        return None
    return _in_rgb(image)


def _in_rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A decoded frame, grey or BGR, as RGB, in this thread alone.

    OpenCV shares larger pictures among its threads, which then spin on cores that others need.
    """
    code = cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
    colour = np.empty((*image.shape[:2], 3), np.uint8)
    step = max(1, _ALONE // image.shape[1])
    for top in range(0, len(image), step):
        cv2.cvtColor(image[top : top + step], code, dst=colour[top : top + step])
    return colour
