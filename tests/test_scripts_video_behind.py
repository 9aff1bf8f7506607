"""Frames written behind: all of them, in their order, and what goes wrong is told once."""

from __future__ import annotations

import threading
from typing import List

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")

from emotions_cli.video_behind import Behind
from galleries.errors import EmotionsError
from galleries.film_results import FrameResult


def frame(number: int) -> FrameResult:
    return FrameResult(number, number / 10, np.zeros((2, 2), np.uint8), (), True, 0.0)


def test_every_frame_arrives_in_its_order_and_in_another_thread() -> None:
    seen: List[int] = []
    threads = set()

    def sink(result: FrameResult) -> None:
        threads.add(threading.get_ident())
        seen.append(result.number)

    with Behind(sink, room=3) as behind:
        for number in range(50):
            behind(frame(number))
    assert seen == list(range(50))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_who_gives_waits_while_too_many_wait() -> None:
    go_on, given = threading.Event(), []

    def give(behind: Behind) -> None:
        for number in range(6):
            behind(frame(number))
            given.append(number)

    with Behind(lambda result: go_on.wait(30), room=2) as behind:
        giver = threading.Thread(target=give, args=(behind,))
        giver.start()
        giver.join(0.2)
        assert giver.is_alive()
        assert len(given) <= 3, "one is in the sink, two wait"
        go_on.set()
        giver.join(30)
    assert given == list(range(6))


def test_an_error_is_told_to_who_gives_the_next_frame_and_only_once() -> None:
    seen: List[int] = []

    def sink(result: FrameResult) -> None:
        if result.number == 2:
            raise EmotionsError("the disk is full")
        seen.append(result.number)

    def give_all() -> None:
        with Behind(sink, room=1) as behind:
            for number in range(9):
                behind(frame(number))

    with pytest.raises(EmotionsError, match="the disk is full"):
        give_all()
    assert seen == [0, 1]


def test_an_error_at_the_last_frame_is_told_in_the_end() -> None:
    def sink(result: FrameResult) -> None:
        raise EmotionsError("the disk is full")

    def give_one() -> None:
        with Behind(sink, room=4) as behind:
            behind(frame(0))

    with pytest.raises(EmotionsError, match="the disk is full"):
        give_one()


def test_another_error_on_the_way_is_not_hidden_and_what_was_given_is_written() -> None:
    seen: List[int] = []

    def broken_off() -> None:
        with Behind(lambda result: seen.append(result.number), room=8) as behind:
            for number in range(5):
                behind(frame(number))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert seen == list(range(5))
