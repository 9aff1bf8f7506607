"""A few of the kills and readers that ``python tests/kill_gallery.py`` tries by hundreds."""

from __future__ import annotations

import os

import pytest
from kill_gallery import run


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL as on Unix")
@pytest.mark.parametrize(("index", "kills"), [("flat", 6), ("ivfpq", 3)])
def test_a_killed_writer_leaves_a_committed_state_and_readers_see_whole_ones(index: str, kills: int) -> None:
    assert run(kills=kills, readers=2, seconds=1.5, seed=3, index=index) == []
