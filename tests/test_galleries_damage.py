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


@pytest.fixture(scope="module", params=["ivf", "ivfpq"])
def apart(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery that keeps its vectors in a file of their own."""
    folder = tmp_path_factory.mktemp("apart") / "gallery"
    make_gallery(folder, request.param)
    assert (folder / "vectors.npy").stat().st_size > 60 * 8 * 4
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


def test_damage_to_a_gallery_with_vectors_apart_is_refused_or_harmless(apart: Path) -> None:
    counts, problem = run_child(apart, 100, 79, signed=False)
    assert not problem
    assert counts["different"] == 0
    assert counts["refused"] > 80
    counts, problem = run_child(apart, 60, 80, signed=True)
    assert not problem
    assert counts["refused"] > 20
