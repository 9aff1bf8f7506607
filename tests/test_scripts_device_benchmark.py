"""``emotions benchmark BUNDLE``: what it writes and prints, which command is meant, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Tuple

import pytest
from conftest import Run
from film_fakes import make_gallery, moving, write_film
from tegrastats_fake import LINES, forever, install

from eval.device_report import read_report
from galleries.bundle import write_bundle
from galleries.encoder import OnnxEncoder
from galleries.gallery import Gallery

QUICK = ("--sizes", "40", "--indexes", "flat,ivf", "--batches", "1,2", "--seconds", 0.02, "-k", 3, "--threads", 1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery, the same as a zipped bundle, and a film. Not to be changed."""
    root = tmp_path_factory.mktemp("place")
    make_gallery(root)
    gallery = Gallery.load(root / "gallery")
    write_bundle(root / "bundle.zip", gallery, OnnxEncoder(root / "made.onnx", ["cpu"], 1), {}, {})
    write_film(root / "film.avi", moving(4))
    return root


@pytest.fixture(scope="module")
def measured(run: Run, place: Path) -> Tuple[Path, str, str]:
    code, out, err = run(
        "benchmark", place / "bundle.zip", "--film", place / "film.avi", "--out", place / "out", *QUICK
    )
    assert code == 0, err
    return place / "out", out, err


def test_a_bundle_is_measured(measured: Tuple[Path, str, str], place: Path) -> None:
    folder, out, err = measured
    assert {path.name for path in folder.iterdir()} == {"benchmark.json", "benchmark.md"}
    report = read_report(folder)
    assert (report.subject.path, report.subject.tower) == (str(place / "bundle.zip"), "tiny")
    assert report.film == str(place / "film.avi")
    page = (folder / "benchmark.md").read_text()
    for words in ("detect", "recall@5", "ONNX Runtime + FAISS", "530.70 FPS"):
        assert words in page
    for words in ("detect", "recall@5", "ONNX Runtime + FAISS"):
        assert words in out
    assert f"wrote {folder / 'benchmark.json'}" in err


def test_no_torch_is_loaded(place: Path, tmp_path: Path) -> None:
    arguments = ["benchmark", str(place / "gallery"), "--film", str(place / "film.avi"), "--out", str(tmp_path / "o")]
    code = (
        f"from emotions_cli.cli import main\ntry: main({[*arguments, *map(str, QUICK)]!r})\n"
        "except SystemExit as stop: assert not stop.code\n"
        "import sys; assert not {'torch', 'sklearn', 'scipy', 'umap', 'plotly'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_as_json_on_a_jetson(run: Run, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line, power = LINES["Orin NX and Nano"]
    install(tmp_path / "bin", "echo 'NV Power Mode: MAXN'; echo 0", "nvpmodel")
    monkeypatch.setenv("PATH", str(install(tmp_path / "bin", forever(line))), prepend=":")
    monkeypatch.setattr("eval.device_film._REST", 0.1)
    film = write_film(tmp_path / "film.avi", moving(20) * 4)
    code, out, err = run("benchmark", "device", place / "gallery", "--film", film, "--out", tmp_path / "o", "--json",
                         *QUICK)  # fmt: skip
    assert code == 0, err
    told = json.loads(out)
    assert told["machine"]["state"]["power_mode"] == "MAXN (0)"
    assert told["films"][1]["energy"]["power"] == power
    assert told["films"][1]["energy"]["per_face"] > 0
    assert "energy a face" in (tmp_path / "o" / "benchmark.md").read_text()


def test_against_another(run: Run, measured: Tuple[Path, str, str], place: Path, tmp_path: Path) -> None:
    folder = measured[0]
    code, out, err = run("benchmark", folder / "benchmark.json", "--against", folder, "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert {entry["ratio"] for entry in told["against"]} == {1.0}
    assert told["differences"] == []
    code, out, err = run("benchmark", "--against", folder, place / "gallery", "--film", place / "film.avi",
                         "--out", tmp_path / "o", "--neighbors", 2, *QUICK[:-4])  # fmt: skip
    assert code == 0, err
    assert "here / there" in out
    assert "neighbours: 2 here, 3 there." in err
    assert "here / there" in (tmp_path / "o" / "benchmark.md").read_text()


def test_which_command_is_meant(run: Run, place: Path) -> None:
    code, out, _ = run("benchmark", "--help")
    assert code == 0
    for name in ("device", "training", "evaluation", "emotions benchmark BUNDLE"):
        assert name in out
    assert "--against" in run("benchmark", "device", "--help")[1]
    assert "--rounds" in run("benchmark", "training", "--help")[1]
    code, _, err = run("benchmark", "trianing")
    assert code == 2
    assert "trianing does not exist" in err
    assert "emotions benchmark --help names" in err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--sizes", "1000,many"], "--sizes is '1000,many'"),
        (["--sizes", "5"], "A gallery of 5 vectors"),
        (["--sizes", "10000000"], "10000000"),
        (["--indexes", "falt"], "Did you mean 'flat'?"),
        (["--batches", "0"], "batch of 0"),
        (["--seconds", "0"], "--seconds is 0.0"),
        (["--film", "absent.mp4"], "absent.mp4 does not exist"),
        (["--against", "absent.json"], "absent.json cannot be read as a benchmark"),
        (["--tower", "absent.onnx"], "absent.onnx"),
        (["--detector", "absent.onnx"], "absent.onnx"),
    ],
)
def test_what_is_refused(
    run: Run, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Any, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("galleries.board._kilobytes", lambda *_: 1 << 30)
    code, _, err = run("benchmark", place / "gallery", "--film", place / "film.avi", "--sizes", "40", "--seconds", 0.02,
                       "--batches", 1, "--out", "o", *options)  # fmt: skip
    assert code == 2
    assert "Traceback" not in err
    assert told.replace(",", "") in err.replace(",", "").replace("\n", "")
    assert not (tmp_path / "o" / "benchmark.json").exists()


def test_a_damaged_other_and_a_taken_place(
    run: Run, measured: Tuple[Path, str, str], place: Path, tmp_path: Path
) -> None:
    folder = measured[0]
    data = (folder / "benchmark.json").read_text()
    (tmp_path / "other.json").write_text(data.replace('"runs"', '"rums"', 1))
    for arguments in ((folder / "benchmark.json",), (place / "gallery",)):
        code, out, err = run("benchmark", *arguments, "--against", tmp_path / "other.json")
        assert (code, out) == (2, "")
        assert err.count("error:") == 1
        assert "damaged or was changed" in err
    code, _, err = run("benchmark", tmp_path / "other.json")
    assert code == 2
    assert "--against" in err
    code, _, err = run("benchmark", place / "gallery", "--out", folder)
    assert code == 2
    assert "not empty" in err
    assert (folder / "benchmark.json").read_text() == data
