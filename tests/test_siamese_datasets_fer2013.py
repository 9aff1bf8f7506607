"""FER-2013's CSV, however it is packed or damaged, and FER+ over it."""

from __future__ import annotations

import gzip
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.errors import ConfigError, DataError
from galleries.vocabulary import FER2013_LABELS
from siamese.datasets import FaceDataset, load_dataset, recognise_format
from siamese.datasets.fer2013 import _parse_face, _parse_pixels
from siamese.datasets.packed import line_blocks

USAGE = ["Training", "PublicTest", "PrivateTest"]
FERPLUS_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def faces(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), dtype=np.uint8)


def text_of(face: np.ndarray) -> str:
    return " ".join(str(value) for value in face.reshape(-1))


def csv_text(count: int, seed: int = 0) -> str:
    rows = [f"{i % 7},{text_of(face)},{USAGE[i % 3]}" for i, face in enumerate(faces(count, seed))]
    return "\n".join(["emotion,pixels,Usage", *rows]) + "\n"


def load(path: Path, **options: object) -> FaceDataset:
    return load_dataset(path, cache=False, **options)  # type: ignore[arg-type]


def pack(text: str, path: Path) -> Path:
    data = text.encode()
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    elif path.suffix == ".xz":
        path.write_bytes(lzma.compress(data))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("__MACOSX/fer2013.csv", "junk")
            archive.writestr("fer2013/README", "readme")
            archive.writestr("fer2013/fer2013.csv", data)
            archive.writestr("fer2013/other.csv", "a,b\n" * 1_000_000)
    else:
        path.write_bytes(data)
    return path


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


def ferplus(tmp_path: Path, votes: list[list[int]], usages: list[str] | None = None) -> Path:
    lines = [
        f"{(usages or USAGE * len(votes))[i]},fer{i:07d}.png,{','.join(map(str, row))}" for i, row in enumerate(votes)
    ]
    path = tmp_path / "fer2013new.csv"
    path.write_text("\n".join([FERPLUS_HEADER, *lines]) + "\n")
    return path


VOTES = [
    # neutral happiness surprise sadness anger disgust fear contempt unknown NF
    [4, 0, 0, 1, 3, 2, 0, 0, 0, 0],
    [0, 5, 5, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 9, 1, 0],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 9],
    [1, 8, 0, 0, 0, 0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0, 10, 0],
]


def test_ferplus_gives_the_majority_and_leaves_out_ties(tmp_path: Path) -> None:
    csv = pack(csv_text(6), tmp_path / "fer2013.csv")
    dataset = load(csv, ferplus=ferplus(tmp_path, VOTES), soft=True)
    assert dataset.emotions == ("contempt", "happiness", "neutral")
    assert [dataset.emotions[int(label)] for label in dataset.labels] == ["neutral", "contempt", "happiness"]
    assert dataset.ids == ("row:0", "row:2", "row:4")
    assert dataset.soft_labels is not None
    assert dataset.soft_labels == pytest.approx(np.array([[0, 0, 1], [1, 0, 0], [0.1, 0.8, 0.1]]))
    assert [entry.source for entry in dataset.skipped] == ["row:1", "row:3", "row:5"]
    assert "tied" in dataset.skipped[0].reason
    assert load(csv, ferplus=tmp_path / "fer2013new.csv").soft_labels is None


def test_ferplus_follows_the_rows_past_a_skipped_one(tmp_path: Path) -> None:
    lines = csv_text(6).splitlines()
    lines[1] = "9" + lines[1][1:]
    (tmp_path / "fer.csv").write_text("\n".join(lines))
    dataset = load(tmp_path / "fer.csv", ferplus=ferplus(tmp_path, VOTES))
    assert dataset.ids == ("row:2", "row:4")
    assert dataset.emotions == ("contempt", "happiness")


def test_ferplus_for_other_rows_is_refused(tmp_path: Path) -> None:
    csv = pack(csv_text(6), tmp_path / "fer2013.csv")
    with pytest.raises(DataError, match=r"has 5 rows of votes but .* has 6 rows"):
        load(csv, ferplus=ferplus(tmp_path, VOTES[:5]))
    with pytest.raises(DataError, match="another order"):
        load(csv, ferplus=ferplus(tmp_path, VOTES, ["Training"] * 6))
    with pytest.raises(DataError, match="gives no picture a majority"):
        load(csv, ferplus=ferplus(tmp_path, [VOTES[5]] * 6))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column"),
        ("a,b\n1,2\n", "no column anger"),
        (FERPLUS_HEADER + "\nTraining,x,1,2\n" * 6, "not whole numbers"),
        (FERPLUS_HEADER + "\nTraining,x,1,2,3,4,5,6,7,8,many,0\n" * 6, "not whole numbers"),
        (FERPLUS_HEADER + "\nTraining,x,1,2,3,4,5,6,7,8,-1,0\n" * 6, "negative votes"),
    ],
)
def test_a_malformed_ferplus_file_gives_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    csv = pack(csv_text(6), tmp_path / "fer2013.csv")
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load(csv, ferplus=tmp_path / "votes.csv")
    with pytest.raises(DataError, match="cannot be read"):
        load(csv, ferplus=tmp_path / "missing.csv")
    (tmp_path / "votes.csv").write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(DataError, match="cannot be read"):
        load(csv, ferplus=tmp_path / "votes.csv")


