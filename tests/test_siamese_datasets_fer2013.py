"""FER-2013's CSV, however it is packed or damaged."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_fer2013 import csv_text, faces, load, pack, text_of

from galleries.errors import DataError
from galleries.vocabulary import FER2013_LABELS
from siamese.datasets import recognise_format
from siamese.datasets.fer2013 import _parse_face, _parse_pixels
from siamese.datasets.packed import line_blocks


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013.csv.gz", "fer2013.csv.xz", "fer2013.zip"])
def test_plain_and_packed_files_give_the_same_faces(tmp_path: Path, name: str) -> None:
    path = pack(csv_text(150), tmp_path / name)
    assert recognise_format(path) == "fer2013-csv"
    dataset = load(path)
    assert dataset.emotions == tuple(sorted(FER2013_LABELS))
    assert [dataset.emotions[int(label)] for label in dataset.labels] == [FER2013_LABELS[i % 7] for i in range(150)]
    assert dataset.ids == tuple(f"row:{i}" for i in range(150))
    assert dataset.official == tuple(["train", "val", "test"][i % 3] for i in range(150))
    assert all(np.array_equal(dataset.image(i), face) for i, face in enumerate(faces(150)))


def test_the_folder_of_the_published_archive_will_do(tmp_path: Path) -> None:
    pack(csv_text(7), tmp_path / "fer2013.csv")
    (tmp_path / "README").write_text("about")
    assert recognise_format(tmp_path) == "fer2013-csv"
    assert len(load(tmp_path)) == 7


def test_columns_may_stand_in_any_order_with_spaces_quotes_and_a_mark(tmp_path: Path) -> None:
    face = faces(2)
    lines = [f'3, PublicTest,"{text_of(face[0])}"', "", f'"0",Training, {text_of(face[1])} ']
    (tmp_path / "icml.csv").write_text("\ufeffemotion, Usage, pixels\r\n" + "\r\n".join(lines), "utf-8")
    dataset = load(tmp_path / "icml.csv")
    assert [dataset.emotions[int(label)] for label in dataset.labels] == ["happiness", "anger"]
    assert dataset.official == ("val", "train")
    assert np.array_equal(dataset.image(1), face[1])


def test_without_usage_there_is_no_official_split(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{text_of(face)}" for i, face in enumerate(faces(3)))
    (tmp_path / "train.csv").write_text(f"emotion,pixels\n{rows}\n")
    assert load(tmp_path / "train.csv").official is None


def test_bad_rows_are_counted_and_their_neighbours_kept(tmp_path: Path) -> None:
    good = text_of(faces(1)[0])
    rows = {
        0: f"0,{good},Training",
        1: f"0,{good.rsplit(' ', 1)[0]},Training",
        2: f"9,{good},Training",
        3: f"0,{good[:-3]} x7,Training",
        4: f"0,{good.rsplit(' ', 1)[0]} 256,Training",
        5: f"0,{' '.join(['7'] * 2304)},Training",
        6: f"0,{good},Sometimes",
        7: f"0,{good}",
        8: f",{good},Training",
        9: f"0,{good.rsplit(' ', 1)[0]} -1,Training",
        10: "0,,Training",
        11: f"1,{good},PrivateTest",
        12: f"0,{good.replace(' ', '  ', 5)},Training",
        13: f"0,{good.rsplit(' ', 1)[0]} 1234567890123456789012345,Training",
    }
    (tmp_path / "fer.csv").write_text("emotion,pixels,Usage\n" + "\n".join(rows.values()))
    dataset = load(tmp_path / "fer.csv")
    assert dataset.ids == ("row:0", "row:11", "row:12")
    assert np.array_equal(dataset.image(2), faces(1)[0])
    assert {entry.source: entry.reason for entry in dataset.skipped} == {
        "row:1": "2,303 pixels; 2,304 expected",
        "row:2": "label '9'; a number from 0 to 6 expected",
        "row:3": "a pixel is not a whole number from 0 to 255",
        "row:4": "a pixel is above 255",
        "row:5": "blank picture",
        "row:6": "Usage 'Sometimes'; Training, PublicTest or PrivateTest expected",
        "row:7": "2 columns; 3 expected",
        "row:8": "label ''; a number from 0 to 6 expected",
        "row:9": "a pixel is not a whole number from 0 to 255",
        "row:10": "0 pixels; 2,304 expected",
        "row:13": "a pixel is above 255",
    }


def test_a_wrong_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,image\n0,1 2 3\n")
    with pytest.raises(DataError, match=r"begins with 'label,image' and has no column emotion or pixels"):
        load(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("emotion,pixels,Usage\n")
    with pytest.raises(DataError, match="holds no usable face"):
        load(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(DataError, match="is empty"):
        load(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(DataError, match="has no column"):
        load(tmp_path / "a.csv")


@pytest.mark.parametrize("suffix", [".xz", ".gz"])
def test_a_truncated_file_says_how_many_rows_were_whole(tmp_path: Path, suffix: str) -> None:
    path = pack(csv_text(40), tmp_path / f"fer2013.csv{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"ends too early.*: (\d+) rows were whole.*again") as caught:
        load(path)
    whole = int(str(caught.value).split(": ")[1].split(" rows")[0])
    assert 15 <= whole <= 25


@pytest.mark.parametrize("name", ["fer2013.csv.xz", "fer2013.csv.gz", "fer2013.zip"])
def test_a_damaged_file_gives_a_sentence(tmp_path: Path, name: str) -> None:
    path = pack(csv_text(20), tmp_path / name)
    data = bytearray(path.read_bytes())
    for damaged in (
        b"",
        b"no archive at all",
        bytes(data[:10]),
        bytes(data[:200]) + b"\xff" * 2000 + bytes(data[2200:]),
    ):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="fer2013"):
            load(path)


def test_a_zip_without_a_csv_names_what_is_inside(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr("train/angry/1.jpg", "x")
    with pytest.raises(DataError, match=r"holds no CSV file, but train/angry/1.jpg"):
        load(tmp_path / "faces.zip")


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["0", "7", "42", "255", "256", "1000", "x", "-1", " ", "007", ""]), max_size=4))
def test_fast_and_slow_parsing_agree(odd: list[str]) -> None:
    good = ["12"] * (2304 - len(odd))
    fields = [" ".join([*good, *odd]).encode(), text_of(faces(1)[0]).encode()]
    block = _parse_pixels(fields)
    slow = [_parse_face(field) for field in fields]
    if block is not None:
        assert all(np.array_equal(fast, one) for fast, one in zip(block, slow))
    elif all(value.isdigit() and len(value) <= 3 and int(value) <= 255 for value in odd):
        pytest.fail("a well-formed block was refused")


@given(st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=20), st.booleans())
def test_lines_are_those_of_a_plain_split(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], end: bool
) -> None:
    path = tmp_path_factory.mktemp("lines") / "x.csv"
    path.write_bytes(b"\n".join(lines) + (b"\n" if end else b""))
    read = [line for block in line_blocks(path) for line in block]
    assert read == [line for line in lines if line.strip()]
