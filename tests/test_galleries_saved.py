from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import faiss
import numpy as np
import pytest
from made_galleries import AXES, CARD, full, same, small

from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.storage import read_state, write_state

LINE = b'{"number": %d, "emotion": %s, "source": "", "subject": null, "sequence": null}\n'


@pytest.mark.parametrize("index", ["flat", "ivf", "hnsw"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_saved_and_loaded_it_is_the_same(index: str, metric: str, tmp_path: Path) -> None:
    gallery = full() if (index, metric) == ("flat", "cosine") else small(index=index, metric=metric)
    gallery.remove([2])
    gallery.save(tmp_path / "g")
    loaded = Gallery.load(tmp_path / "g")
    assert same(loaded, gallery)
    assert np.array_equal(loaded.kneighbors(AXES, 5)[1], gallery.kneighbors(AXES, 5)[1])
    plain = faiss.read_index(str(tmp_path / "g" / "index.faiss"))
    assert plain.ntotal == 5
    assert plain.search(AXES[:1], 1)[1].tolist() == [[0]]
    loaded.relabel([0], "joy")
    loaded.save(tmp_path / "g")
    assert Gallery.load(tmp_path / "g").references[0].label == "happiness"
    lines = (tmp_path / "g" / "references.jsonl").read_text().splitlines()
    assert json.loads(lines[2])["number"] == 3


def test_every_file_damaged_in_turn_is_one_sentence(tmp_path: Path) -> None:
    full().save(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for position in np.linspace(0, len(whole) - 2, 12).astype(int):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x20]) + whole[position + 1 :])
            with pytest.raises(GalleryError, match=path.name.replace(".", r"\.")):
                Gallery.load(tmp_path)
            path.write_bytes(whole[:position])
            with pytest.raises(GalleryError):
                Gallery.load(tmp_path)
        path.write_bytes(whole)
    assert same(Gallery.load(tmp_path), full())


def rewrite(folder: Path, header: Dict[str, Any], files: Dict[str, bytes]) -> None:
    """Write a state whose checksums are right although its content is not."""
    write_state(folder, header, files)


def test_that_references_are_typical_is_kept(tmp_path: Path) -> None:
    gallery = full()
    gallery.save(tmp_path)
    assert "typical" not in Gallery.load(tmp_path).info()
    gallery.typical = True
    gallery.save(tmp_path)
    assert Gallery.load(tmp_path).info()["typical"] is True
    assert Gallery.load(tmp_path).typical
    assert Gallery.undo(tmp_path).typical is False


def test_what_most_references_are_is_said_of_a_merged_gallery() -> None:
    gallery, other = small(), small(sources=[f"b/{i}.png" for i in range(6)])
    gallery.typical = True
    gallery.merge(small())  # nothing of it is new
    assert gallery.typical
    gallery.merge(other)  # as many
    assert gallery.typical
    other.add(AXES, ["anger"] * 6)
    fresh = small()
    fresh.typical = True
    fresh.merge(other)
    assert not fresh.typical


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "taxi"},
        {"metric": "euclidean"},
        {"index": "hnsw"},
        {"counts": {"anger": 6}},
        {"counts": {"anger": "6"}},
        {"counts": 3},
        {"counts": {}},
        {"next_number": -1},
        {"next_number": None},
        {"typical": "yes"},
        {"tower": None},
        {"tower": {"name": "x", "fingerprint": "ab", "input": {}, "embedding_dim": 4}},
        {"tower": {**CARD.to_json(), "embedding_dim": 5}},
    ],
)
def test_a_wrong_header_with_right_checksums_is_refused(tmp_path: Path, change: Dict[str, Any]) -> None:
    full().save(tmp_path)
    header, files, _ = read_state(tmp_path)
    rewrite(tmp_path, {**header, **change}, files)
    with pytest.raises(GalleryError):
        Gallery.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("references.jsonl", b""),
        ("references.jsonl", b"{}\n"),
        ("references.jsonl", b"[1, 2]\n"),
        ("references.jsonl", b"\xff"),
        ("references.jsonl", b"[" * 200_000),
        ("references.jsonl", LINE % (0, b'"anger"')),
        ("references.jsonl", b"".join(LINE % (i, b'["anger"]') for i in range(6))),
        ("references.jsonl", b"".join(LINE % (i, b"7") for i in range(6))),
        ("thumbnails.npy", b"no array"),
        ("thumbnails.npy", b""),
        ("index.faiss", b"IxF2"),
    ],
)
def test_wrong_files_with_right_checksums_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    full().save(tmp_path)
    header, files, _ = read_state(tmp_path)
    rewrite(tmp_path, header, {**files, name: data})
    with pytest.raises(GalleryError, match=name.replace(".", r"\.")):
        Gallery.load(tmp_path)
    rewrite(tmp_path, header, {key: value for key, value in files.items() if key != "index.faiss"})
    with pytest.raises(GalleryError, match="lacks"):
        Gallery.load(tmp_path)


def test_two_people_change_one_gallery(tmp_path: Path) -> None:
    small().save(tmp_path)
    mine, theirs = Gallery.load(tmp_path), Gallery.load(tmp_path)
    theirs.remove([0])
    theirs.save(tmp_path)
    theirs.relabel([1], "joy")
    theirs.save(tmp_path)
    with pytest.raises(GalleryError, match="changed by someone else"):
        mine.save(tmp_path)
    assert same(Gallery.load(tmp_path), theirs)
    mine.save(tmp_path / "elsewhere")
    small().save(tmp_path)  # a fresh build replaces what is there
    assert same(Gallery.load(tmp_path), small())
