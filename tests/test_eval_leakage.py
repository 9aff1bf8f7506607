"""What crosses a split, counted by hand on toys and known for the real FER-2013."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval.leakage import audit
from galleries.vocabulary import CANONICAL
from siamese.datasets import FaceDataset, load_dataset
from siamese.datasets.base import PixelStore
from siamese.splits import Split, make_split

SHARED = Path(__file__).parents[2] / "shared/data"
FER2013, FERPLUS = SHARED / "fer2013.csv.xz", SHARED / "fer2013new.csv"


def toy() -> FaceDataset:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 10, 10), dtype=np.uint8)
    pixels[5] = pixels[0]  # train, test: another label
    pixels[6] = pixels[1]  # train, test: the same label
    pixels[7] = pixels[4]  # val, test
    return FaceDataset(
        name="toy",
        format="folder",
        root=Path("/toy"),
        emotions=("anger", "fear"),
        labels=np.array([0, 1, 0, 1, 0, 1, 1, 0]),
        ids=tuple("abcdefgh"),
        store=PixelStore.from_array(pixels),
        rows=np.arange(8),
        subjects=("s1", "s1", "s2", "s2", "s3", "s3", "s2", "s4"),
    )


def split_of(train: list[int], val: list[int], test: list[int]) -> Split:
    parts = (np.array(rows, np.int64) for rows in (train, val, test))
    return Split(*parts, method="random", seed=0, ratios=(0.5, 0.1, 0.4), digest="")  # type: ignore[misc]


def test_people_copies_and_conflicts_are_counted() -> None:
    report = audit(toy(), split_of([0, 1, 2, 3], [4], [5, 6, 7]))
    assert report.subjects == ("s2",)
    assert report.sequences is None
    assert report.copies.tolist() == [5, 6]
    assert (report.val_copies, report.test_copies) == (0, 2)
    assert (report.distinct, report.duplicate_groups, report.conflicting_groups) == (5, 3, 1)
    assert report.leaking.tolist() == [5, 6]  # both for their copies; 6 for the person too
    assert (report.test_leaking, report.test_size, report.conflicts) == (2, 3, 1)
    assert report.near is None
    assert not report.is_clean
    assert report.to_json()["subjects"] == ["s2"]
    words = " ".join(report.sentences())
    assert "1 people stand on both sides of the split, such as s2" in words
    assert "2 test and 0 val pictures are exact copies" in words
    assert "3 groups of equal pictures, 1 of them with conflicting labels" in words
    assert "does not say which sequences" in words


def test_a_subject_disjoint_split_is_clean() -> None:
    dataset = replace(toy(), sequences=tuple("abcdefgh"))
    report = audit(dataset, split_of([0, 1, 4, 5, 7, 2, 3, 6], [], []))
    assert report.is_clean
    assert report.copies.dtype == np.int64
    assert len(report.copies) == 0
    assert "No people cross the split." in report.sentences()


def test_copies_are_found_through_views() -> None:
    report = audit(toy(), split_of([0, 1, 2, 3], [], [7, 6, 4, 5]))
    assert report.copies.tolist() == [5, 6]
    view = toy().subset(np.array([5, 0, 7]))
    assert audit(view, split_of([1], [], [0, 2])).copies.tolist() == [0]


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory: pytest.TempPathFactory) -> FaceDataset:
    if not FER2013.is_file():
        pytest.skip(f"the real FER-2013 is not here ({FER2013})")
    return load_dataset(FER2013, cache=False)


def test_fer2013_as_published(fer2013: FaceDataset) -> None:
    assert len(fer2013) + len(fer2013.skipped) == 35887
    assert [entry.reason for entry in fer2013.skipped] == ["blank picture"] * 13
    split = make_split(fer2013)
    assert split.method == "official"
    assert [len(rows) for rows in split.parts().values()] == [28697, 3588, 3589]
    report = audit(fer2013, split, near=True)
    assert report.test_near == 100
    assert report.test_leaking == report.test_copies + report.test_near
    assert report.blank == 13
    assert report.conflicts > 40
    # 568 with a blank test picture, 57 groups with the blank one, 34,034 with two blank pictures
    assert (report.val_copies, report.test_copies) == (279, 288)
    assert report.conflicting_groups == 56
    assert report.distinct == 34032


def test_fer2013_grouped_by_duplicates_has_no_copies_across(fer2013: FaceDataset) -> None:
    split = make_split(fer2013, "duplicate", (0.8, 0.1, 0.1))
    assert audit(fer2013, split).is_clean
    whole = np.array(list(fer2013.counts().values()))
    for rows, share in zip(split.parts().values(), (0.8, 0.1, 0.1)):
        assert np.array(list(fer2013.counts(rows).values())) == pytest.approx(share * whole, abs=2)


def test_ferplus_over_the_real_rows(fer2013: FaceDataset) -> None:
    from siamese.datasets.ferplus import lay_votes

    if not FERPLUS.is_file():
        pytest.skip(f"the FER+ votes are not here ({FERPLUS})")
    dataset = lay_votes(fer2013, FERPLUS, soft=True)
    assert dataset.emotions == CANONICAL
    assert dataset.soft_labels is not None
    assert dataset.soft_labels.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(dataset.soft_labels.argmax(axis=1), dataset.labels)
    agreeing = np.mean(
        [
            fer2013.emotions[int(fer2013.labels[row])] == dataset.emotions[int(label)]
            for row, label in zip(dataset.rows, dataset.labels)
        ]
    )
    assert agreeing > 0.6
