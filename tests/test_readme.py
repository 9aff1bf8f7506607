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
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


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
    return {"--help", *(option for part in parameters for option in (*part.opts, *part.secondary_opts))}


def assert_known(text: str) -> set[str]:
    """Every command in it exists and has the options shown; their names."""
    shown = re.findall(r"emotions (\w+)((?: [^\n`#;]*)?)", text)
    for name, rest in shown:
        assert name in COMMANDS
        for option in re.findall(r"--[a-z0-9-]+", rest):
            assert option in options_of(name), (name, option)
    return {name for name, _ in shown}


def test_every_command_and_option_shown_exists() -> None:
    assert assert_known("\n".join(blocks("bash"))) >= {"data", "train", "query", "gallery", "demo"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_beside_numbers_exist(page: Path) -> None:
    fenced = re.compile(r"```.*?```", re.DOTALL)
    quoted = re.findall(r"`([^`]+)`", fenced.sub("", page.read_text(encoding="utf-8")))
    assert_known("\n".join(" ".join(span.split()) for span in quoted if span.startswith("emotions ")))
    for span in quoted:
        for script in re.findall(r"^python (tests/\w+\.py)", span):
            assert (ROOT / script).exists(), span


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
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)
