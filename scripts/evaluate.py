"""``emotions evaluate``: how often a gallery is right on pictures it has not seen. Needs no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, Optional

import typer

from emotions_cli import console
from galleries.errors import ConfigError, require

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

PARTS = ("test", "val", "train", "all")


@app.command(epilog="Example:  emotions evaluate runs/first/gallery --one-vs-rest --similarity")
def evaluate(
    gallery: Path = typer.Argument(..., help="The gallery's folder, such as runs/first/gallery."),
    data: Optional[str] = typer.Option(None, help="Data set to ask about. [default: that of the gallery's run]"),
    split: str = typer.Option("test", help="The part to ask about: test, val, train or all."),
    split_by: Optional[str] = typer.Option(
        None,
        help="auto, official, random, subject, sequence, duplicate, or a split.json. [default: the run's, or auto]",
    ),
    ratios: str = typer.Option("70/15/15", help="Train/validation/test shares where the split is not official."),
    seed: int = typer.Option(0, help="Of the split."),
    emotions: Optional[str] = typer.Option(None, help="Only these emotions. [default: those of the gallery]"),
    neighbors: str = typer.Option(
        "auto",
        "--neighbors",
        "-k",
        help="How many vote; auto tries 1 to 51 on validation before the test is looked at.",
    ),
    weights: Optional[str] = typer.Option(
        None, help="How: by distance or majority, or mean: that of each emotion votes. [default: as the gallery does]"
    ),
    one_vs_rest: bool = typer.Option(False, "--one-vs-rest", help="The siamese paper's table: TP, TN, FP, FN."),
    similarity: bool = typer.Option(
        False, "--similarity", help="The threshold mode: its best threshold on validation, applied to the part."
    ),
    without: Optional[str] = typer.Option(None, help="Also test with these emotions left out, such as neutral."),
    unknown: bool = typer.Option(
        False, "--unknown", help="Open set: leave emotions out of the gallery; are their pictures told from the others?"
    ),
    leave_out: Optional[str] = typer.Option(
        None, help="For --unknown: leave these out together. [default: each in turn]"
    ),
    disturbed: bool = typer.Option(
        False, "--disturbed", help="Ask again in the dark, blurred, noisy …: how well does the vote hold?"
    ),
    html: Optional[Path] = typer.Option(None, help="Write the result as one HTML page."),
    tower: Optional[Path] = typer.Option(None, help="The tower, if the gallery does not carry it."),
    format: Optional[str] = typer.Option(None, help="Force the data set's layout (see emotions data --help)."),
    ferplus: Optional[Path] = typer.Option(None, help="FER+'s fer2013new.csv, laid over FER-2013."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Ask a gallery about pictures it has not seen, and count how often its vote is right.

    Before the test, pictures that stand in the gallery, copies and near copies of its pictures, and people and films on
    both sides are looked for. If there are any, the result says LEAKING and is given without them too.
    """
    require("sklearn", "eval")
    from emotions_cli import evaluation, evaluation_tables

    if split not in PARTS:
        raise ConfigError(f"{split!r} is no part of a split; choose one of: {', '.join(PARTS)}.")
    if leave_out is not None and not unknown:
        raise ConfigError("--leave-out says what --unknown leaves out; give both, or --without to leave a class out.")
    options: Dict[str, Any] = {
        "data": data,
        "split_by": split_by,
        "ratios": ratios,
        "seed": seed,
        "emotions": emotions,
        "format": format,
        "ferplus": ferplus,
    }
    test = evaluation.open_test(gallery, tower, options)
    wanted = evaluation.Wanted(split, neighbors, weights, similarity, without, unknown, leave_out, disturbed)
    report = evaluation.judge_part(test, wanted)
    if html is not None:
        evaluation.write_page(report, html)
    if json:
        console.print_json(evaluation.as_json(report))
    else:
        evaluation_tables.tell(report, one_vs_rest)
    if html is not None:
        console.say(f"wrote {html}")


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["evaluate", *sys.argv[1:]])
