"""``emotions doctor``: what is installed, what machine this is, and what to do about what is wrong. Needs no torch."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import typer

from emotions_cli import console

if TYPE_CHECKING:
    from galleries.board import Board
    from galleries.checkup import Finding

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

MARKS = {"ok": "[green]ok[/green]", "note": "[yellow]note[/yellow]", "problem": "[red]problem[/red]"}


@app.command(epilog="Example:  emotions doctor --json")
def doctor(json: bool = typer.Option(False, "--json", help="Print what was found as JSON.")) -> None:
    """Check this machine: libraries, extras, memory, writable places, and a self-test with known answers.

    Ends with exit code 0 if the toolkit can be used here and 2 if not; notes do not matter to that.
    """
    from galleries.board import look_at_board
    from galleries.checkup import is_usable

    board = look_at_board()
    findings = examine(board)
    usable = is_usable(findings)
    if json:
        told = {"usable": usable, "board": board.to_json(), "findings": [finding.to_json() for finding in findings]}
        console.print_json(told)
    else:
        _print(findings, usable)
    if not usable:
        raise SystemExit(console.BAD_INPUT)


def examine(board: Board) -> List[Finding]:
    """Everything that is looked at, in the order it is told."""
    from galleries.checkup import check_extras, check_machine, check_places, check_software, self_test

    software = [*check_software(board), _check_torch(board)]
    tested = self_test()
    cache = _cache_folder()
    places = {"results": Path.cwd(), "temporary files": Path(tempfile.gettempdir())}
    if cache is not None:
        places["cache"] = cache
    return [
        *software,
        *check_extras(),
        *check_machine(board),  # after the libraries were loaded
        *check_places(places),
        *([] if cache is None else [_measure_cache(cache)]),
        *tested,
    ]


def _check_torch(board: Board) -> Finding:
    """Whether torch is there and sees a GPU; it is only needed to train and export."""
    from galleries.checkup import NOTE, OK, Finding, version_of

    version = version_of("torch")
    if version is None:
        return Finding("software", "torch", OK, "absent; only training and export need it")
    try:
        torch: Any = importlib.import_module("torch")
        cuda = torch.version.cuda
        seen = bool(torch.cuda.is_available())
    except Exception as error:  # a broken or foreign wheel raises what it likes
        told = f"{version}, cannot be imported ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        return Finding("software", "torch", NOTE, told[:300], "pip install --force-reinstall torch torchvision")
    if seen:
        return Finding("software", "torch", OK, f"{version}, CUDA {cuda} on {torch.cuda.get_device_name()}")
    if board.jetson is not None or Path("/dev/nvidia0").exists():
        remedy = "on a Jetson install NVIDIA's torch wheel for its JetPack; elsewhere check the driver (nvidia-smi)"
        return Finding("software", "torch", NOTE, f"{version}, no usable GPU", remedy)
    return Finding("software", "torch", OK, f"{version}, on the CPU")


def _cache_folder() -> Optional[Path]:
    """Where decoded pictures are kept; None if the libraries for reading them are broken."""
    try:
        from siamese.datasets.cache import cache_folder
    except Exception:  # told as the library's own finding
        return None
    return cache_folder()


def _measure_cache(folder: Path) -> Finding:
    from galleries.checkup import OK, Finding

    size, files = 0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - as os.walk gives them
                files += 1
            except OSError:  # gone meanwhile
                continue
    advice = "may be deleted at any time; SIAMESE_EMOTIONS_CACHE moves it" if files else ""
    return Finding("places", "cache holds", OK, f"{files} files, {size / 2**20:.1f} MiB", advice)


def _print(findings: List[Finding], usable: bool) -> None:
    topics: Dict[str, List[Finding]] = {}
    for finding in findings:
        topics.setdefault(finding.topic, []).append(finding)
    for topic, members in topics.items():
        console.out.print(f"[bold]{topic}[/bold]")
        for finding in members:
            console.out.print(f"  {MARKS[finding.state]} ", end="")
            console.out.print(f"{finding.name}: {finding.told}", markup=False)
            if finding.remedy:
                console.out.print(f"       -> {finding.remedy}", markup=False)
    problems = sum(finding.state == "problem" for finding in findings)
    verdict = (
        "The toolkit can be used here." if usable else f"{problems} problem(s) keep the toolkit from working here."
    )
    console.out.print(verdict)


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["doctor", *sys.argv[1:]])
