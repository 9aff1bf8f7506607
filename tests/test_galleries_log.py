from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries import log as log_module
from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.header import HEADER, checksum
from galleries.images import InputSpec
from galleries.log import Change, LogEntry, decode_log, encode_log, new_entry
from galleries.storage import PREVIOUS
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 4)
AXES = np.eye(4, dtype=np.float32)


def saved(folder: Path) -> Gallery:
    gallery = Gallery.build(AXES, ["Angry", "fear", "fear", "sad"], tower=CARD)
    gallery.save(folder)
    return gallery


def test_every_change_is_told(tmp_path: Path) -> None:
    gallery = saved(tmp_path)
    gallery.add(AXES[:2], ["boredom", "boredom"], subjects=["Ana", "Ana"])
    gallery.relabel([0, 1], "surprise")
    gallery.save(tmp_path)
    gallery.remove([3])
    gallery.save(tmp_path)
    told = [entry.sentence() for entry in Gallery.load(tmp_path).log]
    assert told == [
        "build anger (1), fear (2), sadness (1)",
        "add boredom (2), person Ana; relabel surprise (2), before: anger (1), fear (1)",
        "remove sadness (1)",
    ]
    entries = Gallery.load(tmp_path).log
    assert [entry.size for entry in entries] == [4, 6, 5]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.time) for entry in entries)
    assert all(entry.who for entry in entries)


def test_undo_takes_the_last_change_back_and_says_so(tmp_path: Path) -> None:
    gallery = saved(tmp_path)
    numbers = gallery.add(AXES[:2], ["boredom", "boredom"])
    gallery.save(tmp_path)
    back = Gallery.undo(tmp_path)
    assert back.numbers.tolist() == [0, 1, 2, 3]
    assert back.emotions == ("anger", "fear", "sadness")
    assert [entry.sentence() for entry in back.log][-1] == "undo, add boredom (2)"
    again = back.add(AXES[:1], ["awe"])
    assert again.tolist() == [max(numbers) + 1]  # a number once given is not given anew
    forward = Gallery.undo(tmp_path)
    assert forward.emotions == ("anger", "boredom", "fear", "sadness")
    assert len(forward.log) == 4


def test_a_new_gallery_has_nothing_to_undo(tmp_path: Path) -> None:
    saved(tmp_path)
    with pytest.raises(GalleryError, match="nothing to undo"):
        Gallery.undo(tmp_path)


def test_a_gallery_of_version_1_opens_and_is_saved_as_one_of_today(tmp_path: Path) -> None:
    """Version 1 had no log and did not say which state it follows."""
    saved(tmp_path)
    (tmp_path / "log.jsonl").unlink()
    header = json.loads((tmp_path / HEADER).read_text())
    header["version"] = 1
    del header["files"]["log.jsonl"], header["follows"], header["checksum"]
    header["checksum"] = checksum(json.dumps(header, sort_keys=True).encode())
    (tmp_path / HEADER).write_text(json.dumps(header))
    old = Gallery.load(tmp_path)
    assert old.log == ()
    old.remove([0])
    old.save(tmp_path)
    assert json.loads((tmp_path / HEADER).read_text())["version"] == 2
    assert [entry.sentence() for entry in Gallery.load(tmp_path).log] == ["remove anger (1)"]
    assert (tmp_path / PREVIOUS / HEADER).is_file()
    assert len(Gallery.undo(tmp_path)) == 4


def test_an_account_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(log_module.getpass, "getuser", nobody)
    assert new_entry([], 3).who == "unknown"


TEXT = st.text(max_size=8)
ENTRIES = st.lists(
    st.builds(
        LogEntry,
        TEXT,
        TEXT,
        st.lists(st.builds(Change, TEXT, st.dictionaries(TEXT, st.integers(0, 9), max_size=3), TEXT)).map(tuple),
        st.integers(0, 10**6),
    ),
    max_size=4,
)


@given(ENTRIES)
def test_what_is_written_is_read(entries: list) -> None:  # type: ignore[type-arg]
    assert decode_log(encode_log(entries)) == entries


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b"3", b"{}", b"[" * 5000, b'{"time": 1, "who": "a", "changes": [], "size": 1}',
     b'{"time": "t", "who": "a", "changes": [3], "size": 1}', b'{"time": "t", "who": "a", "changes": [], "size": "x"}',
     b'{"time": "t", "who": "a", "changes": [{"action": "add", "counts": {"a": true}, "detail": ""}], "size": 1}',
     b'{"time": "t", "who": "a", "changes": [{"action": "add", "counts": 3, "detail": ""}], "size": 1}'],
)  # fmt: skip
def test_what_is_no_log_is_refused(line: bytes) -> None:
    with pytest.raises(GalleryError, match="not a gallery's log"):
        decode_log(line)


@given(st.recursive(st.none() | st.booleans() | st.integers() | TEXT, lambda x: st.lists(x) | st.dictionaries(TEXT, x)))
def test_any_json_is_read_or_refused(value: Any) -> None:
    with contextlib.suppress(GalleryError):
        decode_log(json.dumps(value).encode())
