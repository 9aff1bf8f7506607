"""Every layout a user brings: what its names say, and what is left out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from faces_on_disk import emotions_of, fill, load, put, reasons

from galleries.errors import ConfigError
from siamese.datasets import recognise_format, write_skip_report


def test_ckplus_gives_subject_and_sequence_and_keeps_contempt_from_disgust(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "anger/S010_004_00000017.png",
        "contempt/S138_008_00000007.png",
        "disgust/S005_001_00000009.png",
        "happy/S010_006_00000013.png",
    )
    assert recognise_format(tmp_path) == "ckplus"
    dataset = load(tmp_path)
    assert dataset.emotions == ("anger", "contempt", "disgust", "happiness")
    assert dataset.subjects == ("S010", "S138", "S005", "S010")
    assert dataset.sequences == ("S010_004", "S138_008", "S005_001", "S010_006")
    assert dataset.official is None
    assert dataset.ids[0] == "anger/S010_004_00000017.png"
    expected = cv2.imread(str(tmp_path / dataset.ids[2]), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(dataset.image(2), expected)


def test_ckplus_below_another_folder(tmp_path: Path) -> None:
    fill(tmp_path, "archive/anger/S010_004_00000017.png", "archive/fear/S011_003_00000012.png")
    assert load(tmp_path).emotions == ("anger", "fear")


def test_jaffe_reads_palette_tiffs(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image", reason="Pillow writes the palette TIFF")
    grey = np.random.default_rng(0).integers(0, 256, (256, 256), dtype=np.uint8)
    picture = image_module.fromarray(grey).convert("P")
    picture.putpalette([value for value in range(256) for _ in range(3)])
    picture.save(tmp_path / "KA.AN1.39.tiff")
    put(tmp_path / "YM.SU3.60.tiff", 1, (256, 256))
    put(tmp_path / "KM.NE2.5.tiff", 2, (256, 256))
    (tmp_path / "README").write_text("ten women")
    assert recognise_format(tmp_path) == "jaffe"
    dataset = load(tmp_path)
    assert emotions_of(dataset) == ["anger", "neutral", "surprise"]
    assert dataset.subjects == ("KA", "KM", "YM")
    assert dataset.sequences is None
    assert np.array_equal(dataset.image(0), grey)


def test_kdef_tells_afraid_from_the_session(tmp_path: Path) -> None:
    names = ("AF01/AF01AFS.JPG", "AF01/AF01ANHL.JPG", "BF01/BF01ANS.JPG", "AM31/AM31SUFR.JPG", "AM31/AM31XXS.JPG")
    for seed, name in enumerate(names):
        put(tmp_path / name, seed, (76, 56, 3))
    assert recognise_format(tmp_path) == "kdef"
    dataset = load(tmp_path)
    assert emotions_of(dataset) == ["fear", "anger", "surprise", "anger"]
    assert dataset.subjects == ("F01", "F01", "M31", "F01")
    assert dataset.sequences == ("AF01AF", "AF01AN", "AM31SU", "BF01AN")
    assert reasons(dataset) == {"AM31/AM31XXS.JPG": "the name is not like AF01ANS.JPG"}
    whole = cv2.cvtColor(cv2.imread(str(tmp_path / names[0])), cv2.COLOR_BGR2RGB)
    assert np.array_equal(dataset.image(0), whole[10:66])


def test_kdef_angles_can_be_chosen(tmp_path: Path) -> None:
    fill(tmp_path, "AF01AFS.JPG", "AF01AFHL.JPG", "AM01HAS.JPG")
    dataset = load(tmp_path, angles=["s"])
    assert dataset.ids == ("AF01AFS.JPG", "AM01HAS.JPG")
    assert dataset.notes == ("1 pictures from other angles than S were not asked for.",)
    with pytest.raises(ConfigError, match="'UP' is not a known KDEF angle"):
        load(tmp_path, angles=["UP"])


def test_fer2013_folder_takes_the_split_from_prefix_and_folder(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "test/happy/PrivateTest_123.jpg",
        "test/happy/PublicTest_4.jpg",
        "train/angry/Training_3908.jpg",
        "train/angry/stray.jpg",
        "val/angry/Training_17.jpg",
    )
    assert recognise_format(tmp_path) == "fer2013-folder"
    dataset = load(tmp_path)
    assert emotions_of(dataset) == ["happiness", "happiness", "anger", "anger"]
    assert dataset.official == ("test", "val", "train", "val")
    assert reasons(dataset) == {"train/angry/stray.jpg": "the name is not like Training_3908"}


def test_rafdb_in_numbered_folders(tmp_path: Path) -> None:
    fill(tmp_path, *(f"DATASET/train/{n}/train_0000{n}_aligned.jpg" for n in range(1, 8)))
    put(tmp_path / "DATASET/test/1/test_0001_aligned.jpg", 9)
    (tmp_path / "DATASET/test/2").mkdir()
    assert recognise_format(tmp_path) == "rafdb"
    dataset = load(tmp_path)
    order = ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"]
    assert emotions_of(dataset) == ["surprise", *order]
    assert dataset.official == ("test", *["train"] * 7)
    assert "DATASET/test/2" in dataset.notes[0]


@pytest.mark.parametrize("label_file", ["list_patition_label.txt", "train_labels.csv"])
def test_rafdb_flat_with_a_label_file(tmp_path: Path, label_file: str) -> None:
    fill(tmp_path, "aligned/train_00001_aligned.jpg", "aligned/train_00002_aligned.jpg", "original/train_00001.jpg")
    put(tmp_path / "aligned/train_00009_aligned.jpg", 7)
    lines = {
        "list_patition_label.txt": "train_00001.jpg 5\ntrain_00002.jpg 1\ntrain_00003.jpg 2\ntrain_00009.jpg 9\n",
        "train_labels.csv": "image,label\ntrain_00001_aligned.jpg,5\ntrain_00002_aligned.jpg,1\n"
        "train_00003_aligned.jpg,2\ntrain_00009_aligned.jpg,9\n",
    }
    (tmp_path / label_file).write_text(lines[label_file])
    assert recognise_format(tmp_path) == "rafdb"
    dataset = load(tmp_path)
    assert emotions_of(dataset) == ["sadness", "surprise"]
    found = reasons(dataset)
    assert found["train_00003"] == "it has a label but no picture"
    assert "1-7" in found["aligned/train_00009_aligned.jpg"]
    assert len(found) == 3  # the malformed line is named as well
    assert "without _aligned" in dataset.notes[0]


def test_folder_of_classes_with_splits_and_any_language(tmp_path: Path) -> None:
    fill(tmp_path, "train/Enojo/1.jpg", "train/boredom/2.png", "valid/Enojo/3.jpg", "test/felicidad/deep/4.jpg")
    put(tmp_path / "test/5.jpg", 5)
    (tmp_path / "train/fear").mkdir()
    (tmp_path / "train/Enojo/.DS_Store").write_text("x")
    (tmp_path / "train/Enojo/._1.jpg").write_text("x")
    (tmp_path / "train/Enojo/Thumbs.db").write_text("x")
    assert recognise_format(tmp_path) == "folder"
    dataset = load(tmp_path)
    assert dataset.emotions == ("anger", "boredom", "happiness")
    assert dataset.ids == ("test/felicidad/deep/4.jpg", "train/Enojo/1.jpg", "train/boredom/2.png", "valid/Enojo/3.jpg")
    assert dataset.official == ("test", "train", "train", "val")
    assert reasons(dataset) == {"test/5.jpg": "it stands in no class folder"}
    assert dataset.notes == ("The class folder train/fear holds no picture, so no class was made of it.",)


def test_folder_with_pictures_in_and_outside_a_split_has_none(tmp_path: Path) -> None:
    dataset = load(fill(tmp_path, "train/anger/1.jpg", "test/anger/2.jpg", "fear/3.jpg"))
    assert dataset.official is None
    assert "1 of 3 pictures belong to none" in dataset.notes[0]


def test_folder_with_only_training_pictures_has_no_official_split(tmp_path: Path) -> None:
    assert load(fill(tmp_path, "train/anger/1.jpg", "train/fear/2.jpg")).official is None


def test_one_class_and_one_picture_can_be_read(tmp_path: Path) -> None:
    dataset = load(fill(tmp_path, "anger/1.jpg"))
    assert (dataset.emotions, len(dataset)) == (("anger",), 1)


def test_bad_pictures_are_counted_and_skipped(tmp_path: Path) -> None:
    fill(tmp_path, "anger/good.png", "fear/good.png")
    (tmp_path / "anger/text.jpg").write_text("I am no picture")
    (tmp_path / "anger/nothing.jpg").touch()
    cut = put(tmp_path / "anger/cut.png", 3, (64, 64))
    cut.write_bytes(cut.read_bytes()[:40])
    cv2.imwrite(str(tmp_path / "fear/blank.png"), np.full((20, 20), 130, np.uint8))
    cv2.imwrite(str(tmp_path / "fear/dot.png"), np.full((1, 1), 130, np.uint8))
    (tmp_path / "fear/gone.png").symlink_to(tmp_path / "nowhere.png")
    dataset = load(tmp_path)
    assert dataset.ids == ("anger/good.png", "fear/good.png")
    found = reasons(dataset)
    assert sorted(found) == [
        "anger/cut.png",
        "anger/nothing.jpg",
        "anger/text.jpg",
        "fear/blank.png",
        "fear/dot.png",
        "fear/gone.png",
    ]
    assert found["fear/blank.png"] == "blank picture"
    assert str(tmp_path) not in "".join(found.values())

    report = tmp_path / "report/skipped.tsv"
    write_skip_report(dataset, report)
    lines = report.read_text("utf-8").splitlines()
    assert lines[0] == "source\treason"
    assert len(lines) == 7
    assert "fear/blank.png\tblank picture" in lines


def test_odd_pixel_formats_are_read(tmp_path: Path) -> None:
    (tmp_path / "anger").mkdir()
    deep = np.random.default_rng(0).integers(0, 65536, (30, 30), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "anger/deep.png"), deep)
    alpha = np.random.default_rng(1).integers(0, 256, (30, 40, 4), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "anger/alpha.png"), alpha)
    put(tmp_path / "anger/large.png", 2, (600, 300))
    dataset = load(tmp_path)
    assert [dataset.image(row).shape for row in range(3)] == [(30, 40, 3), (30, 30), (256, 128)]
