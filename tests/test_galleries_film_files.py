"""What a film leaves behind: films and lines, whole or up to where it broke off."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from film_fakes import (
    EMOTIONS,
    MadeSource,
    moving,
    picture,
    read_film,
)

from galleries.errors import DataError, EmotionsError
from galleries.film_files import CODECS, FilmWriter, LineFile, face_columns, face_rows, frame_line
from galleries.recognizer import Recognizer
from galleries.video import recognise_film


@pytest.mark.parametrize("ending", CODECS)
def test_every_kind_of_film_is_written_and_read_back(tmp_path: Path, ending: str) -> None:
    frames = moving(6)
    with FilmWriter(tmp_path / f"out{ending}", 10.0) as writer:
        for number, frame in enumerate(frames):
            writer.write(frame, number / 10)
        assert not (tmp_path / f"out{ending}").exists(), "until it is whole it has another name"
    back = read_film(tmp_path / f"out{ending}")
    assert len(back) == 6
    for frame, same in zip(frames, back):
        assert np.abs(frame.astype(int) - same).mean() < 6
    assert [path.name for path in tmp_path.iterdir()] == [f"out{ending}"]


def test_frames_of_another_size_are_fitted_in(tmp_path: Path) -> None:
    with FilmWriter(tmp_path / "o.mkv", 10.0) as writer:
        for size in ((60, 40), (40, 60), (240, 160), (1, 1)):
            writer.write(np.full((size[1], size[0], 3), 200, np.uint8), 0.0)
    back = read_film(tmp_path / "o.mkv")
    assert {frame.shape for frame in back} == {(40, 60, 3)}
    assert (back[1][:, :16] < 20).all()
    assert (back[1][:, 20:40] > 180).all()
    assert (back[2] > 180).all()


def test_a_cameras_film_keeps_time(tmp_path: Path) -> None:
    with FilmWriter(tmp_path / "o.avi", 10.0, by_time=True) as writer:
        for moment in (5.0, 5.01, 5.02, 5.35, 5.36, 900.0):
            writer.write(picture([]), moment)
        assert writer.frames == 1 + 3 + 50


def test_without_a_frame_there_is_no_film(tmp_path: Path) -> None:
    (tmp_path / "o.mp4").write_bytes(b"older")
    FilmWriter(tmp_path / "o.mp4", 10.0).close()
    assert (tmp_path / "o.mp4").read_bytes() == b"older"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_error_keeps_the_film_so_far(tmp_path: Path) -> None:
    def broken_off() -> None:
        with FilmWriter(tmp_path / "o.avi", 10.0) as writer:
            for frame in moving(4):
                writer.write(frame, 0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert len(read_film(tmp_path / "o.avi")) == 4


def test_a_film_that_cannot_be_read_back_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "o.avi").write_bytes(b"older")
    writer = FilmWriter(tmp_path / "o.avi", 10.0)
    writer.write(moving(1)[0], 0.0)
    (temporary,) = [path for path in tmp_path.iterdir() if path.name != "o.avi"]
    temporary.write_bytes(b"")
    os.truncate(temporary, 0)
    writer._writer.release()  # type: ignore[union-attr]
    temporary.write_bytes(b"damaged")
    with pytest.raises(EmotionsError, match="could not be written whole"):
        writer.close()
    assert (tmp_path / "o.avi").read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir()] == ["o.avi"]


def test_a_disk_that_fills_up_leaves_a_whole_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [10**9] * 3 + [10**6]
    usage = type("Usage", (), {"free": property(lambda self: left.pop(0))})
    monkeypatch.setattr("galleries.film_files.shutil.disk_usage", lambda path: usage())

    def write_all() -> None:
        with FilmWriter(tmp_path / "o.mp4", 10.0) as writer:
            for frame in moving(9):
                writer.write(frame, 0.0)

    with pytest.raises(EmotionsError, match=r"ends after 3 frames: the disk has less than 32 MB left"):
        write_all()
    assert len(read_film(tmp_path / "o.mp4")) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here, which Linux has")
def test_a_line_that_finds_no_room_is_told() -> None:
    with LineFile("/dev/full") as log, pytest.raises(
        EmotionsError, match=r"/dev/full could not be written on \(No space"
    ):
        log.add("a line\n")


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"give it one of: \.mp4"):
        FilmWriter(tmp_path / "o.gif", 10.0)
    (tmp_path / "file").touch()
    for make in (lambda p: FilmWriter(p / "o.mp4", 10.0), lambda p: LineFile(p / "o.csv")):
        with pytest.raises(EmotionsError, match="cannot be written"):
            make(tmp_path / "file")


def test_lines_are_there_at_once_and_say_what_was_seen(film_recognizer: Recognizer, tmp_path: Path) -> None:
    emotions = film_recognizer.gallery.emotions
    names = {"anger": "enojo"}
    with LineFile(tmp_path / "l.jsonl") as log, LineFile(tmp_path / "t.csv") as table:
        table.add(face_columns(emotions, names))
        with recognise_film(film_recognizer, MadeSource([*moving(4), picture([])])) as run:
            for frame in run:
                log.add(frame_line(frame, names))
                table.add(face_rows(frame, emotions, names))
                assert len((tmp_path / "l.jsonl").read_text().splitlines()) == frame.number + 1
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    lines = [json.loads(line) for line in (tmp_path / "l.jsonl").read_text().splitlines()]
    assert [len(line["faces"]) for line in lines] == [2, 2, 2, 2, 0]
    assert len(rows) == 8
    for row, face in zip(rows, [face for line in lines for face in line["faces"]]):
        assert int(row["track"]) == face["track"]
        assert [int(row[key]) for key in ("x", "y", "width", "height")] == [
            face["box"][key] for key in ("x", "y", "width", "height")
        ]
        assert row["emotion"] == face["emotion"]
        assert row["emotion"] in ("enojo", *EMOTIONS[1:])
        assert float(row["score_enojo"]) == pytest.approx(face["scores"]["enojo"], abs=1e-6)
        assert row["nearest_emotion"] == face["nearest"]["emotion"]
        assert row["nearest_source"] == face["nearest"]["source"]
    assert [row["frame"] for row in rows] == ["0", "0", "1", "1", "2", "2", "3", "3"]
    assert rows[2]["time"] == "0.1000"
