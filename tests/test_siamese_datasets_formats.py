"""Which layout a path has, and what is said of one that has none."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
from faces_on_disk import fill, load, put

from galleries.errors import ConfigError, DataError, EmotionsError
from siamese.datasets import FORMATS, load_dataset, write_skip_report


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
