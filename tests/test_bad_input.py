"""Whatever is given to a command, it answers with one clear sentence and exit code 2, or skips and counts; what was
saved before is unharmed."""

from __future__ import annotations

import contextlib
import errno
import json
import lzma
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import cv2
import numpy as np
import onnx_towers
import pytest
from conftest import SMALL, Run, checksums, write_faces

from galleries.gallery import Gallery

pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")

HEADER = "emotion,pixels,Usage"


def refused(answer: Tuple[int, str, str]) -> str:
    """The one sentence with which a request was refused."""
    code, out, err = answer
    assert code == 2, err
    assert "Traceback" not in out + err
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, err
    assert err.rstrip().splitlines()[-1] == errors[0], "the reason comes last"
    assert errors[0].endswith("."), errors[0]
    return errors[0]


def fer_row(label: Any, pixels: int = 2304, seed: int = 0, usage: str = "Training") -> str:
    values = np.random.default_rng(seed).integers(0, 256, pixels)
    return f"{label},{' '.join(map(str, values))},{usage}"


@pytest.fixture(scope="module")
def good_rows() -> List[str]:
    """42 sound rows of a FER-2013 CSV: seven emotions, three parts."""
    parts = ("Training", "Training", "Training", "Training", "PublicTest", "PrivateTest")
    return [fer_row(n % 7, seed=n, usage=parts[n // 7]) for n in range(42)]


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny tower without training."""
    return onnx_towers.write_tower(tmp_path_factory.mktemp("tower") / "tower.onnx")


@pytest.fixture(scope="module")
def gallery(run: Run, tower: Path, faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of that tower, 42 references. Not to be changed."""
    folder = tmp_path_factory.mktemp("gallery") / "gallery"
    code, _, err = run("gallery", "build", "--data", faces, "--tower", tower, "--out", folder)
    assert code == 0, err
    return folder


@pytest.fixture
def unharmed(gallery: Path) -> Iterator[None]:
    """The gallery is the same after the test as before."""
    before = checksums(gallery)
    yield
    assert checksums(gallery) == before


class Readers:
    """The three commands that read a data set."""

    def __init__(self, run: Run, tower: Path, place: Path) -> None:
        self.run, self.tower, self.place = run, tower, place

    def refuse(self, data: Path, *, train: bool = True) -> str:
        """The sentence with which every command refuses a data set; ``train`` leaves training out where False."""
        before = checksums(data) if data.is_dir() else None
        said = {refused(self.run("data", data)), refused(self.run("data", data, "--json"))}
        said.add(
            refused(self.run("gallery", "build", "--data", data, "--tower", self.tower, "--out", self.place / "g"))
        )
        if train:
            pytest.importorskip("torch", reason="the learning part is not installed")
            said.add(self.refuse_training(data))
        assert not (self.place / "g").exists()
        assert before is None or checksums(data) == before
        assert len(said) == 1, said
        return said.pop()

    def refuse_training(self, data: Path, *options: Any) -> str:
        """The sentence with which training is refused; it leaves nothing behind."""
        pytest.importorskip("torch", reason="the learning part is not installed")
        said = refused(self.run("train", "--data", data, "--out", self.place / "r", "--epochs", 1, *SMALL, *options))
        assert not (self.place / "r").exists()
        return said


@pytest.fixture
def readers(run: Run, tower: Path, tmp_path: Path) -> Readers:
    return Readers(run, tower, tmp_path / "made")


# --- data sets --------------------------------------------------------------------------------------------------------


def test_a_missing_data_set(readers: Readers, tmp_path: Path) -> None:
    assert "does not exist" in readers.refuse(tmp_path / "nowhere")
    assert "does not exist" in readers.refuse(tmp_path / "nowhere.csv")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that exists and cannot be read, also for root")
def test_an_unreadable_csv(readers: Readers, tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").symlink_to("/proc/self/mem")
    assert "fer2013.csv" in readers.refuse(tmp_path / "fer2013.csv")


def test_an_empty_folder(readers: Readers, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty" in readers.refuse(tmp_path / "empty")


def test_a_folder_of_text_files(readers: Readers, tmp_path: Path) -> None:
    (tmp_path / "texts" / "anger").mkdir(parents=True)
    (tmp_path / "texts" / "anger" / "notes.txt").write_text("cross")
    (tmp_path / "texts" / "README.md").write_text("# faces")
    sentence = readers.refuse(tmp_path / "texts")
    assert "holds no picture" in sentence
    assert ".txt" in sentence


def test_text_files_that_are_called_pictures(readers: Readers, tmp_path: Path) -> None:
    (tmp_path / "fake" / "anger").mkdir(parents=True)
    for number in range(3):
        (tmp_path / "fake" / "anger" / f"{number}.jpg").write_text("cross")
    assert "3 entries were left out" in readers.refuse(tmp_path / "fake")


def test_a_csv_with_another_header(readers: Readers, good_rows: List[str], tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join(["label,image,split", *good_rows]) + "\n")
    sentence = readers.refuse(path)
    assert "label,image,split" in sentence
    assert "emotion,pixels,Usage was expected" in sentence


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_truncated_xz(readers: Readers, good_rows: List[str], tmp_path: Path, share: float) -> None:
    data = lzma.compress("\n".join([HEADER, *good_rows]).encode())
    path = tmp_path / "fer2013.csv.xz"
    path.write_bytes(data[: int(share * len(data))])
    assert "ends too early" in readers.refuse(path)


def test_something_else_called_xz(readers: Readers, tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv.xz").write_text("no xz")
    assert "fer2013.csv.xz" in readers.refuse(tmp_path / "fer2013.csv.xz")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (fer_row(1, 2303), "2,303 pixels; 2,304 expected"),
        (fer_row(9), "label '9'"),
        (fer_row("joy"), "label 'joy'"),
        (fer_row(1).replace(" ", " 999 ", 1), "expected"),
        ("", None),
    ],
    ids=["2303 pixels", "label 9", "a word for a label", "a pixel of 999", "an empty line"],
)
def test_a_bad_row_is_counted_and_skipped(
    run: Run, good_rows: List[str], tmp_path: Path, row: str, reason: Optional[str]
) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join([HEADER, *good_rows[:20], row, *good_rows[20:]]) + "\n")
    code, out, _ = run("data", path, "--json")
    facts = json.loads(out)
    assert (code, facts["pictures"]) == (0, 42)
    assert ("skipped, the first: row:20: " in run("data", path)[2]) == (reason is not None)
    assert [reason in entry["reason"] for entry in facts["skipped"]] == ([] if reason is None else [True])


@pytest.mark.parametrize("row", [fer_row(1, 2303), fer_row(9)], ids=["2303 pixels", "label 9"])
def test_a_csv_of_bad_rows_alone(readers: Readers, tmp_path: Path, row: str) -> None:
    (tmp_path / "fer2013.csv").write_text(f"{HEADER}\n{row}\n{row}\n")
    assert "no usable face" in readers.refuse(tmp_path / "fer2013.csv")


# --- classes ----------------------------------------------------------------------------------------------------------


def test_an_empty_class_is_told(run: Run, tower: Path, tmp_path: Path) -> None:
    data = write_faces(tmp_path / "faces", {"anger": 4, "joy": 4, "fear": 0})
    code, out, err = run("data", data, "--json")
    assert code == 0
    assert json.loads(out)["emotions"] == ["anger", "happiness"]
    assert "fear holds no picture" in run("data", data)[2]
    code, out, err = run("gallery", "build", "--data", data, "--tower", tower, "--out", tmp_path / "g", "--json")
    assert (code, json.loads(out)["counts"]) == (0, {"anger": 4, "happiness": 4})
    assert "fear holds no picture" in err


def test_one_class_only(readers: Readers, run: Run, tower: Path, tmp_path: Path) -> None:
    data = write_faces(tmp_path / "faces", {"anger": 8})
    assert "training needs at least two emotions" in readers.refuse_training(data)
    assert run("gallery", "build", "--data", data, "--tower", tower, "--out", tmp_path / "g")[0] == 0


def test_a_class_with_one_picture(readers: Readers, run: Run, tower: Path, tmp_path: Path) -> None:
    data = write_faces(tmp_path / "faces", {"anger": 8, "joy": 8, "fear": 1})
    assert "fear has only 1 picture" in readers.refuse_training(data)
    code, _, err = run("data", data)
    assert code == 0
    assert "fear has only 1 picture" in err
    code, out, _ = run("gallery", "build", "--data", data, "--tower", tower, "--out", tmp_path / "g", "--json")
    assert (code, json.loads(out)["counts"]["fear"]) == (0, 1)


def test_emotions_that_are_not_there(readers: Readers, faces: Path) -> None:
    assert "contempt does not occur" in readers.refuse_training(faces, "--emotions", "anger,contempt")


# --- pictures ---------------------------------------------------------------------------------------------------------


def write_odd_pictures(folder: Path) -> List[str]:
    """Pictures of every odd but sound kind; returns their names."""
    rng = np.random.default_rng(2)
    grey = rng.integers(0, 256, (24, 24), dtype=np.uint8)
    colour = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "16bit.png"), grey.astype(np.uint16) << 8)
    cv2.imwrite(str(folder / "16bit.tiff"), colour.astype(np.uint16) << 8)
    cv2.imwrite(str(folder / "rgba.png"), np.dstack([colour, grey]))
    cv2.imwrite(str(folder / "thin.png"), grey[:1])
    (folder / "palette.bmp").write_bytes(palette_bmp(grey // 64))
    return ["16bit.png", "16bit.tiff", "rgba.png", "thin.png", "palette.bmp"]


def palette_bmp(codes: np.ndarray) -> bytes:
    """A Windows bitmap of 8 bits a pixel whose colours stand in a table; ``codes`` is (H, W), W divisible by 4."""
    height, width = codes.shape
    table = b"".join(bytes((code, 255 - code, code // 2, 0)) for code in range(256))
    start = 14 + 40 + len(table)
    header = b"BM" + (start + codes.size).to_bytes(4, "little") + bytes(4) + start.to_bytes(4, "little")
    numbers = [
        (40, 4),
        (width, 4),
        (height, 4),
        (1, 2),
        (8, 2),
        (0, 4),
        (codes.size, 4),
        (0, 4),
        (0, 4),
        (256, 4),
        (0, 4),
    ]
    return header + b"".join(n.to_bytes(size, "little") for n, size in numbers) + table + codes[::-1].tobytes()


@pytest.mark.usefixtures("unharmed")
def test_odd_pictures_are_read(run: Run, gallery: Path, tmp_path: Path) -> None:
    (tmp_path / "joy").mkdir()
    names = write_odd_pictures(tmp_path / "joy")
    code, out, err = run("query", gallery, tmp_path, "--json")
    answer = json.loads(out)
    assert (code, answer["skipped"], err) == (0, 0, "")
    assert [len(result["faces"]) for result in answer["results"]] == [1] * len(names)
    code, out, _ = run("data", tmp_path, "--format", "folder", "--json")
    assert (code, json.loads(out)["counts"]) == (0, {"happiness": len(names)})


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("side", [1, 24])
def test_a_blank_picture_is_no_face(run: Run, gallery: Path, faces: Path, tmp_path: Path, side: int) -> None:
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), np.full((side, side), 77, np.uint8))
    for arguments in (["query", gallery, blank], ["query", gallery, blank, "--similar", 1]):
        assert f"blank: all of its pixels ({side}x{side})" in refused(run(*arguments))
    assert "blank" in refused(run("gallery", "add", gallery, blank, "--emotion", "joy"))
    code, out, err = run("query", gallery, blank, faces / "anger" / "0.png", "--json")
    assert (code, json.loads(out)["skipped"]) == (0, 1)
    assert "skipped: " in err
    data = write_faces(tmp_path / "faces", {"anger": 3})
    shutil.copy(blank, data / "anger" / "blank.png")
    facts = json.loads(run("data", data, "--json")[1])
    assert (facts["pictures"], facts["skipped"]) == (3, [{"source": "anger/blank.png", "reason": "blank picture"}])


@pytest.mark.usefixtures("unharmed")
def test_pictures_that_are_none(run: Run, gallery: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("I am no picture.")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("I am no picture.")
    for picture, reason in [
        (tmp_path / "nowhere.png", "does not exist"),
        (tmp_path / "text.jpg", "not a picture"),
        (tmp_path / "empty.png", "0 bytes"),
        (tmp_path / "folder", "holds no picture"),
    ]:
        assert reason in refused(run("query", gallery, picture))
        assert reason in refused(run("query", gallery, picture, "--similar", 1))
        assert reason in refused(run("gallery", "add", gallery, picture, "--emotion", "joy"))


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that exists and cannot be read, also for root")
@pytest.mark.usefixtures("unharmed")
def test_an_unreadable_picture(run: Run, gallery: Path, tmp_path: Path) -> None:
    (tmp_path / "memory.png").symlink_to("/proc/self/mem")
    (tmp_path / "circle.png").symlink_to("circle.png")
    for name in ("memory.png", "circle.png"):
        assert "cannot be read" in refused(run("query", gallery, tmp_path / name))
        assert "cannot be read" in refused(run("gallery", "add", gallery, tmp_path / name, "--emotion", "joy"))


# --- galleries and towers ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unharmed")
def test_more_neighbours_than_references(run: Run, gallery: Path, faces: Path) -> None:
    sentence = refused(run("query", gallery, faces / "anger" / "0.png", "-k", 43))
    assert "43 neighbours were asked for, but the gallery holds 42" in sentence


@pytest.mark.usefixtures("unharmed")
def test_a_gallery_that_is_none(run: Run, gallery: Path, faces: Path, tmp_path: Path) -> None:
    picture = faces / "anger" / "0.png"
    for name in ("index.faiss", "references.jsonl", "gallery.json", "tower.onnx"):
        copy = tmp_path / name
        shutil.copytree(gallery, copy)
        data = bytearray((copy / name).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / name).write_bytes(data)
        before = checksums(copy)
        for arguments in (["query", copy, picture], ["gallery", "info", copy], ["gallery", "remove", copy, 1]):
            assert "damaged" in refused(run(*arguments))
        assert checksums(copy) == before
    assert "gallery" in refused(run("query", tmp_path / "nowhere", picture))
    assert "gallery" in refused(run("gallery", "info", faces))


@pytest.mark.usefixtures("unharmed")
def test_a_gallery_of_another_tower(run: Run, gallery: Path, faces: Path, tmp_path: Path) -> None:
    other = onnx_towers.write_tower(
        tmp_path / "t.onnx", json.dumps(onnx_towers.card(tower="other", fingerprint="cd" * 16))
    )
    picture = faces / "anger" / "0.png"
    for arguments in (
        ["query", gallery, picture, "--tower", other],
        ["query", gallery, picture, "--tower", other, "--similar", 1],
        ["gallery", "add", gallery, picture, "--tower", other],
    ):
        sentence = refused(run(*arguments))
        assert "'tiny' (" + "ab" * 16 in sentence
        assert "'other' (" + "cd" * 16 in sentence


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.usefixtures("unharmed")
def test_vectors_that_are_no_numbers(
    run: Run, gallery: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: float
) -> None:
    monkeypatch.setattr(onnx_towers, "weights", lambda: np.full((64, onnx_towers.DIM), bad, np.float32))
    broken = onnx_towers.write_tower(tmp_path / "tower.onnx")
    picture = faces / "anger" / "0.png"
    for arguments in (
        ["gallery", "build", "--data", faces, "--tower", broken, "--out", tmp_path / "g"],
        ["query", gallery, picture, "--tower", broken],
        ["query", gallery, picture, "--tower", broken, "--similar", 1],
        ["gallery", "add", gallery, picture, "--tower", broken],
    ):
        assert "number" in refused(run(*arguments))
    assert not (tmp_path / "g").exists()


def test_training_that_leaves_the_numbers(run: Run, faces: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the learning part is not installed")
    options = ["--lr", 100, "--epochs", 20, "--loss", "supcon", "--sampler", "pk", *SMALL]
    assert "--lr" in refused(run("train", "--data", faces, "--out", tmp_path / "run", *options))
    assert not (tmp_path / "run" / "gallery").exists()


# --- a full disk ------------------------------------------------------------------------------------------------------

FULL = pytest.mark.parametrize("how", ["flush", "write"])
"""As file systems differ: a full disk is told when a file is flushed, or at once."""


@contextlib.contextmanager
def full_disk(how: str) -> Iterator[None]:
    """Nothing can be written meanwhile."""
    if how == "flush":

        def full(_handle: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", full)
            yield
        return
    resource = pytest.importorskip("resource", reason="this system limits no file's size")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@FULL
@pytest.mark.parametrize(
    "change",
    [
        ["add", "GALLERY", "PICTURE", "--emotion", "joy"],
        ["remove", "GALLERY", 3],
        ["relabel", "GALLERY", 3, "--to", "boredom"],
    ],
    ids=lambda change: change[0],
)
def test_no_room_to_change_a_gallery(
    run: Run, gallery: Path, faces: Path, tmp_path: Path, change: List[Any], how: str
) -> None:
    copy = tmp_path / "gallery"
    shutil.copytree(gallery, copy)
    before = checksums(copy)
    words = [{"GALLERY": copy, "PICTURE": faces / "anger" / "0.png"}.get(word, word) for word in change]
    with full_disk(how):
        answer = run("gallery", *words)
    assert "could not be saved" in refused(answer)
    assert checksums(copy) == before
    assert len(Gallery.load(copy)) == 42


@FULL
def test_no_room_for_a_new_gallery(run: Run, tower: Path, faces: Path, tmp_path: Path, how: str) -> None:
    out = tmp_path / "new" / "gallery"
    with full_disk(how):
        answer = run("gallery", "build", "--data", faces, "--tower", tower, "--out", out)
    assert "could not be saved" in refused(answer)
    assert not (tmp_path / "new").exists()


@FULL
@pytest.mark.parametrize("option", ["--sheet", "--save-split", "--skipped"])
def test_no_room_for_what_data_writes(run: Run, faces: Path, tmp_path: Path, option: str, how: str) -> None:
    with full_disk(how):
        answer = run("data", faces, option, tmp_path / "file")
    assert "could not be written" in refused(answer)
    assert not list(tmp_path.iterdir())


@FULL
def test_no_room_for_a_run(run: Run, faces: Path, trained: Path, tmp_path: Path, how: str) -> None:
    copy = tmp_path / "run"
    shutil.copytree(trained, copy, ignore=shutil.ignore_patterns("tensorboard"))
    before = checksums(copy)
    with full_disk(how):
        new = run("train", "--data", faces, "--out", tmp_path / "new", "--epochs", 1, *SMALL)
        resumed = run("train", "--resume", copy)
    refused(new)
    refused(resumed)
    assert not (tmp_path / "new").exists()
    assert {name: value for name, value in checksums(copy).items() if "tensorboard" not in name} == before
