"""AffectNet in YOLO layout: boxes, and descriptions in any state."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from faces_on_disk import emotions_of, load, put, reasons
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.vocabulary import CANONICAL
from siamese.datasets import recognise_format
from siamese.datasets.affectnet_yolo import BoxCrop
from siamese.datasets.yaml_names import read_names


def test_affectnet_yolo_crops_each_box(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        put(tmp_path / split / "images/image0000006.jpg", 1, (40, 60, 3))
        (tmp_path / split / "labels").mkdir()
    (tmp_path / "train/labels/image0000006.txt").write_text("4 0.5 0.5 0.2 0.6\n")
    (tmp_path / "valid/labels/image0000006.txt").write_text("0 0.1 0.1 0.1 0.1\n1 0.9 0.9 0.4 0.4\n\n")
    (tmp_path / "data.yaml").write_text("train: ../../nowhere\nnc: 8\nnames: [Anger, Contempt, d, f, Happy, n, s, u]\n")
    assert recognise_format(tmp_path) == "affectnet-yolo"
    dataset = load(tmp_path)
    assert dataset.ids == (
        "train/images/image0000006.jpg",
        "valid/images/image0000006.jpg#0",
        "valid/images/image0000006.jpg#1",
    )
    assert emotions_of(dataset) == ["happiness", "anger", "contempt"]
    assert dataset.official == ("train", "val", "val")
    assert [dataset.image(row).shape[:2] for row in range(3)] == [(24, 24), (6, 6), (24, 24)]
    whole = cv2.cvtColor(cv2.imread(str(tmp_path / "train/images/image0000006.jpg")), cv2.COLOR_BGR2RGB)
    assert np.array_equal(dataset.image(0), whole[8:32, 18:42])
    assert np.array_equal(dataset.image(2), whole[16:40, 36:60])  # moved inside the picture
    wide = load(tmp_path, crop_margin=0.25)
    assert wide.image(0).shape[:2] == (36, 36)


def test_affectnet_yolo_counts_what_is_malformed(tmp_path: Path) -> None:
    labels = {
        "good": "7 0.5 0.5 1 1",
        "empty": "",
        "words": "happy 0.5 0.5 1 1",
        "short": "3 0.5 0.5 1",
        "class": "8 0.5 0.5 1 1",
        "half": "1.5 0.5 0.5 1 1",
        "flat": "1 0.5 0.5 0 1",
        "nan": "1 nan 0.5 1 1",
        "orphan": "1 0.5 0.5 1 1",
    }
    (tmp_path / "train/labels").mkdir(parents=True)
    for seed, (name, text) in enumerate(labels.items()):
        (tmp_path / f"train/labels/{name}.txt").write_text(text)
        if name != "orphan":
            put(tmp_path / f"train/images/{name}.jpg", seed)
    put(tmp_path / "train/images/unlabelled.jpg", 99)
    dataset = load(tmp_path)
    assert dataset.ids == ("train/images/good.jpg",)
    assert dataset.emotions == (CANONICAL[7],)
    found = reasons(dataset)
    assert len(found) == 9
    assert found["train/images/unlabelled.jpg"] == "it has no label file"
    assert found["train/labels/orphan.txt"] == "the label file has no picture"
    assert found["train/labels/empty.txt"] == "the label file is empty"
    assert found["train/images/class.jpg"] == "class 8; a whole number from 0 to 7 expected"
    assert any("No data.yaml" in note for note in dataset.notes)


@given(
    st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0, 2),
    st.integers(1, 40), st.integers(1, 40),
)  # fmt: skip
def test_a_box_crop_is_a_square_within_the_picture(
    x: float, y: float, width: float, height: float, margin: float, rows: int, columns: int
) -> None:
    picture = np.arange(rows * columns, dtype=np.uint32).reshape(rows, columns)
    crop = BoxCrop(x, y, width, height, margin)(picture)  # type: ignore[arg-type]
    assert crop.shape[0] == crop.shape[1] >= 1
    top, left = divmod(int(crop[0, 0]), columns)
    assert np.array_equal(crop, picture[top : top + len(crop), left : left + len(crop)])
    if width * columns >= 1 and height * rows >= 1 and max(width * columns, height * rows) <= min(rows, columns):
        assert top - 1 <= y * rows <= top + len(crop) + 1
        assert left - 1 <= x * columns <= left + len(crop) + 1


@pytest.mark.parametrize(
    "text",
    [
        "names: ['Anger', \"Fear\", Happy]  # three\n",
        "nc: 3\nnames: [Anger, Fear,\n  Happy]\nval: ../x\n",
        "names:\n- Anger\n- Fear\n- 'Happy'\ntest: x\n",
        "names:\n  - Anger\n  - Fear\n\n  - Happy\n",
        "names:\n  0: Anger\n  1: Fear\n  2: Happy\npath: x\n",
        "names: {1: Fear, 0: Anger, 2: Happy}\n",
        "train: D:\\broken\\path: [\nnames :\n  '0': Anger\n  '1': Fear\n  '2': Happy",
    ],
)
def test_class_names_are_read_however_they_are_written(text: str) -> None:
    assert read_names(text) == ["Anger", "Fear", "Happy"]


@pytest.mark.parametrize("text", ["", "nc: 8", "names:", "names: 8", "names: {0: a, 2: b}", "names:\n  a b c\n"])
def test_no_class_names_are_made_up(text: str) -> None:
    assert read_names(text) == []


@settings(max_examples=200)
@given(st.text(alphabet="names:-[]{}0123,'\" \n#ab", max_size=60))
def test_any_yaml_is_survived(text: str) -> None:
    assert all(isinstance(name, str) for name in read_names(text))
