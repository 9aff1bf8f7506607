"""Frames read ahead in a thread: a film waits for who takes them, a camera does not and drops the older ones."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from typing import Callable, Deque, List, Optional

import numpy as np
from numpy.typing import NDArray

from galleries.errors import EmotionsError
from galleries.frames import Frame, Source

Prepare = Callable[[NDArray[np.uint8]], Optional[NDArray[np.uint8]]]

SILENCE = 15.0
"""Seconds a camera or stream may give no frame before it counts as vanished."""

_LEAVE = 2.0  # seconds a reader that hangs in its device is waited for


class Feed:
    """Reads a source in a thread of its own, and closes it in the end.

    Attributes:
        dropped: Frames of a live source that passed unseen.
        failure: What ended the source, if it was an error; it counts as the film's end.

    Args:
        source: Where frames come from. It belongs to the feed from here on.
        room: Frames of a film that may wait. Of a live source only the newest waits.
        silence: Seconds without a frame after which a live source counts as vanished.
        prepare: Makes a film's ``Frame.pixels`` of its image, or None, in the reading thread, while half of the room or
            more is filled: who is ahead has time for it. A live source's frames are left as they are, as most may pass
            unseen.
    """

    def __init__(
        self, source: Source, room: int = 16, silence: float = SILENCE, prepare: Optional[Prepare] = None
    ) -> None:
        self.dropped = 0
        self.failure: Optional[BaseException] = None
        self._source = source
        self._room = 1 if source.is_live else room
        self._silence = silence
        self._prepare = None if source.is_live else prepare
        self._waiting: Deque[Frame] = deque()
        self._change = threading.Condition()
        self._over = False
        self._left = False
        self._thread = threading.Thread(target=self._read, name="emotions-reader", daemon=True)
        self._thread.start()

    def take(self, most: int) -> List[Frame]:
        """Wait for frames.

        Args:
            most: How many of a film are waited for. Of a live source it is the newest alone.

        Returns:
            The next frames in order; fewer than ``most`` at the end, none when it is over.
        """
        with self._change:
            if self._source.is_live:
                if not self._change.wait_for(lambda: self._waiting or self._over, self._silence):
                    self.failure = EmotionsError(f"{self._source.name} gave no frame for {self._silence:g} s.")
                    self._left = True
            else:
                wanted = min(most, self._room)
                self._change.wait_for(lambda: len(self._waiting) >= wanted or self._over)
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._change.notify_all()
        return taken

    def close(self) -> None:
        """Stop reading. A reader that hangs in its device is left behind; it closes the source when it comes back."""
        with self._change:
            self._left = True
            self._change.notify_all()
        self._thread.join(_LEAVE)

    def _read(self) -> None:
        try:
            while not self._left:
                frame = self._source.read()
                if frame is None:
                    break
                self._offer(self._prepared(frame))
        except Exception as error:  # whatever a device's driver raises ends the film; what was done so far is kept
            self.failure = error
        finally:
            self._source.close()
            with self._change:
                self._over = True
                self._change.notify_all()

    def _prepared(self, frame: Frame) -> Frame:
        if self._prepare is None or 2 * len(self._waiting) < self._room:
            return frame
        try:
            return replace(frame, pixels=self._prepare(frame.image))
        except Exception:  # whoever takes the frame meets the same error, and says so
            return frame

    def _offer(self, frame: Frame) -> None:
        with self._change:
            if self._source.is_live:
                self.dropped += len(self._waiting)
                self._waiting.clear()
            else:
                self._change.wait_for(lambda: len(self._waiting) < self._room or self._left)
            self._waiting.append(frame)
            self._change.notify_all()


class Pace:
    """Frames a second over the last seconds.

    Args:
        span: Seconds to look back.
        least: Frames to look back at least, as frames that pass in batches come in bursts.
    """

    def __init__(self, span: float = 2.0, least: int = 2) -> None:
        self._span = span
        self._least = least
        self._marks: Deque[float] = deque()

    def mark(self) -> float:
        """Count a frame now; the frames a second, 0.0 for the first."""
        now = time.monotonic()
        self._marks.append(now)
        while len(self._marks) > self._least and now - self._marks[0] > self._span:
            self._marks.popleft()
        passed = now - self._marks[0]
        return (len(self._marks) - 1) / passed if passed > 0 else 0.0
