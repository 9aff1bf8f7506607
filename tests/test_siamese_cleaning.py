from __future__ import annotations

import itertools
import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import REAL
from hypothesis import given
from hypothesis import strategies as st
from small_datasets import dataset_of

from galleries.errors import DataError
from siamese.cleaning import (
    CLEANED_FILE,
    CONFLICT,
    COPY,
    HELD_OUT,
    Dropped,
    clean_training,
    count_dropped,
    read_dropped,
    write_dropped,
)
from siamese.datasets import load_dataset
from siamese.datasets.base import FaceDataset, PixelStore
from siamese.split_file import Split, digest_ids, load_split

PARTS = ["train"] * 8 + ["val"] * 2 + ["test"] * 2


def a_split(dataset: FaceDataset) -> Split:
    parts = [np.flatnonzero(np.array(PARTS) == name) for name in ("train", "val", "test")]
    digest = digest_ids([[dataset.ids[row] for row in part] for part in parts])
    return Split(*parts, "official", 0, (0.7, 0.15, 0.15), digest)


def test_copies_count_once_and_conflicts_not_at_all() -> None:
    #                      0  1  2  3  4  5  6  7   8  9  10 11
    dataset = dataset_of([0, 0, 1, 1, 2, 2, 0, 1, 0, 1, 2, 0], copies={1: 0, 6: 0, 5: 3, 10: 2, 8: 7})
    split, dropped = clean_training(dataset, a_split(dataset))
    assert split.train.tolist() == [0, 2, 4, 7]
    assert [(entry.picture, entry.reason, entry.because_of) for entry in dropped] == [
        ("face1", COPY, "face0"),
        ("face3", CONFLICT, "face5"),
        ("face5", CONFLICT, "face3"),
        ("face6", COPY, "face0"),
    ]
    assert split.digest != a_split(dataset).digest
    assert split.notes[-1].startswith("Of 8 training pictures 4 are left out: 2 copies of other training pictures, 2 ")
    assert (split.val.tolist(), split.test.tolist()) == ([8, 9], [10, 11])


def test_copies_of_the_held_out_parts_go_where_that_is_wanted() -> None:
    dataset = dataset_of([0, 0, 1, 1, 2, 2, 0, 1, 0, 1, 2, 0], copies={1: 0, 10: 0, 8: 7})
    split, dropped = clean_training(dataset, a_split(dataset), held_out=True)
    assert split.train.tolist() == [2, 3, 4, 5, 6]
    assert count_dropped(dropped) == {COPY: 0, CONFLICT: 0, HELD_OUT: 3}
    assert [entry.because_of for entry in dropped] == ["face10", "face10", "face8"]


def test_votes_decide_between_copies() -> None:
    dataset = dataset_of([0, 1, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1], copies={1: 0, 2: 0})
    votes = np.full((12, 3), 1 / 3, np.float32)
    votes[:3] = [[0.6, 0.4, 0], [0.2, 0.8, 0], [0.1, 0.9, 0]]
    split, dropped = clean_training(replace(dataset, soft_labels=votes), a_split(dataset))
    assert split.train.tolist() == [1, 3, 4, 5, 6, 7]
    assert {(entry.picture, entry.reason, entry.because_of) for entry in dropped} == {
        ("face0", CONFLICT, "face1"), ("face2", CONFLICT, "face1")
    }  # fmt: skip


def test_near_copies_are_copies() -> None:
    rng = np.random.default_rng(1)
    pixels = np.repeat(np.repeat(rng.integers(0, 200, (12, 12, 12)), 4, 1), 4, 2).astype(np.uint8)
    pixels[3] = pixels[0] + 20  # brighter
    dataset = replace(dataset_of([0] * 12), store=PixelStore.from_array(pixels))
    _, dropped = clean_training(dataset, a_split(dataset))
    assert [(entry.picture, entry.because_of) for entry in dropped] == [("face3", "face0")]


def test_a_clean_split_survives_the_disk(tmp_path: Path) -> None:
    dataset = dataset_of([0, 0, 1, 1, 2, 2, 0, 1, 0, 1, 2, 0], copies={1: 0})
    split, dropped = clean_training(dataset, a_split(dataset))
    split.save(tmp_path / "split.json", dataset)
    write_dropped(dropped, tmp_path / CLEANED_FILE)
    back = load_split(tmp_path / "split.json", dataset)
    assert back.train.tolist() == split.train.tolist()
    assert any("left out" in note for note in back.notes)
    assert read_dropped(tmp_path / CLEANED_FILE) == dropped == (Dropped("face1", COPY, "face0"),)
    again, nothing = clean_training(dataset, back)
    assert (again.train.tolist(), nothing) == (split.train.tolist(), ())


@pytest.mark.parametrize(
    "text", ["", "picture\treason\n", "picture\treason\tbecause_of\na\tb\n", "picture\treason\tbecause_of\na\twhy\tb\n"]
)
def test_a_damaged_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / CLEANED_FILE).write_text(text)
    with pytest.raises(DataError, match=r"is damaged"):
        read_dropped(tmp_path / CLEANED_FILE)
    with pytest.raises(DataError, match="cannot be read"):
        read_dropped(tmp_path / "nothing.tsv")


@given(st.lists(st.integers(0, 2), min_size=12, max_size=12), st.dictionaries(st.integers(1, 11), st.just(0)))
def test_what_is_kept_has_no_copies(labels: list[int], copies: dict[int, int]) -> None:
    dataset = dataset_of([*labels[:-1], 2], copies=copies)
    for held_out in (False, True):
        split, dropped = clean_training(dataset, a_split(dataset), held_out)
        keys = [dataset.digests()[row] for row in split.train]
        assert len(set(keys)) == len(keys)
        assert len(keys) + len(dropped) == 8
        tested = {dataset.digests()[row] for row in (*split.val, *split.test)}
        assert not (held_out and tested & set(keys))


def test_fer2013_is_cleaned(tmp_path: Path) -> None:
    path = REAL / "fer2013.csv.xz"
    if not path.exists():
        pytest.skip(f"{path} is missing (real data of this workplace)")
    with lzma.open(path, "rt") as file:
        (tmp_path / "fer2013.csv").write_text("".join(itertools.islice(file, 3001)))
    dataset = load_dataset(str(tmp_path / "fer2013.csv"))
    rows = np.arange(len(dataset))
    split = replace(a_split(dataset_of([0] * 12)), train=rows[:2500], val=rows[2500:2600], test=rows[2600:])
    cleaned, dropped = clean_training(dataset, split, held_out=True)
    counts = count_dropped(dropped)
    assert len(cleaned.train) == 2500 - len(dropped)
    assert counts[COPY] > 3
    assert counts[HELD_OUT] > 1
    labels = dict(zip(dataset.ids, dataset.labels.tolist()))
    assert all(labels[entry.picture] == labels[entry.because_of] for entry in dropped if entry.reason == COPY)
