"""``emotions video`` as a person uses it: its results on disk, its summary, its refusals, and Ctrl-C."""

from __future__ import annotations

import contextlib
import csv
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, List, Tuple

import cv2
import numpy as np
import pytest
from film_fakes import MadeSource, SquareFinder, make_gallery, moving, picture, read_film, write_film

pytest.importorskip("typer")
pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")

from emotions_cli import console
from emotions_cli.video import app

TESTS = Path(__file__).resolve().parent
START = (
    "import sys; from emotions_cli import console; from emotions_cli.video import app\n"
    "console.run(lambda: app(args=sys.argv[1:], prog_name='emotions video'))"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gallery(tmp_path_factory.mktemp("gallery"))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of two faces. Not to be changed."""
    return write_film(tmp_path_factory.mktemp("film") / "two.avi", moving(10))


@pytest.fixture(autouse=True)
def squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galleries.video.FaceDetector", SquareFinder)


def video(*arguments: Any) -> Tuple[int, str, str]:
    """Run ``emotions video ARGUMENTS`` in this process: exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    on_terminate = signal.getsignal(signal.SIGTERM)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            console.run(lambda: app(args=[str(a) for a in arguments], prog_name="emotions video"))
        except SystemExit as stop:
            code = stop.code or 0
        finally:
            signal.signal(signal.SIGTERM, on_terminate)
    assert "Traceback" not in err.getvalue()
    return code, out.getvalue(), err.getvalue()


def test_a_film_gives_a_film_a_table_and_a_log(folder: Path, film: Path, tmp_path: Path) -> None:
    out, table, log = tmp_path / "o.mp4", tmp_path / "t.csv", tmp_path / "l.jsonl"
    code, said, err = video(film, "--gallery", folder, "--out", out, "--csv", table, "--jsonl", log, "-k", 3)
    assert (code, err) == (0, "")
    assert "10 frames (0.9 s) in" in said
    assert "20 faces of 2 people" in said
    assert said.count("written: ") == 3
    frames = read_film(out)
    assert len(frames) == 10
    assert frames[0].shape[1] > 480, "the panel stands beside the frame"
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["track"] for row in rows] == ["1", "2"] * 10
    assert [json.loads(line)["frame"] for line in log.read_text().splitlines()] == list(range(10))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.jsonl", "o.mp4", "t.csv"]


