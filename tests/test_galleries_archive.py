"""A bundle's zip is read whatever program made it, and one that could do harm is refused before it is unpacked."""

from __future__ import annotations

import contextlib
import io
import shutil
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any, Dict

import pytest
from bundle_fakes import make_place, refused
from damage_bundle import sign
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries import bundle as bundles
from galleries.archive import ZipFiles
from galleries.bundle import MANIFEST, is_bundle, open_bundle
from galleries.errors import EmotionsError

QUICK = settings(max_examples=40)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``tower.onnx``, and one bundle as ``folder`` and ``file.zip``. Not to be changed."""
    return make_place(tmp_path_factory.mktemp("bundles"))


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


def test_an_entry_that_is_said_to_be_larger_than_the_zip_is_refused(place: Path, tmp_path: Path) -> None:
    """Stored and read by its stated size, it would have taken as much memory as it states."""
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_STORED) as made:
        for name, content in entries(place).items():
            made.writestr(name, content)
    data = bytearray((tmp_path / "b.zip").read_bytes())
    assert len(open_bundle(tmp_path / "b.zip", ["cpu"], 1).gallery) == 12
    entry = data.index(b"PK\x01\x02")
    data[entry + 20 : entry + 24] = struct.pack("<L", 0xFFFFFFFE)
    (tmp_path / "b.zip").write_bytes(bytes(data))
    assert "larger than the zip" in refused(tmp_path / "b.zip")


def test_no_more_is_read_than_an_entry_holds(place: Path) -> None:
    with ZipFiles(place / "file.zip", (*bundles._NAMES, MANIFEST)) as files:
        assert files.read("card.json", 2**62) == entries(place)["card.json"]
        assert files.read("card.json", 3) == entries(place)["card.json"][:4]


def test_another_name_in_front_of_an_entry_is_told_in_a_short_sentence(place: Path, tmp_path: Path) -> None:
    data = bytearray((place / "file.zip").read_bytes())
    data[26:28] = struct.pack("<H", len(data) - 40)  # the first entry's name reaches to the end
    (tmp_path / "b.zip").write_bytes(bytes(data))
    assert len(refused(tmp_path / "b.zip")) < 500
    assert len(refused(write(tmp_path / "c.zip", {"\U000e0001" * 3000: b"x"}))) < 500


def test_a_damage_is_told_of_the_zip_and_not_of_where_it_was_laid_out(place: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(place / "folder", tmp_path / "folder"))
    (folder / "gallery" / "gallery.json").write_text("[]")
    sign(folder, "gallery/gallery.json")
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    path = write(tmp_path / "b.zip", files)
    assert refused(path).startswith(f"{path}/gallery/gallery.json does not describe a gallery")


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
