"""What the tests of the commands share: running a command in this process, faces on disk, and a trained run."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import os
import signal
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple

import cv2
import numpy as np
import pytest
from hypothesis import settings
from onnx_towers import SIDE, write_tower

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker a core; PyTorch reads this when it is first imported

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=1000, deadline=None)  # pytest --hypothesis-profile search
settings.load_profile("repeatable")

Run = Callable[..., Tuple[int, str, str]]
"""``run("data", path)`` → exit code, standard output, standard error."""

NAMES = ("anger", "happiness", "sadness")
REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Real data that may lie beside the checkout; what needs it is skipped without it."""
SMALL = ("--input-size", 16, "--batch-size", 32, "--threads", 1, "--precision", "float32")
"""What makes training quick."""


def run_command(*arguments: Any) -> Tuple[int, str, str]:
    """Run ``emotions ARGUMENTS`` in this process, as if its output went into files."""
    cli = importlib.import_module("emotions_cli.cli")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2))
    code: Any = 0
    on_terminate = signal.getsignal(signal.SIGTERM)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code or 0
        finally:
            signal.signal(signal.SIGTERM, on_terminate)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8"))  # type: ignore[attr-defined]
    return code, texts[0], texts[1]


def the_error(err: str) -> str:
    """The one sentence of a refusal on standard error; notes and counts may stand before it."""
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, err
    assert "Traceback" not in err
    return errors[0]


def checksums(folder: Path) -> Dict[str, str]:
    """Every file below a folder with its content's checksum."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def write_faces(folder: Path, counts: Dict[str, int], seed: int = 0) -> Path:
    """A folder of classes; each emotion's pictures are one random pattern under noise, 24x24 grey PNG."""
    rng = np.random.default_rng(seed)
    for emotion, count in counts.items():
        (folder / emotion).mkdir(parents=True, exist_ok=True)
        pattern = rng.integers(0, 256, (24, 24))
        for number in range(count):
            noisy = pattern // 2 + rng.integers(0, 128, (24, 24))
            cv2.imwrite(str(folder / emotion / f"{number}.png"), noisy.astype(np.uint8))
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded pictures of tests stay out of the person's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIAMESE_EMOTIONS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def run() -> Run:
    pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")
    return run_command


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three emotions, 14 pictures each. Not to be changed."""
    return write_faces(tmp_path_factory.mktemp("faces") / "faces", dict.fromkeys(NAMES, 14))


@pytest.fixture(scope="session")
def trained(run: Run, faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs on ``faces``, with its gallery. Not to be changed."""
    pytest.importorskip("torch", reason="the learning part is not installed")
    folder = tmp_path_factory.mktemp("trained") / "run"
    code, _, err = run("train", "--data", faces, "--epochs", 2, "--out", folder, *SMALL)
    assert code == 0, err
    return folder


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tower in ``run``, a folder of classes ``faces``, four pictures each, one of them broken. Not to be changed."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "run").mkdir()
    write_tower(folder / "run" / "tower.onnx")
    rng = np.random.default_rng(8)
    for name in ("angry", "happy", "sad"):
        (folder / "faces" / name).mkdir(parents=True)
        for number in range(4):
            picture = rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
            cv2.imwrite(str(folder / "faces" / name / f"{number}.png"), picture)
    (folder / "faces" / "sad" / "3.png").write_text("I am no picture.")
    return folder


@pytest.fixture
def built(place: Path, tmp_path: Path, run: Run) -> Path:
    """A gallery of ``place`` of the test's own."""
    code, _, err = run("gallery", "build", "--data", place / "faces", "--tower", place / "run", "--out", tmp_path / "g")
    assert code == 0, err
    return tmp_path / "g"


@pytest.fixture(scope="session")
def film_gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery for made films. Not to be changed."""
    from film_fakes import make_gallery

    return make_gallery(tmp_path_factory.mktemp("film-gallery"))


@pytest.fixture
def film_recognizer(film_gallery: Path) -> Any:
    """That gallery, opened with a finder of bright squares."""
    from film_fakes import open_gallery

    return open_gallery(film_gallery)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of two faces, ten frames a second. Not to be changed."""
    from film_fakes import moving, write_film

    return write_film(tmp_path_factory.mktemp("film") / "two.avi", moving(20))
