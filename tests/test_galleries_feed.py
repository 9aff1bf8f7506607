"""A film waits for whoever takes it; a camera does not, and what passed unseen is counted."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import List

import numpy as np
import pytest
from film_fakes import (
    MadeSource,
    SquareFinder,
    moving,
    open_gallery,
)

from galleries.errors import DataError
from galleries.faces import Box
from galleries.feed import Feed
from galleries.images import InputSpec, prepare
from galleries.sources import Frame
from galleries.video import Film, FilmOptions


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


@pytest.mark.parametrize("is_live", [False, True])
def test_a_reader_that_is_ahead_prepares_a_films_frames_and_no_cameras(is_live: bool) -> None:
    frames, spec = moving(6), InputSpec(16, 16, 3)
    readers = set()

    def made(image: np.ndarray) -> np.ndarray:
        readers.add(threading.current_thread().name)
        return prepare(image, spec)

    feed = Feed(MadeSource(frames, is_live=is_live, wait=0.01), room=4, prepare=made)
    if not is_live:
        ends = time.monotonic() + 30
        while len(feed._waiting) < 4 and time.monotonic() < ends:
            time.sleep(0.01)
    taken = feed.take(4)
    feed.close()
    assert readers == (set() if is_live else {"emotions-reader"})
    for frame in taken:
        assert frame.image is frames[frame.number]
        if is_live or frame.number < 2:
            assert frame.pixels is None, "nobody was ahead yet"
        else:
            assert frame.pixels is not None
            assert np.array_equal(frame.pixels, prepare(frame.image, spec))


def test_a_frame_that_cannot_be_prepared_is_refused_by_whoever_takes_it(film_gallery: Path) -> None:
    frames = [*moving(3), np.zeros((20, 20, 2), np.uint8)]
    with Film(open_gallery(film_gallery, whole=True), MadeSource(frames), FilmOptions(batch=1)) as run:
        seen = iter(run)
        assert [next(seen).number for _ in range(3)] == [0, 1, 2]
        with pytest.raises(DataError, match=r"shape \(20, 20, 2\)"):
            next(seen)
        assert run.summary().notes == ()
