"""What the commands share at the terminal: output, progress bars, errors and exit codes."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Iterator, Optional, Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from galleries.errors import EmotionsError

BAD_INPUT = 2
"""Exit code of a refused request."""

out = Console(highlight=False, soft_wrap=True, emoji=False)
"""Results."""

err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
"""Progress, notes and errors."""


def say(text: str) -> None:
    """Tell the person something that is no result, on standard error."""
    err.print(text, markup=False)


def warn(text: str) -> None:
    """Tell the person something to be careful about, on standard error."""
    err.print(f"[yellow]note:[/yellow] {escape(text)}")


def print_json(value: Any) -> None:
    """Print a result as JSON on standard output, the only thing there with ``--json``; readable UTF-8, or ASCII."""
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not is_unicode, allow_nan=False) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table on standard output; columns after the first are aligned right."""
    made = Table(title=escape(title) or None, title_justify="left", title_style="bold", header_style="bold")
    for position, column in enumerate(columns):
        made.add_column(escape(column), justify="left" if position == 0 else "right")
    for row in rows:
        made.add_row(*(escape(str(cell)) for cell in row))
    out.print(made)


def percent(share: float) -> str:
    """A share 0-1 as text: ``66.4 %``."""
    return f"{100 * share:.1f} %"


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; gives the callback ``progress(done, total)`` that moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(escape(title), total=None)

        def move(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield move


def run(work: Callable[[], None]) -> None:
    """Do a command's work; end with one sentence and exit code 2 where it cannot be done."""
    try:
        work()
    except EmotionsError as error:
        reason = str(error)
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        reason = f"{where}{error.strerror or error}; what was saved before is as it was."
    else:
        return
    err.print(f"[red]error:[/red] {escape(reason)}")
    raise SystemExit(BAD_INPUT)


def stop_on_terminate() -> None:
    """Let a polite kill (SIGTERM) end a command as Ctrl-C does."""

    def stop(_signal: int, _frame: Optional[FrameType]) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


def hush_libraries() -> None:
    """Keep libraries' own reports off the terminal; what matters of them is told in the toolkit's words."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)


def is_leader() -> bool:
    """Whether this process alone writes and prints: the only one, or rank 0 of a ``torchrun``."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("RANK", "0") == "0"


def hush_followers() -> None:
    """Let only the leader of several processes print."""
    out.quiet = err.quiet = not is_leader()


def fresh_folder(wanted: Optional[Path], stem: str) -> Path:
    """A run's folder: the one asked for, or the first free ``runs/STEM-N``.

    Raises:
        EmotionsError: The one asked for is taken.
    """
    if wanted is not None:
        if not is_leader():
            return wanted
        if wanted.exists() and (wanted.is_file() or any(wanted.iterdir())):
            raise EmotionsError(f"{wanted} exists and is not empty; choose another --out or remove it first.")
        return wanted
    number = 1
    while (folder := Path("runs") / f"{stem}-{number}").exists():
        number += 1
    return folder