def patterned(count: int, seed: int = 0) -> tuple[list[int], list[list[int]]]:
    """Labels, and votes of three patterns; each pattern has its own odds of the seven labels."""
    rng = np.random.default_rng(seed)
    odds = np.array([[6, 1, 1, 0, 0, 0, 2], [0, 0, 3, 3, 3, 1, 0], [1, 1, 1, 1, 1, 1, 4]]) / 10
    kinds = rng.integers(0, 3, count)
    labels = [int(rng.choice(7, p=odds[kind])) for kind in kinds]
    patterns = [[8, 0, 0, 0, 2, 0, 0, 0, 0, 0], [0, 5, 5, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 3, 7, 0]]
    return labels, [patterns[kind] for kind in kinds]


def labelled_csv(labels: list[int], tmp_path: Path, usages: list[str]) -> Path:
    face = text_of(faces(1)[0])
    rows = [f"{label},{face},{usage}" for label, usage in zip(labels, usages)]
    return pack("\n".join(["emotion,pixels,Usage", *rows]) + "\n", tmp_path / "fer2013.csv")


def test_votes_beside_the_labels_give_the_odds_of_each_label(tmp_path: Path) -> None:
    labels, votes = patterned(900)
    usages = ["Training"] * 600 + ["PublicTest"] * 150 + ["PrivateTest"] * 150
    csv = labelled_csv(labels, tmp_path, usages)
    dataset = load(csv, votes=ferplus(tmp_path, votes, usages), votes_share=1.0)
    assert [FER2013_LABELS[label] for label in labels] == [dataset.emotions[int(label)] for label in dataset.labels]
    assert dataset.soft_labels is not None
    assert len(dataset.emotions) == 7
    train = np.array([part == "train" for part in dataset.official or ()])
    for pattern in np.unique(np.array(votes), axis=0):
        same = (np.array(votes) == pattern).all(axis=1)
        counted = np.bincount(dataset.labels[same & train], minlength=7) / (same & train).sum()
        assert np.abs(dataset.soft_labels[same] - counted).max() < 0.03
    half = load(csv, votes=tmp_path / "fer2013new.csv").soft_labels
    own = np.eye(7)[dataset.labels]
    assert half == pytest.approx((own + dataset.soft_labels) / 2, abs=1e-6)
    assert load(csv, votes=tmp_path / "fer2013new.csv", votes_share=0.0).soft_labels == pytest.approx(own)


def test_what_votes_say_is_learned_from_training_alone(tmp_path: Path) -> None:
    labels, votes = patterned(300)
    usages = ["Training"] * 200 + ["PublicTest"] * 50 + ["PrivateTest"] * 50
    file = ferplus(tmp_path, votes, usages)
    before = load(labelled_csv(labels, tmp_path, usages), votes=file, votes_share=1.0).soft_labels
    other = labels[:200] + [(label + 1) % 7 for label in labels[200:]]
    after = load(labelled_csv(other, tmp_path, usages), votes=file, votes_share=1.0).soft_labels
    assert before is not None
    assert after is not None
    assert np.array_equal(before, after)


def test_votes_without_a_training_part_or_on_other_data_are_refused(tmp_path: Path) -> None:
    csv = pack(csv_text(21).replace("Training", "PublicTest"), tmp_path / "fer2013.csv")
    usages = ["PublicTest", "PublicTest", "PrivateTest"] * 7
    file = ferplus(tmp_path, VOTES[:1] * 21, usages)
    with pytest.raises(DataError, match="has none for every emotion"):
        load(csv, votes=file)
    with pytest.raises(ConfigError, match="either replace"):
        load(csv, votes=file, ferplus=file)
    with pytest.raises(DataError, match="belong to the rows"):
        load_dataset("synthetic:subjects=4", votes=file)
    with pytest.raises(DataError, match="cannot be read"):
        load(csv, votes=tmp_path / "missing.csv")
