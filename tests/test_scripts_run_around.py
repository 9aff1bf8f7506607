from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotions_cli.run_around import run_around

WHOLE = {"data": "/faces", "format": "folder", "ferplus": None, "emotions": ["anger", "fear"]}


def write(folder: Path, content: object) -> None:
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")


def test_a_gallery_finds_the_run_it_lies_in_and_a_run_itself(tmp_path: Path) -> None:
    write(tmp_path, {**WHOLE, "training": {"n_neighbors": 15}})
    for path in (tmp_path, tmp_path / "gallery"):
        found = run_around(path)
        assert found is not None
        assert (found.folder, found.data, found.format) == (tmp_path, "/faces", "folder")
        assert (found.emotions, found.n_neighbors) == (("anger", "fear"), 15)
    assert run_around(tmp_path / "gallery" / "deeper") is None


def test_what_a_run_leaves_out_has_its_usual_value(tmp_path: Path) -> None:
    write(tmp_path, {"data": "synthetic", "training": {}})
    found = run_around(tmp_path)
    assert found is not None
    assert (found.emotions, found.n_neighbors, found.ferplus) == (None, 5, None)


@pytest.mark.parametrize("content", [[], {}, {"data": "x"}, {"data": "x", "training": {"n_neighbors": "many"}}])
def test_a_damaged_run_is_none(tmp_path: Path, content: object) -> None:
    write(tmp_path, content)
    assert run_around(tmp_path) is None


@given(st.binary(max_size=60))
def test_no_bytes_raise(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / "run.json").write_bytes(content)
    assert run_around(folder) is None
