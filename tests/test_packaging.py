"""What pip installs: a device gets what it needs and no more, and every file that the commands read comes along."""

from __future__ import annotations

import email
import importlib.util
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, List, Set

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"galleries": "galleries", "siamese": "siamese", "eval": "eval", "emotions_cli": "scripts"}


@pytest.fixture(scope="module")
def project() -> Dict[str, Any]:
    """The file pyproject.toml."""
    tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    values: Dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return values


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that pip builds from a copy of the sources."""
    installed = {found.metadata["Name"].lower(): found.version for found in metadata.distributions()}
    if "pip" not in installed or int(installed.get("setuptools", "0").split(".")[0]) < 71:
        pytest.skip("pip and setuptools from 71 on are needed to build a wheel here")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            (source / name).write_bytes((ROOT / name).read_bytes())
    for place in FOLDERS.values():
        for path in (ROOT / place).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                copy = source / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", str(source), "-w", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout.decode()
    (made,) = folder.glob("*.whl")
    return zipfile.ZipFile(made)


def names_of(requirements: List[str]) -> Set[str]:
    """The distributions' names, without versions, extras and markers."""
    found = [re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements]
    return {match[0].lower() for match in found if match is not None}


def test_a_device_gets_what_it_needs(project: Dict[str, Any]) -> None:
    needed = {"numpy", "opencv-python-headless", "faiss-cpu", "onnxruntime", "typer", "rich"}
    assert names_of(project["project"]["dependencies"]) == needed
    assert "opencv-python-headless>=4.8,<5" in project["project"]["dependencies"]
    assert project["project"]["requires-python"] == ">=3.8"


def test_the_extras(project: Dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    assert set(extras) == {"train", "eval", "tables", "dev", "all"}
    assert names_of(extras["tables"]) == {"pyarrow"}
    torch = {"torch", "torchvision", "pytorch-metric-learning", "safetensors", "tensorboard"}
    assert names_of(extras["train"]) >= torch
    assert names_of(extras["eval"]) == {"scikit-learn", "scipy", "umap-learn", "plotly"}
    assert names_of(extras["dev"]) >= {"pytest", "hypothesis", "ruff", "mypy", "import-linter"}
    assert extras["all"] == ["siamese-emotions[train,eval,tables]"]


def test_the_command_is_there(project: Dict[str, Any]) -> None:
    assert project["project"]["name"] == "siamese-emotions"
    assert project["project"]["scripts"] == {"emotions": "emotions_cli.cli:main"}
    pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")
    assert importlib.util.find_spec("emotions_cli.cli") is not None


def test_the_wheel_holds_every_file(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = {
        str(package / path.relative_to(ROOT / place))
        for package, place in ((Path(package), place) for package, place in FOLDERS.items())
        for path in (ROOT / place).rglob("*")
        if path.is_file()
        and (path.suffix in (".py", ".toml") or path.name == "py.typed" or "pretrained" in path.parts[:-1])
    }
    assert "galleries/pretrained/gallery/index.faiss" in held
    assert held == wanted
    assert sum(name.startswith("emotions_cli/recipes/") for name in held) >= 6
    assert {"galleries/py.typed", "siamese/py.typed", "eval/py.typed"} <= held


def test_the_wheel_takes_no_stranger_s_name(wheel: zipfile.ZipFile) -> None:
    (listed,) = [name for name in wheel.namelist() if name.endswith("top_level.txt")]
    assert set(wheel.read(listed).decode().split()) == set(FOLDERS)


def test_the_wheel_s_metadata(wheel: zipfile.ZipFile, project: Dict[str, Any]) -> None:
    (listed,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    told = email.message_from_bytes(wheel.read(listed))
    assert told["Name"] == "siamese-emotions"
    assert told["Version"] == project["project"]["version"]
    assert told["Requires-Python"] == ">=3.8"
    always = [line for line in told.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert names_of(always) == names_of(project["project"]["dependencies"])
    (entry,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "emotions = emotions_cli.cli:main" in wheel.read(entry).decode()
