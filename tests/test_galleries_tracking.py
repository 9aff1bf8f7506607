from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Set

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.errors import ConfigError
from galleries.faces import Box
from galleries.tracking import BRIEF, Tracker, overlaps


def box(x: int, y: int, width: int = 10, height: int = 10) -> Box:
    return Box(x, y, width, height, 1.0)


BOXES = st.builds(box, st.integers(-5, 40), st.integers(-5, 40), st.integers(1, 30), st.integers(1, 30))


def test_overlap_by_hand() -> None:
    first = [box(0, 0), box(0, 0, 20, 20)]
    second = [box(0, 0), box(5, 0), box(10, 0), box(5, 5), box(-50, 0)]
    assert overlaps(first, second) == pytest.approx(
        np.array([[1, 50 / 150, 0, 25 / 175, 0], [100 / 400, 100 / 400, 100 / 400, 100 / 400, 0]])
    )
    assert overlaps([], second).shape == (0, 5)
    assert overlaps(first, []).shape == (2, 0)


@given(st.lists(BOXES, max_size=4), st.lists(BOXES, max_size=4))
def test_overlap_counts_pixels(first: List[Box], second: List[Box]) -> None:
    def pixels(b: Box) -> Set[tuple]:
        return {(x, y) for x in range(b.x, b.x + b.width) for y in range(b.y, b.y + b.height)}

    found = overlaps(first, second)
    for row, a in enumerate(first):
        for column, b in enumerate(second):
            shared, union = len(pixels(a) & pixels(b)), len(pixels(a) | pixels(b))
            assert found[row, column] == pytest.approx(shared / union)


def test_two_people_keep_their_numbers_while_they_move() -> None:
    tracker = Tracker()
    assert tracker.update([box(0, 0), box(50, 0)]) == [1, 2]
    assert tracker.update([box(53, 0), box(3, 0)]) == [2, 1]
    assert tracker.update([box(6, 1), box(56, 1), box(20, 30)]) == [1, 2, 3]
    assert [track.box.x for track in tracker.tracks] == [6, 56, 20]


@given(st.lists(BOXES, max_size=5))
def test_who_does_not_move_keeps_the_number(boxes: List[Box]) -> None:
    still, unsure = Tracker(), Tracker()
    for score in (1.0, 2.0, 3.0):
        numbers = still.update(boxes)
        assert numbers == unsure.update([replace(face, score=score) for face in boxes])
        assert numbers == list(range(1, len(boxes) + 1))
    assert [track.seen for track in still.tracks] == [3] * len(boxes)


def test_the_pair_that_overlaps_most_is_joined_first() -> None:
    tracker = Tracker(overlap=0.1)
    tracker.update([box(0, 0), box(6, 0)])
    # the new box overlaps the first track by 60/140 and the second by 80/120
    assert tracker.update([box(4, 0)]) == [2]
    assert [(track.number, track.missed) for track in tracker.tracks] == [(1, 1), (2, 0)]
    # of two equal overlaps the older track's wins
    level = Tracker(overlap=0.1)
    level.update([box(0, 0), box(10, 0)])
    assert level.update([box(5, 0)]) == [1]


def test_a_face_that_hides_comes_back_in_time_or_as_another() -> None:
    tracker = Tracker(patience=2)
    tracker.update([box(0, 0)])
    for _ in range(2):
        assert tracker.update([]) == []
        assert tracker.current == []
    assert tracker.update([box(1, 0)]) == [1]
    for _ in range(3):
        tracker.update([])
    assert tracker.tracks == []
    assert tracker.update([box(1, 0)]) == [2]
    assert tracker.begun == 2


def test_a_jump_begins_a_new_track() -> None:
    tracker = Tracker(overlap=0.3)
    assert tracker.update([box(0, 0)]) == [1]
    assert tracker.update([box(6, 0)]) == [2]  # 40 / 160 = 0.25 is too little
    assert tracker.update([box(11, 0)]) == [2]  # 50 / 150 is enough


def test_tracks_seen_briefly_are_counted() -> None:
    tracker = Tracker(patience=0)
    for number in range(BRIEF):
        tracker.update([box(0, 0), box(50, 50)] if number < 2 else [box(0, 0)])
    assert tracker.begun == 2
    assert tracker.brief == 1
    tracker.update([])
    assert (tracker.brief, tracker.tracks) == (1, [])


@given(st.lists(st.lists(BOXES, max_size=5), max_size=12), st.integers(0, 3), st.floats(0.05, 1.0))
@settings(max_examples=60)
def test_every_face_has_one_track_and_no_number_comes_back(
    film: List[List[Box]], patience: int, overlap: float
) -> None:
    tracker = Tracker(overlap, patience)
    last_box: Dict[int, Box] = {}
    last_seen: Dict[int, int] = {}
    for moment, boxes in enumerate(film):
        known = len(last_seen)
        numbers = tracker.update(boxes)
        assert len(numbers) == len(boxes) == len(set(numbers))
        new = [number for number in numbers if number not in last_seen]
        assert sorted(new) == list(range(known + 1, known + 1 + len(new)))
        for number, where in zip(numbers, boxes):
            if number in last_seen:
                assert moment - last_seen[number] <= patience + 1
                assert overlaps([last_box[number]], [where])[0, 0] >= overlap
            last_seen[number], last_box[number] = moment, where
        assert sorted(track.number for track in tracker.current) == sorted(numbers)
        assert {track.number for track in tracker.tracks} == {n for n, t in last_seen.items() if moment - t <= patience}
        assert tracker.begun == len(last_seen)


@pytest.mark.parametrize(("overlap", "patience"), [(0.0, 1), (1.1, 1), (float("nan"), 1), (0.5, -1)])
def test_values_out_of_range_are_refused(overlap: float, patience: int) -> None:
    with pytest.raises(ConfigError, match=r"given|missed"):
        Tracker(overlap, patience)
