"""A sink that works behind: frames are drawn and written in a thread of their own while the next are recognised."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import Callable, Deque, Optional, Type

from galleries.film_results import FrameResult


class Behind:
    """Hands frames to a sink in their order; whoever gives them waits only while too many wait.

    What the sink raises is raised to whoever gives the next frame, or leaves the ``with``; it is given no more frames
    then. Leaving waits for the frames that were given.

    Args:
        sink: Takes a frame.
        room: Frames that may wait.
    """

    def __init__(self, sink: Callable[[FrameResult], object], room: int) -> None:
        self._sink = sink
        self._room = room
        self._waiting: Deque[FrameResult] = deque()
        self._change = threading.Condition()
        self._failure: Optional[BaseException] = None
        self._over = False
        self._thread = threading.Thread(target=self._work, name="emotions-writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> Behind:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        with self._change:
            self._over = True
            self._change.notify_all()
        try:
            self._thread.join()
        except BaseException:  # a second Ctrl-C: the frames that wait are let go
            self._waiting.clear()
            self._thread.join()
            raise
        if error is None:
            self._tell()

    def __call__(self, frame: FrameResult) -> None:
        """Give a frame.

        Raises:
            Exception: What the sink raised at an earlier one.
        """
        with self._change:
            self._change.wait_for(lambda: len(self._waiting) < self._room)
            self._tell()
            self._waiting.append(frame)
            self._change.notify_all()

    def _tell(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _work(self) -> None:
        try:
            while True:
                with self._change:
                    self._change.wait_for(lambda: self._waiting or self._over)
                    if not self._waiting:
                        return
                    frame = self._waiting.popleft()
                    self._change.notify_all()
                self._sink(frame)
        except Exception as failure:
            self._failure = failure
        with self._change:
            self._waiting = deque(maxlen=0)
            self._change.notify_all()
