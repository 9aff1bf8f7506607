from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from galleries.errors import GalleryError
from galleries.header import HEADER, READABLE, header_checksum
from galleries.storage import read_state, write_state

OLD: Dict[str, bytes] = {"index.faiss": b"old index", "references.jsonl": b"old lines", "thumbnails.npy": b"old"}


def signed(header: Dict[str, Any]) -> str:
    header["checksum"] = header_checksum(header)
    return json.dumps(header)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": READABLE[-1] + 1}, "update it"),
        ({"version": None}, "update it"),
        ({"format": "other"}, "does not describe a gallery"),
        ({"files": []}, "damaged"),
        ({"files": {"../../etc/passwd": {"size": 1, "blake2b": "0"}}}, "do not trust"),
        ({"files": {"/etc/passwd": {"size": 1, "blake2b": "0"}}}, "do not trust"),
        ({"files": {"index.faiss": {"size": "1"}}}, "do not trust"),
        ({"files": {"index.faiss": {"size": 9}}}, "do not trust"),
        ({"files": {"index.faiss": {"size": 9, "blake2b": "../../x"}}}, "do not trust"),
        ({"files": {"index.faiss": {"size": 9, "blake2b": "00"}}}, "checksum differs"),
    ],
)
def test_a_strange_header_is_refused_even_if_signed(tmp_path: Path, change: Dict[str, Any], sentence: str) -> None:
    write_state(tmp_path, {}, OLD)
    header = json.loads((tmp_path / HEADER).read_text())
    (tmp_path / HEADER).write_text(signed({**header, **change}))
    with pytest.raises(GalleryError, match=sentence):
        read_state(tmp_path)


@pytest.mark.parametrize("change", [{"version": "x" * 5000}, {"version": [[]] * 1000}, {"files": {"k" * 5000: {}}}])
def test_a_long_value_does_not_make_a_long_sentence(tmp_path: Path, change: Dict[str, Any]) -> None:
    write_state(tmp_path, {}, OLD)
    header = json.loads((tmp_path / HEADER).read_text())
    (tmp_path / HEADER).write_text(signed({**header, **change}))
    with pytest.raises(GalleryError) as caught:
        read_state(tmp_path)
    assert len(str(caught.value)) < 500


def test_what_is_no_gallery(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="is no folder"):
        read_state(tmp_path / "absent")
    with pytest.raises(GalleryError, match=r"holds no gallery\.json"):
        read_state(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(GalleryError, match="is no folder"):
        read_state(tmp_path / "file")
    with pytest.raises(GalleryError, match="could not be saved"):
        write_state(tmp_path / "file", {}, OLD)
    for text in ("[]", "[" * 100_000, "{", "null", '"x"', "\udcff"):
        (tmp_path / HEADER).write_text(text, "utf-8", "surrogateescape")
        with pytest.raises(GalleryError):
            read_state(tmp_path)
