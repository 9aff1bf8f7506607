"""A bundle answers as the gallery and tower it was made of, and whatever is wrong with one is told in a sentence."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from bundle_fakes import faces, make_gallery, make_place, refused
from damage_bundle import sign
from onnx_towers import card, write_tower

from galleries import bundle as bundles
from galleries.archive import FolderFiles
from galleries.bundle import MANIFEST, is_bundle, open_bundle, open_gallery, write_bundle
from galleries.encoder import OnnxEncoder
from galleries.errors import EmotionsError, EncoderMismatch, GalleryError
from galleries.gallery import Gallery
from galleries.recognizer import Recognizer


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``tower.onnx``, and one bundle as ``folder`` and ``file.zip``. Not to be changed."""
    return make_place(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def folder(place: Path, tmp_path: Path) -> Path:
    """A copy of the folder."""
    return Path(shutil.copytree(place / "folder", tmp_path / "copy"))


@pytest.mark.parametrize("name", ["folder", "file.zip"])
def test_it_answers_as_what_it_was_made_of(place: Path, name: str) -> None:
    encoder = OnnxEncoder(place / "tower.onnx", ["cpu"], 1)
    gallery = make_gallery(encoder)
    assert is_bundle(place / name)
    found = open_bundle(place / name, ["cpu"], 1)
    assert (found.precision, found.card, found.checked) == ("float32", {"tower": "tiny"}, {"difference": 0.0})
    assert found.gallery.references == gallery.references
    assert np.array_equal(found.gallery.thumbnails, gallery.thumbnails)
    vectors = found.encoder.encode(faces())
    assert np.array_equal(vectors, encoder.encode(faces()))
    assert found.gallery.classify(vectors, 3) == gallery.classify(vectors, 3)
    assert found.gallery.tower_onnx == encoder.model
    assert open_gallery(place / name).info() == found.gallery.info()


@pytest.mark.parametrize("name", ["folder", "file.zip"])
def test_a_recogniser_opens_it(place: Path, name: str) -> None:
    recognizer = Recognizer.load(place / name, n_neighbors=1, providers=["cpu"], threads=1)
    for picture, emotion in zip(faces()[:3, 0], ("anger", "fear", "sadness")):
        (face,) = recognizer.recognise(picture)
        assert face.prediction.emotion == emotion


def test_it_holds_the_tower_once_and_lists_every_file(place: Path) -> None:
    names = {str(path.relative_to(place / "folder")) for path in (place / "folder").rglob("*") if path.is_file()}
    manifest = json.loads((place / "folder" / MANIFEST).read_text())
    assert names == {MANIFEST, *manifest["files"]}
    assert "gallery/tower.onnx" not in names
    with zipfile.ZipFile(place / "file.zip") as zipped:
        assert {*zipped.namelist()} == names


def test_a_gallery_from_a_zip_can_be_saved(place: Path, tmp_path: Path) -> None:
    gallery = open_gallery(place / "file.zip")
    gallery.remove([0])
    gallery.save(tmp_path / "own")
    assert len(Gallery.load(tmp_path / "own")) == 11


def test_writing_leaves_the_gallery_as_it_was(place: Path, tmp_path: Path) -> None:
    encoder = OnnxEncoder(place / "tower.onnx", ["cpu"], 1)
    gallery = make_gallery(encoder)
    gallery.attach_tower(encoder.model)
    gallery.save(tmp_path / "gallery")
    before = (gallery.log, gallery.tower_onnx)
    sizes = write_bundle(tmp_path / "b", gallery, encoder, {}, {})
    assert (gallery.log, gallery.tower_onnx) == before
    assert sizes["tower.onnx"] == len(encoder.model)
    gallery.save(tmp_path / "gallery")


def test_what_is_there_is_not_replaced(place: Path, tmp_path: Path) -> None:
    encoder = OnnxEncoder(place / "tower.onnx", ["cpu"], 1)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").touch()
    (tmp_path / "taken.zip").write_bytes(b"mine")
    for name in ("taken", "taken.zip"):
        with pytest.raises(GalleryError, match="not empty"):
            write_bundle(tmp_path / name, make_gallery(encoder), encoder, {}, {})
    assert (tmp_path / "taken.zip").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken", "taken.zip"]


@pytest.mark.parametrize("name", ["new", "new.zip"])
def test_a_full_disk_leaves_nothing(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    encoder = OnnxEncoder(place / "tower.onnx", ["cpu"], 1)
    real = os.fsync
    left = [6]

    def full(handle: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr("galleries.atomic.os.fsync", full)
    with pytest.raises(EmotionsError, match="No space left"):
        write_bundle(tmp_path / "below" / name, make_gallery(encoder), encoder, {}, {})
    assert not list((tmp_path / "below").iterdir())


def test_another_towers_gallery_is_refused(place: Path, tmp_path: Path) -> None:
    other = OnnxEncoder(write_tower(tmp_path / "t.onnx", json.dumps(card(fingerprint="cd" * 16))), ["cpu"], 1)
    with pytest.raises(EncoderMismatch):
        write_bundle(tmp_path / "out", make_gallery(OnnxEncoder(place / "tower.onnx")), other, {}, {})


def test_a_flipped_bit_in_any_file_is_told(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 8
    for path in files:
        good = path.read_bytes()
        for position in {0, len(good) // 3, len(good) // 2, len(good) - 2}:
            bad = bytearray(good)
            bad[position] ^= 1 << (position % 8)
            path.write_bytes(bytes(bad))
            assert path.name in refused(folder)
        path.write_bytes(good[: len(good) // 2])
        assert path.name in refused(folder)
        path.unlink()
        if path.name == MANIFEST:
            assert not is_bundle(folder)
        refused(folder)
        path.write_bytes(good)
    open_bundle(folder, ["cpu"], 1)


def test_a_changed_gallery_is_told(folder: Path) -> None:
    gallery = Gallery.load(folder / "gallery")
    gallery.remove([0])
    gallery.save(folder / "gallery")
    assert "was changed" in refused(folder)


def test_a_large_file_of_a_folder_is_not_read_into_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galleries.plain_files.MAPPED_FROM", 100)
    found = FolderFiles(folder)
    data = (folder / "gallery" / "index.faiss").read_bytes()
    held = found.checked("gallery/index.faiss", len(data), bundles.checksum(data))
    assert isinstance(held, memoryview)
    assert held == data
    for size, digest in ((len(data) - 1, bundles.checksum(data)), (len(data), "00" * 32)):
        with pytest.raises(ValueError, match="another"):
            found.checked("gallery/index.faiss", size, digest)
    assert found.checked("gallery/none", 1, "00") is None
    assert len(open_bundle(folder, ["cpu"], 1).gallery) == 12


@pytest.mark.parametrize("name", ["tower.onnx", "gallery/index.faiss", "gallery"])
def test_a_link_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).replace(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert "link" in refused(folder)


def test_something_that_is_no_file_is_refused(folder: Path) -> None:
    (folder / "tower.onnx").unlink()
    os.mkfifo(folder / "tower.onnx")
    assert "plain file" in refused(folder)


def forge(folder: Path, change: Callable[[Dict[str, Any]], None]) -> None:
    """Change a bundle's manifest as someone would who knows how its checksum is made."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    manifest["checksum"] = bundles._own_checksum(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


FORGERIES: List[Callable[[Dict[str, Any]], None]] = [
    lambda m: m["files"].update({"../secret": {"size": 1, "blake2b": "00"}}),
    lambda m: m["files"].update({"/etc/passwd": {"size": 1, "blake2b": "00"}}),
    lambda m: m["files"].update({"gallery/tower.onnx": {"size": 1, "blake2b": "00"}}),
    lambda m: m["files"].pop("tower.onnx"),
    lambda m: m["files"]["tower.onnx"].update(size=10**30),
    lambda m: m["files"]["tower.onnx"].update(size=2**31),
    lambda m: m["files"]["card.json"].update(size=2**25),
    lambda m: m["files"]["tower.onnx"].update(size=-1),
    lambda m: m["files"]["tower.onnx"].update(size=True),
    lambda m: m["files"]["tower.onnx"].update(blake2b=None),
    lambda m: m["files"].update({"tower.onnx": []}),
    lambda m: m.update(files=[]),
    lambda m: m.update(format="other"),
    lambda m: m.update(version=2),
    lambda m: m.update(precision="int4"),
    lambda m: m.update(tower=[]),
    lambda m: m.update(tower={}),
    lambda m: m["tower"].update(fingerprint="ef" * 16),
    lambda m: m.pop("checked"),
]


@pytest.mark.parametrize("change", FORGERIES)
def test_a_forged_manifest_is_refused(folder: Path, change: Callable[[Dict[str, Any]], None]) -> None:
    forge(folder, change)
    refused(folder)


def test_a_tower_whose_card_is_no_text_is_refused(folder: Path) -> None:
    data = (folder / "tower.onnx").read_bytes()
    place = data.index(b'"tiny"')
    (folder / "tower.onnx").write_bytes(data[: place + 1] + b"\xc7\x28" + data[place + 3 :])
    sign(folder, "tower.onnx")
    assert "not a readable ONNX file" in refused(folder)


LONG = ["x" * 5000, [[]] * 1000, {"k" * 5000: 1}]


@pytest.mark.parametrize("value", LONG)
@pytest.mark.parametrize("key", ["version", "precision", "tower", "name", "fingerprint", "embedding_dim", "input"])
def test_a_long_value_does_not_make_a_long_sentence(folder: Path, key: str, value: Any) -> None:
    def change(manifest: Dict[str, Any]) -> None:
        (manifest["tower"] if key in manifest["tower"] else manifest)[key] = value

    forge(folder, change)
    assert len(refused(folder)) < 500


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"format": 1}', "[" * 100_000, "\ud800"])
def test_a_manifest_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text, "utf-8", "surrogatepass")
    assert MANIFEST in refused(folder)


def test_a_card_that_is_none_is_refused(folder: Path) -> None:
    for content in (b"[]", b"{"):
        (folder / "card.json").write_bytes(content)
        entry = {"size": len(content), "blake2b": bundles.checksum(content)}

        def change(manifest: Dict[str, Any], entry: Dict[str, Any] = entry) -> None:
            manifest["files"]["card.json"] = entry

        forge(folder, change)
        assert "card.json" in refused(folder)
