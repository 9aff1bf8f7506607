"""Vectors by position: removing and adding against plain arrays, and the file they are kept in."""

from __future__ import annotations

import io
import mmap
from pathlib import Path
from typing import List, Tuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.content import Pieces, map_file
from galleries.errors import GalleryError
from galleries.rows import Rows, npy_header, read_rows

SOME = np.arange(60, dtype=np.float32).reshape(20, 3)


def content(rows: Rows) -> bytes:
    return Pieces(rows.write).whole()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=12), st.integers(0, 1000))
@settings(max_examples=60)
def test_rows_are_what_an_array_would_be(steps: List[Tuple[bool, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, plain = Rows(SOME), SOME
    for is_adding, count in steps:
        if is_adding:
            more = rng.standard_normal((count, 3)).astype(np.float32)
            rows, plain = rows.with_added(more), np.concatenate([plain, more])
        else:
            kept = np.ones(len(plain), bool)
            kept[rng.permutation(len(plain))[:count]] = False
            rows, plain = rows.without(kept), plain[kept]
        assert len(rows) == len(plain)
        assert np.array_equal(rows.copy(), plain)
        assert np.array_equal(np.concatenate([np.empty((0, 3), np.float32), *rows.blocks(4)]), plain)
        if len(plain):
            places = rng.integers(0, len(plain), (2, 5))
            assert np.array_equal(rows.take(places), plain[places])
    assert np.array_equal(SOME, np.arange(60).reshape(20, 3)), "the base is left alone"
    if len(plain):
        assert np.array_equal(np.load(io.BytesIO(content(rows))), plain)
        assert np.array_equal(read_rows(content(rows), len(plain), 3).copy(), plain)


def test_the_file_is_what_numpy_writes() -> None:
    buffer = io.BytesIO()
    np.save(buffer, SOME)
    assert content(Rows(SOME)) == buffer.getvalue()


def test_a_mapped_file_is_viewed_and_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    path.write_bytes(content(Rows(SOME)))
    with path.open("rb") as file:
        view = map_file(file.fileno(), path.stat().st_size)
    rows = read_rows(view, 20, 3)
    assert isinstance(view.obj, mmap.mmap)
    address = np.frombuffer(view, np.uint8).__array_interface__["data"][0]
    start = rows.base.__array_interface__["data"][0]
    assert start - address == path.stat().st_size - SOME.nbytes
    path.unlink()
    assert np.array_equal(rows.without(np.arange(20) % 2 == 0).copy(), SOME[::2])
    assert np.array_equal(np.concatenate(list(rows.blocks(3))), SOME), "memory that was given back is read again"
    assert rows.without(np.ones(20, bool)).with_added(SOME[:1]).source is view


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-4],
        lambda data: data[:-1],
        lambda data: data + bytes(12),
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data.replace(b"'<f4'", b"'<f8'"),
        lambda data: data.replace(b"'<f4'", b"'|O8'"),
        lambda data: data.replace(b"(20, 3)", b"(3, 20)"),
        lambda data: data.replace(b"(20, 3)", b"(21, 3)"),
        lambda data: data.replace(b"False", b"True "),
        lambda data: data.replace(b"\x93NUMPY", b"\x94NUMPY"),
        lambda data: data[:8] + b"\x01\x00" + data[10:],
        lambda data: npy_header("<f4", (10**12, 3)),
        lambda data: npy_header("<f4", (20, 10**8)),
    ],
)
def test_a_file_of_something_else_is_refused(damage: object) -> None:
    with pytest.raises(GalleryError, match=r"vectors\.npy"):
        read_rows(damage(content(Rows(SOME))), 20, 3)  # type: ignore[operator]
