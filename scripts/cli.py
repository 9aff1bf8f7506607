"""The ``emotions`` command: finds the command's file and hands over. Imports nothing heavy itself."""

from __future__ import annotations

import difflib
import importlib
import io
import os
import sys
from typing import List, Optional

COMMANDS = {
    "data": "recognise a data set; counts per emotion and split; a contact sheet",
    "train": "train a tower, build its gallery, test it",
    "curriculum": "pairs of emotions from similar to distinct, then one emotion more at a time",
    "orders": "does it matter which pairs of emotions come first? every order at equal budget",
    "folds": "one tower in folds, under several ways to split: how much is people seen twice?",
    "compare": "several towers on the same split with the same budget: accuracy, cost, tests",
    "gallery": "build a gallery, change it, take a change back, see what it holds",
    "query": "which emotion is this face, and which faces say so?",
    "video": "the emotions of a film, a camera, a stream or a folder of pictures, person by person",
    "evaluate": "how often a gallery is right on pictures it has not seen: intervals, leaks, confusions",
    "fewshot": "how far do a few pictures of each emotion carry, on new people and new emotions?",
    "visualize": "a gallery as a map: who lies near whom, and which face is it?",
    "report": "a run as one page to send to a supervisor",
    "export": "what a device needs of a run, in one folder or zip, checked as it is written",
    "benchmark": "how fast this machine answers, trains and judges, beside the bare libraries in the same run",
    "doctor": "is this machine fit for it, and what to do about what is missing",
    "demo": "the whole path in three minutes, on faces the project draws itself",
}
"""Every command, with what it is for, in the order a person meets them."""


READER_LEFT = 1
"""Exit code when the reader of a pipe closed it early, as ``head`` does."""


def main(arguments: Optional[List[str]] = None) -> None:
    """Run a command.

    Args:
        arguments: What a person typed after ``emotions``; ``sys.argv`` by default.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name need not be text
    try:
        try:
            _run(sys.argv[1:] if arguments is None else arguments)
        finally:
            sys.stdout.flush()  # while a closed pipe or a full disk can still be handled
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise SystemExit(READER_LEFT) from None
        print(f"error: standard output could not be written ({error.strerror}).", file=sys.stderr)
        raise SystemExit(2) from None


def _run(arguments: List[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return
    name = arguments[0]
    if name in ("-V", "--version"):
        from importlib.metadata import version

        print(f"siamese-emotions {version('siamese-emotions')}")
        return
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        print(f"error: {name!r} is not a command.{hint} Run emotions --help for the list.", file=sys.stderr)
        raise SystemExit(2)
    console = importlib.import_module("emotions_cli.console")
    module = importlib.import_module(f"emotions_cli.{name}")
    console.run(lambda: module.app(args=arguments[1:], prog_name=f"emotions {name}"))


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [
        "Usage: emotions COMMAND [OPTIONS]",
        "",
        "Facial emotion recognition by metric learning: a tower turns a face into a vector,",
        "and its nearest neighbours in a gallery vote on the emotion.",
        "",
        "Commands (emotions COMMAND --help tells more, with an example):",
        *(f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()),
        "",
        "Start here:",
        "  emotions query photo.jpg",
        "  emotions demo",
        "  emotions train --data fer2013.csv --tower compact --out runs/first",
        "  emotions query runs/first/gallery photo.jpg",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
