"""A few hundred of the damages that ``python tests/damage_gallery.py`` tries by thousands."""

from __future__ import annotations

from pathlib import Path

import pytest
from damage_gallery import answers, make_gallery, run_child

pytest.importorskip("resource", reason="memory is limited as on Unix")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "gallery"
    make_gallery(folder)
    return folder


def test_a_whole_gallery_answers_the_same_twice(whole: Path) -> None:
    assert answers(whole) == answers(whole)


def test_plain_damage_is_refused_or_harmless(whole: Path) -> None:
    counts, problem = run_child(whole, 250, 77, signed=False)
    assert not problem
    assert counts["different"] == 0
    assert counts["refused"] > 200
    assert sum(counts.values()) == 250


def test_signed_damage_crashes_nothing(whole: Path) -> None:
    counts, problem = run_child(whole, 150, 78, signed=True)
    assert not problem
    assert counts["refused"] > 50
    assert sum(counts.values()) == 150
