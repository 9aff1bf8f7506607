"""A bundle answers as the gallery and tower it was made of, and whatever is wrong with one is told in a sentence."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_towers import SIDE, card, write_tower

from galleries import bundle as bundles
from galleries.bundle import MANIFEST, is_bundle, open_bundle, open_gallery, write_bundle
from galleries.encoder import OnnxEncoder
from galleries.errors import EmotionsError, EncoderMismatch, GalleryError
from galleries.gallery import Gallery
from galleries.recognizer import Recognizer

QUICK = settings(max_examples=40, deadline=None)


def faces(count: int = 12) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 1, SIDE, SIDE), dtype=np.uint8)


def make_gallery(encoder: OnnxEncoder) -> Gallery:
    emotions = ["anger", "fear", "sadness"] * 4
    return Gallery.build(encoder.encode(faces()), emotions, tower=encoder, thumbnails=faces()[:, 0])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``tower.onnx``, and one bundle as ``folder`` and ``file.zip``. Not to be changed."""
    root = tmp_path_factory.mktemp("bundles")
    encoder = OnnxEncoder(write_tower(root / "tower.onnx"), ["cpu"], 1)
    for name in ("folder", "file.zip"):
        write_bundle(root / name, make_gallery(encoder), encoder, {"tower": "tiny"}, {"difference": 0.0})
    return root


@pytest.fixture
def folder(place: Path, tmp_path: Path) -> Path:
    """A copy of the folder."""
    return Path(shutil.copytree(place / "folder", tmp_path / "copy"))


def refused(path: Path) -> str:
    """The one sentence with which a bundle is refused."""
    with pytest.raises(EmotionsError) as caught:
        open_bundle(path, ["cpu"], 1)
    assert "\n" not in str(caught.value)
    return str(caught.value)


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


def entries(place: Path) -> Dict[str, bytes]:
    """The files of the good zip."""
    with zipfile.ZipFile(place / "file.zip") as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def write(path: Path, files: Dict[str, bytes], *extra: Any) -> Path:
    """A zip of files, and of (ZipInfo or name, bytes) pairs."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in [*files.items(), *extra]:
            made.writestr(name, data)
    return path


def test_a_zip_made_by_another_program_is_read(place: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "again.ZIP", entries(place), ("gallery/", b""))
    assert len(open_bundle(path, ["cpu"], 1).gallery) == 12


@pytest.mark.parametrize(
    "name",
    ["/etc/cron.d/x", "../x", "gallery/../../x", "C:\\x", "gallery\\index.faiss", "GALLERY/index.faiss", "gallery/x",
     "./tower.onnx", "gallery/tower.onnx", "bundle/bundle.json", "x" * 5000, " ", "gallery/previous/gallery.json"],
)  # fmt: skip
def test_a_name_that_no_bundle_has_is_refused(place: Path, tmp_path: Path, name: str) -> None:
    assert "no bundle has" in refused(write(tmp_path / "b.zip", entries(place), (name, b"x")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.zip"]


@QUICK
@given(name=st.text(min_size=1, max_size=40).filter(lambda name: name.encode("utf-8", "ignore").decode() == name))
def test_any_name_that_no_bundle_has_is_refused(place: Path, name: str) -> None:
    if "\0" in name or name in (*bundles._NAMES, MANIFEST, "gallery/"):
        return
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr(name, b"x")
    path = place / "named.zip"
    path.write_bytes(buffer.getvalue())
    assert "no bundle has" in refused(path)


def test_a_name_behind_a_zero_is_refused(place: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "b.zip", entries(place), ("tower.onnx_../../x", b"x"))
    path.write_bytes(path.read_bytes().replace(b"tower.onnx_", b"tower.onnx\0"))
    assert "no bundle has" in refused(path)


def test_a_link_in_a_zip_is_refused(place: Path, tmp_path: Path) -> None:
    files = entries(place)
    del files["card.json"]
    link = zipfile.ZipInfo("card.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "link" in refused(write(tmp_path / "b.zip", files, (link, b"/etc/passwd")))


def test_a_name_that_occurs_twice_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = write(tmp_path / "b.zip", entries(place), ("card.json", b"{}"))
    assert "twice" in refused(path)


def test_a_bomb_is_refused(place: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "b.zip", {"gallery/index.faiss": bytes(30 << 20)})
    assert path.stat().st_size < 100_000
    assert "times its size" in refused(path)


def test_a_bomb_that_lies_about_its_size_is_refused(place: Path, tmp_path: Path) -> None:
    """What is unpacked is never more than was announced; the checksum then tells the rest."""
    path = write(tmp_path / "b.zip", {**entries(place), "gallery/index.faiss": bytes(30 << 20)})
    data = path.read_bytes()
    assert data.count(struct.pack("<L", 30 << 20)) == 2
    path.write_bytes(data.replace(struct.pack("<L", 30 << 20), struct.pack("<L", 400)))
    assert "damaged" in refused(path)


def test_a_locked_or_oddly_packed_zip_is_refused(place: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_LZMA) as made:
        made.writestr("tower.onnx", b"x" * 100)
    assert "unusual way" in refused(tmp_path / "b.zip")
    data = bytearray(write(tmp_path / "c.zip", {"tower.onnx": b"x"}).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "c.zip").write_bytes(bytes(data))
    assert "locked" in refused(tmp_path / "c.zip")


def test_a_zip_with_too_many_files_is_refused_unread(place: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "b.zip", {f"{number:05}": b"" for number in range(2000)})
    assert "more files" in refused(path)


def test_a_comment_behind_a_zip_is_refused(place: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(place / "file.zip", tmp_path / "b.zip"))
    with zipfile.ZipFile(path, "a") as made:
        made.comment = b"hello"
    assert "no zip as emotions export writes it" in refused(path)


@pytest.mark.parametrize("name", sorted([*bundles._NEEDED, MANIFEST]))
def test_a_zip_that_lacks_a_file_is_refused(place: Path, tmp_path: Path, name: str) -> None:
    files = entries(place)
    del files[name]
    assert name in refused(write(tmp_path / "b.zip", files))


def test_a_missing_zip_is_told(tmp_path: Path) -> None:
    assert is_bundle(tmp_path / "no.zip")
    assert "No such file" in refused(tmp_path / "no.zip")


@QUICK
@given(data=st.binary(max_size=200))
def test_any_bytes_are_no_zip(place: Path, data: bytes) -> None:
    path = place / "noise.zip"
    path.write_bytes(data)
    refused(path)
    path.write_bytes(data + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(data) % 100, 0, 0))
    refused(path)


@QUICK
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_zip_never_changes_the_answer(place: Path, where: float, bit: int) -> None:
    """A date or a flag that nobody reads may differ; whatever counts is refused."""
    data = bytearray((place / "file.zip").read_bytes())
    data[int(where * len(data))] ^= 1 << bit
    path = place / "flipped.zip"
    path.write_bytes(bytes(data))
    found = None
    with contextlib.suppress(EmotionsError):
        found = open_bundle(path, ["cpu"], 1)
    if found is not None:
        assert found.encoder.model == (place / "tower.onnx").read_bytes()
        assert len(found.gallery) == 12


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_zip_is_refused(place: Path, tmp_path: Path, share: float) -> None:
    data = (place / "file.zip").read_bytes()
    (tmp_path / "b.zip").write_bytes(data[: int(share * len(data))])
    refused(tmp_path / "b.zip")
