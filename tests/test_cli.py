"""The ``emotions`` command as a person uses it: help, data sets, a whole run, its gallery, and what is said when."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from conftest import Run, the_error

typer = pytest.importorskip("typer")
pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")

from emotions_cli.cli import COMMANDS  # noqa: E402 - only where it is installed


def parsers() -> Dict[Tuple[str, ...], Any]:
    """Every command and subcommand by the words that call it."""
    found: Dict[Tuple[str, ...], Any] = {}
    for name in COMMANDS:
        command = typer.main.get_command(importlib.import_module(f"emotions_cli.{name}").app)
        found[(name,)] = command
        for subname, subcommand in getattr(command, "commands", {}).items():
            found[(name, subname)] = subcommand
    return found


def examples() -> List[str]:
    """The command lines in the commands' epilogs."""
    parts = [part for command in parsers().values() for part in re.split(r"\s{2,}", command.epilog or "")]
    return [part for part in parts if part.startswith("emotions ")]


# --- help and mistakes in typing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", list(parsers()), ids=" ".join)
def test_help(run: Run, words: Tuple[str, ...]) -> None:
    code, out, err = run(*words, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: emotions {' '.join(words)}")
    if len(words) == 2 or words[0] not in ("gallery", "benchmark"):
        assert "Example:  emotions" in out


@pytest.mark.parametrize("example", examples())
def test_the_example_of_the_help_parses(example: str) -> None:
    words = shlex.split(example)[1:]
    known = parsers()
    name = tuple(words[:2]) if tuple(words[:2]) in known else (words[0],)
    command = known[name]
    context = command.make_context(" ".join(name), words[len(name) :])
    if hasattr(command, "commands"):  # a group may know which of its commands is meant where none is named
        known_of_click = vars(context)  # its name before and since click 8.2
        first = known_of_click.get("_protected_args") or known_of_click.get("protected_args", [])
        _, command, rest = command.resolve_command(context, [*first, *context.args])
        context = command.make_context(" ".join(name), rest, parent=context)
    assert context.params


def test_every_command_has_an_example() -> None:
    told = {example.split()[1] for example in examples()}
    assert told == set(COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_the_list_of_commands(run: Run, arguments: List[str]) -> None:
    code, out, _ = run(*arguments)
    assert code == 0
    assert all(f"  {name} " in out for name in COMMANDS)


def test_version(run: Run) -> None:
    assert re.fullmatch(r"siamese-emotions \d+\.\d+\.\d+\n", run("--version")[1])


def test_a_misspelt_command(run: Run) -> None:
    code, _, err = run("tran")
    assert code == 2
    assert "Did you mean 'train'?" in the_error(err)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["data"], "Missing argument"),
        (["query"], "Missing argument"),
        (["train", "--epochs", "many"], "'--epochs'"),
        (["train", "--epoch", "3"], "--epochs"),
        (["gallery", "inf"], "'info'"),
        (["gallery", "build", "--data", "x"], "'--tower'"),
    ],
)
def test_wrong_usage(run: Run, arguments: List[str], sentence: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.count("Error: ") == 1
    assert sentence in err
    assert "--help' for help" in err


@pytest.mark.parametrize(
    ("options", "nearest"),
    [
        (["--tower", "compct"], "Did you mean 'compact'?"),
        (["--loss", "tripplet"], "Did you mean 'triplet'?"),
        (["--loss", "supcon+arcfce"], "Did you mean 'arcface'?"),
        (["--recipe", "liexnt"], "Did you mean 'liexnet'?"),
        (["--optimizer", "adamv"], "Did you mean"),
        (["--sampler", "pair"], "Did you mean 'pairs'?"),
        (["--precision", "bfloat"], "Did you mean 'bfloat16'?"),
        (["--format", "rafbd"], "Did you mean 'rafdb'?"),
        (["--split", "subjects"], "Did you mean 'subject'?"),
        (["--class-weights", "balance"], "Did you mean 'balanced'?"),
        (["--miner", "batchhard"], "Did you mean"),
    ],
)
def test_an_unknown_name_lists_the_known_and_the_nearest(
    run: Run, faces: Path, tmp_path: Path, options: List[str], nearest: str
) -> None:
    pytest.importorskip("torch", reason="the learning part is not installed")
    code, _, err = run("train", "--data", faces, "--out", tmp_path / "run", *options)
    assert code == 2
    assert nearest in the_error(err)
    assert "Choose one of: " in err
    assert not (tmp_path / "run").exists(), "a refused run leaves nothing, so that --out can be given again"


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        (["train"], "torch", "train"),
        (["benchmark", "training"], "torch", "train"),
        (["demo"], "torch", "train"),
        (["demo"], "plotly", "eval"),
        (["demo"], "sklearn", "eval"),
    ],
)
def test_a_missing_extra_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: List[str], module: str, extra: str
) -> None:
    if module != "torch":
        pytest.importorskip("torch", reason="the learning part is not installed")
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*command)
    assert (code, out) == (2, "")
    sentence = the_error(err)
    assert f"'{module}'" in sentence
    assert f"pip install 'siamese-emotions[{extra}]'" in sentence
    assert not list(tmp_path.iterdir())


# --- the terminal -----------------------------------------------------------------------------------------------------


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell line in which ``$EMOTIONS`` starts the command."""
    own = {"EMOTIONS": f"{sys.executable} -m emotions_cli.cli", "PYTHONUNBUFFERED": ""}
    env = {**os.environ, **own, **environment}
    return subprocess.run(["bash", "-c", script], env=env, capture_output=True)


@pytest.mark.parametrize("arguments", ["--help", "data --help", "gallery info $GALLERY --list", "data $DATA --json"])
def test_a_reader_that_leaves(trained: Path, faces: Path, arguments: str) -> None:
    done = shell(f"$EMOTIONS {arguments} | true", GALLERY=str(trained / "gallery"), DATA=str(faces))
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", ["--help", "data $DATA", "data $DATA --json"])
def test_an_output_that_is_full(faces: Path, arguments: str) -> None:
    done = shell(f"$EMOTIONS {arguments} > /dev/full", DATA=str(faces))
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems want names in UTF-8")
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_a_name_that_is_no_text(trained: Path, faces: Path, tmp_path: Path, encoding: str) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9 \xc3\xa9 :boom: [red].png"
    shutil.copy(os.fsencode(faces / "anger" / "0.png"), odd)
    done = shell("$EMOTIONS query $GALLERY $FOLDER --json; $EMOTIONS query $GALLERY $FOLDER",
                 GALLERY=str(trained / "gallery"), FOLDER=str(tmp_path), PYTHONIOENCODING=encoding)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    text, _, human = done.stdout.decode().partition("\n}\n")
    (result,) = json.loads(text + "\n}")["results"]
    assert os.fsencode(result["path"]) == odd
    assert ":boom: [red].png: anger" in human
