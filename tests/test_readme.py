"""What the README promises: its Python runs, its commands exist, its map is true."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from emotions_cli.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_lines_run(tmp_path: Path) -> None:
    (code,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    emotion, confidence, voters = re.fullmatch(r"(\w+) ([\d.]+) \[(.+)\]", done.stdout.strip()).groups()  # type: ignore[union-attr]
    assert emotion in voters
    assert 0 < float(confidence) <= 1


def options_of(name: str) -> set[str]:
    """Every option of a command and of its subcommands."""
    command = typer.main.get_command(importlib.import_module(f"emotions_cli.{name}").app)
    parameters = [part for one in (command, *getattr(command, "commands", {}).values()) for part in one.params]
    return {option for part in parameters for option in (*part.opts, *part.secondary_opts)}


def test_every_command_and_option_shown_exists() -> None:
    shown = re.findall(r"emotions (\w+)((?: [^\n`#]*)?)", "\n".join(blocks("bash")))
    assert {name for name, _ in shown} >= {"data", "train", "query", "gallery", "demo"}
    for name, rest in shown:
        assert name in COMMANDS
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in options_of(name), (name, option)


def test_the_two_commands_are_in_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in blocks("bash")[0].splitlines():
        command = shlex.split(line, comments=True)
        assert command[0] == "make"
        assert command[1] in targets


@pytest.mark.parametrize("package", ["galleries", "siamese", "eval", "scripts"])
def test_the_map_names_every_room(package: str) -> None:
    section = README.split("## Map of the code")[1].split("\n## ")[0]
    absent = []
    for path in sorted((ROOT / package).glob("*.py")):
        named = path.stem in COMMANDS or f"`{path.stem}`" in section
        if path.stem != "__init__" and not named:
            absent.append(path.stem)
    assert not absent


def test_pictures_and_files_linked_are_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
