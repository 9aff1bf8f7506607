"""A film waits for whoever takes it; a camera does not, and what passed unseen is counted."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import List

import numpy as np
from film_fakes import (
    MadeSource,
    SquareFinder,
    moving,
    open_gallery,
)

from galleries.faces import Box
from galleries.feed import Feed
from galleries.sources import Frame
from galleries.video import Film


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


def test_slow_recognition_drops_frames_and_counts_them(film_gallery: Path) -> None:
    class Slow(SquareFinder):
        def detect(self, image: np.ndarray) -> List[Box]:
            time.sleep(0.03)
            return super().detect(image)

    source = MadeSource(moving(40), is_live=True, wait=0.002)
    with Film(open_gallery(film_gallery, detector=Slow()), source) as run:
        seen = [frame.number for frame in run]
        summary = run.summary()
    assert seen == sorted(seen)
    assert summary.dropped > 0
    assert summary.frames + summary.dropped == 40
