"""Every layout a user brings: what its names say, and what is left out."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.errors import ConfigError, DataError, EmotionsError
from galleries.vocabulary import CANONICAL
from siamese.datasets import FORMATS, FaceDataset, load_dataset, recognise_format, write_skip_report
from siamese.datasets.affectnet_yolo import BoxCrop
from siamese.datasets.yaml_names import read_names


def put(path: Path, seed: int = 0, size: tuple[int, ...] = (24, 20)) -> Path:
    """Write a picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    ok, data = cv2.imencode(path.suffix.lower(), pixels)
    assert ok
    path.write_bytes(data.tobytes())
    return path


def fill(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        put(root / name, seed)
    return root


def load(root: Path, **options: object) -> FaceDataset:
    return load_dataset(root, cache=False, **options)  # type: ignore[arg-type]


def emotions_of(dataset: FaceDataset) -> list[str]:
    return [dataset.emotions[int(label)] for label in dataset.labels]


def reasons(dataset: FaceDataset) -> dict[str, str]:
    return {entry.source: entry.reason for entry in dataset.skipped}


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


def test_recognition_names_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no picture, only nothing"):
        load_dataset(tmp_path)
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "more.txt").write_text("text")
    with pytest.raises(DataError, match=r"holds no picture, only 2 other files \(.txt\)"):
        load_dataset(tmp_path)
    with pytest.raises(DataError, match=r"is a file of 4 bytes.*CK\+ 48: anger/S010"):
        load_dataset(tmp_path / "notes.txt")
    put(tmp_path / "loose.png")
    with pytest.raises(DataError, match="1 pictures that stand in no class folder"):
        load_dataset(tmp_path)


def test_nothing_usable_says_why(tmp_path: Path) -> None:
    (tmp_path / "anger").mkdir()
    (tmp_path / "anger/a.jpg").write_text("text")
    with pytest.raises(DataError, match=r"no usable face\. 1 entries were left out, most of them because"):
        load(tmp_path)


def test_options_belong_to_formats(tmp_path: Path) -> None:
    fill(tmp_path, "anger/1.jpg")
    with pytest.raises(ConfigError, match="crop_margin does not belong to the format folder"):
        load(tmp_path, crop_margin=0.1)
    with pytest.raises(ConfigError, match=r"not a known format\. Did you mean 'folder'"):
        load(tmp_path, format="foldr")
    with pytest.raises(ConfigError, match="Soft labels"):
        load(tmp_path, soft=True)
    with pytest.raises(ConfigError, match="crop margin of 3"):
        load(tmp_path, format="affectnet-yolo", crop_margin=3)
    with pytest.raises(DataError, match="FER\\+ votes belong to the rows"):
        load(tmp_path, ferplus=tmp_path / "x.csv")


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_refuses_other_paths_with_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.bin").write_bytes(b"\0\1")
    fill(tmp_path / "loose", "x.jpg")
    for path in (tmp_path / "nowhere", tmp_path / "file.bin", tmp_path / "loose"):
        with pytest.raises(EmotionsError):
            load_dataset(path, format=name, cache=False)


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    fill(tmp_path, *(f"anger/{number}.png" for number in range(5)))
    calls: list[tuple[int, int]] = []
    load_dataset(tmp_path, cache=False, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(5, 5)]


def test_synthetic_options_are_read() -> None:
    dataset = load_dataset("synthetic:subjects=2,pictures=3,size=32,seed=5", cache=False)
    assert (len(dataset), dataset.format) == (6, "synthetic")
    assert dataset.subjects is not None
    assert len(set(dataset.subjects)) == 2
    assert dataset.image(0).shape[:2] == (32, 32)
    few = load_dataset("synthetic:subjects=3,pictures=4,emotions=fear+Anger,seed=1", cache=False)
    assert set(few.emotions) <= {"anger", "fear"}
    with pytest.raises(ConfigError, match="option of the synthetic faces"):
        load_dataset("synthetic:persons=2")
    with pytest.raises(ConfigError, match="needs a whole number"):
        load_dataset("synthetic:subjects=two")


def test_links_that_go_round_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    fill(tmp_path, "anger/1.png", "fear/2.png")
    (tmp_path / "fear/up").symlink_to(tmp_path, target_is_directory=True)
    assert len(load(tmp_path)) == 2


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "anger/1.png", "fear/2.png")
    scandir = os.scandir

    def forbid(path: str) -> object:
        if str(path).endswith("fear"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbid)
    with pytest.raises(DataError, match=r"fear cannot be read \(Permission denied\)"):
        load(tmp_path)


def test_a_skip_report_can_name_any_file(tmp_path: Path) -> None:
    fill(tmp_path, "anger/1.png")
    (tmp_path / "anger/tab\tand line\n.png").write_text("x")
    dataset = load(tmp_path)
    write_skip_report(dataset, tmp_path / "out.tsv")
    rows = list(csv.reader(io.StringIO((tmp_path / "out.tsv").read_text()), delimiter="\t"))
    assert rows[1][0] == "anger/tab\tand line\n.png"