def test_the_summary_as_json_in_spanish(folder: Path, film: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    code, said, _ = video(
        film, "--gallery", folder, "--json", "--language", "es", "--csv", table, "--start", 0.2, "--seconds", 0.5
    )
    summary = json.loads(said)
    assert code == 0
    assert (summary["frames"], summary["faces"], summary["people"]) == (5, 10, 2)
    assert (summary["first"], summary["last"]) == (pytest.approx(0.2), pytest.approx(0.6))
    assert set(summary["shares"]) <= {"enojo", "miedo", "felicidad", "tristeza"}
    assert (summary["out"], summary["csv"]) == (None, str(table))
    assert "score_enojo" in table.read_text().splitlines()[0]


def test_a_folder_whose_pictures_change_size(folder: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, size in enumerate([(240, 160), (240, 160), (500, 400), (160, 300)]):
        cv2.imwrite(str(pictures / f"{number}.png"), picture([(20, 20, 60)], size))
    (pictures / "2b.png").write_text("no picture")
    code, said, err = video(pictures, "--gallery", folder, "--out", tmp_path / "o.avi", "--fps", 4, "--json")
    assert code == 0, err
    assert (json.loads(said)["frames"], json.loads(said)["skipped"]) == (4, 1)
    assert len({frame.shape for frame in read_film(tmp_path / "o.avi")}) == 1
    code, said, err = video(pictures, "--gallery", folder)
    assert "1 pictures could not be read" in err


def test_no_face_is_said(folder: Path, tmp_path: Path) -> None:
    dark = write_film(tmp_path / "dark.avi", [picture([])] * 3)
    code, said, _ = video(dark, "--gallery", folder, "--out", tmp_path / "o.mkv", "--csv", tmp_path / "t.csv")
    assert code == 0
    assert "no face was found" in said
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 1
    assert len(read_film(tmp_path / "o.mkv")) == 3


def test_a_truncated_film_keeps_what_could_be_read(folder: Path, film: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    code, said, _ = video(cut, "--gallery", folder, "--out", tmp_path / "o.mp4", "--json")
    assert code == 0
    assert 0 < json.loads(said)["frames"] == len(read_film(tmp_path / "o.mp4")) < 10


def test_a_disk_that_fills_up_ends_it_with_the_film_so_far(
    folder: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [10**9] * 3 + [10**6]
    usage = type("Usage", (), {"free": property(lambda self: left.pop(0))})
    monkeypatch.setattr("galleries.film_files.shutil.disk_usage", lambda path: usage())
    code, out, err = video(film, "--gallery", folder, "--out", tmp_path / "o.mp4", "--batch", 2)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "ends after 3 frames: the disk has less than 32 MB left" in err
    assert len(read_film(tmp_path / "o.mp4")) == 3
    assert left == [], "nothing is drawn or written after that"


def test_a_camera_that_dies_and_drops(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(SquareFinder):
        def detect(self, image: np.ndarray) -> List[Any]:
            time.sleep(0.02)
            return super().detect(image)

    source = MadeSource(moving(30), is_live=True, wait=0.002, dies=OSError("unplugged"))
    monkeypatch.setattr("galleries.video.FaceDetector", Slow)
    monkeypatch.setattr("galleries.sources.open_source", lambda *arguments: source)
    code, said, err = video(0, "--gallery", folder, "--out", tmp_path / "o.mp4", "--jsonl", tmp_path / "l.jsonl")
    assert code == 0
    assert "made broke off: unplugged" in err
    assert "were dropped to keep up with the camera" in err
    assert read_film(tmp_path / "o.mp4")
    assert f"{len((tmp_path / 'l.jsonl').read_text().splitlines())} frames" in said


@pytest.mark.parametrize(("is_live", "expected"), [(False, 130), (True, 0)])
def test_ctrl_c_keeps_what_was_done(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_live: bool, expected: int
) -> None:
    class Interrupted(SquareFinder):
        def detect(self, image: np.ndarray) -> List[Any]:
            if self.calls == 4:
                raise KeyboardInterrupt
            return super().detect(image)

    source = MadeSource(moving(30), is_live=is_live, wait=0.01)
    monkeypatch.setattr("galleries.video.FaceDetector", Interrupted)
    monkeypatch.setattr("galleries.sources.open_source", lambda *arguments: source)
    code, said, _ = video(
        "x", "--gallery", folder, "--out", tmp_path / "o.avi", "--csv", tmp_path / "t.csv", "--batch", 1
    )
    assert code == expected
    assert "4 frames" in said
    assert source.closed == 1
    assert len(read_film(tmp_path / "o.avi")) >= 1
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 9


def test_a_real_ctrl_c(folder: Path, tmp_path: Path) -> None:
    length = 2000  # more than a busy machine reads before it is told to stop
    film = write_film(tmp_path / "long.avi", moving(50) * (length // 50))
    log = tmp_path / "l.jsonl"
    arguments = [film, "--gallery", folder, "--whole", "--out", tmp_path / "o.avi", "--jsonl", log, "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", START, *map(str, arguments)],
        cwd=TESTS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # deaf to it if the suite runs behind "&"
    )
    for _ in range(1200):
        if process.poll() is not None or (log.exists() and log.read_text().count("\n") >= 10):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert b"Traceback" not in err
    frames = json.loads(out)["frames"]
    assert 10 <= frames < length
    logged = [json.loads(line)["frame"] for line in log.read_text().splitlines()]
    assert logged == list(range(len(logged)))
    assert frames - len(logged) in (0, 1)  # it may be stopped between a frame's answer and its line
    assert abs(len(read_film(tmp_path / "o.avi")) - frames) <= 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.jsonl", "long.avi", "o.avi"]


def test_shown_as_a_page_while_it_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: List[bytes] = []
    urls: List[str] = []

    def look() -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(300):
            try:
                with opener.open(urls[0] + "frame.jpg", timeout=30) as answer:
                    seen.append(answer.read())
                return
            except (IndexError, OSError):  # the page is not there yet, or shows nothing yet
                time.sleep(0.1)

    def before(number: int) -> None:
        if number == 3:
            look()

    def say(text: str) -> None:
        urls.extend(word for word in text.split() if word.startswith("http://127.0.0.1:"))

    source = MadeSource(moving(5), is_live=True, wait=0.05, before=before)
    monkeypatch.setattr("galleries.sources.open_source", lambda *arguments: source)
    monkeypatch.setattr(console, "say", say)
    code, _, err = video("x", "--gallery", folder, "--show", "--port", 0)
    assert code == 0, err
    shown = cv2.imdecode(np.frombuffer(seen[0], np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape[1] > 480


def test_a_window_where_there_is_one(folder: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = importlib.import_module("emotions_cli.video_view")
    shown: List[np.ndarray] = []
    monkeypatch.setenv("DISPLAY", ":0")
    for name in ("namedWindow", "destroyAllWindows"):
        monkeypatch.setattr(view.cv2, name, lambda *arguments: None)
    monkeypatch.setattr(view.cv2, "imshow", lambda title, image: shown.append(image))
    monkeypatch.setattr(view.cv2, "getWindowProperty", lambda *arguments: 1.0)
    monkeypatch.setattr(view.cv2, "waitKey", lambda wait: ord("q") if len(shown) == 3 else -1)
    code, said, _ = video(film, "--gallery", folder, "--show", "--json")
    assert (code, len(shown)) == (0, 3)
    assert json.loads(said)["frames"] == 3
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    page = view.open_view()
    page.close()
    assert isinstance(page, view.Page)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--out", "o.gif"], "o.gif has no ending of a film OpenCV writes"),
        (["--csv", "x.txt", "--jsonl", "x.txt"], "is also --csv"),
        (["--csv", "."], "is a folder"),
        (["--language", "fr"], "'fr' is not a known language"),
        (["--neighbors", "99"], "99 neighbours"),
        (["--weights", "loud"], "way of weighing"),
        (["--smoothing", "1"], "smoothing of 1.0"),
        (["--start", "9"], "give an earlier start"),
        (["--detect-every", "0"], "detect_every was given as 0"),
        (["--detector", "absent.onnx"], "absent.onnx is not a file"),
        (["--margin", "-1"], "margin of -1.0"),
    ],
)
def test_refusals(
    folder: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: List[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = video(film, "--gallery", folder, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert sentence in err
    assert not list(tmp_path.iterdir())


def test_a_film_is_not_written_over_itself(folder: Path, film: Path, tmp_path: Path) -> None:
    before = film.read_bytes()
    (tmp_path / "link.avi").symlink_to(film)
    for out in (film, film.parent / "." / film.name, tmp_path / "link.avi"):
        code, _, err = video(film, "--gallery", folder, "--out", out)
        assert code == 2
        assert "is also the source" in err or "another file named here" in err
    assert film.read_bytes() == before


def test_what_is_missing(folder: Path, tmp_path: Path) -> None:
    assert "does not exist; give a film" in video(tmp_path / "x.mp4", "--gallery", folder)[2]
    assert video(tmp_path / "x.mp4", "--gallery", tmp_path)[0] == 2


def test_help_and_its_example(film: Path) -> None:
    code, out, _ = video("--help")
    assert code == 0
    assert "Example:  emotions video" in out


def test_it_loads_no_learning_library(folder: Path, film: Path) -> None:
    ending = (
        "import atexit, sys\n"
        "learning = ('torch', 'sklearn', 'plotly')\n"
        "atexit.register(lambda: sys.stderr.write(' '.join(name for name in learning if name in sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", ending + START, str(film), "--gallery", str(folder), "--whole", "--json"],
        cwd=TESTS,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["frames"] == 10
