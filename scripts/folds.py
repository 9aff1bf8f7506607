"""``emotions folds``: one tower in folds, under several ways to split: how much of an accuracy is people seen twice?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, List, Optional

import typer

from emotions_cli import console
from emotions_cli import training_options as given
from galleries.errors import ConfigError, require

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

REPORT = "folds.json"


@app.command(
    epilog="Example:  emotions folds --data synthetic:subjects=40 --by random,subject --folds 3 --epochs 1 "
    "--out runs/folds"
)
def folds(
    context: typer.Context,
    data: given.Data = None,
    tower: given.TowerName = None,
    recipe: given.Recipe = None,
    loss: given.Loss = None,
    emotions: given.Emotions = None,
    by: str = typer.Option("random,subject", help="Ways to split, side by side: random, subject, sequence, duplicate."),
    folds: int = typer.Option(5, help="Folds of each; every picture is tested on once."),
    epochs: Optional[int] = typer.Option(None, help="Passes over the training pictures. [default: the recipe's]"),
    batch_size: given.BatchSize = None,
    lr: given.Rate = None,
    optimizer: given.Optimizer = None,
    input_size: given.InputSize = None,
    precision: given.Precision = None,
    device: given.Device = "auto",
    seed: given.Seed = None,
    format: given.Format = None,
    init: given.Init = None,
    out: Optional[Path] = typer.Option(None, help="The folder of all runs. [default: runs/folds-TOWER-DATA-N]"),
    resume: Optional[Path] = typer.Option(
        None, help="Go on with these folds; their own settings are used, but for --by and --folds."
    ),
    threads: given.Threads = None,
    json: given.Json = False,
) -> None:
    """Train and test a tower in folds, once for each way to split, and put the results side by side.

    A random split puts frames of one film, and pictures of one person, on both sides; it is what many papers report.
    Where the recipe keeps the last epoch (monitor = "last", as fine-tune does) all other folds are trained on; else
    validation on a part of them chooses the epoch.
    """
    console.stop_on_terminate()
    require("torch", "train")
    require("sklearn", "eval")
    from emotions_cli import fold_run, run_ending, training_run
    from galleries.errors import unknown_name
    from siamese.run import RunRequest
    from siamese.splits import METHODS

    methods = list(dict.fromkeys(name.strip() for name in by.split(",")))
    for method in methods:
        if method not in METHODS or method in ("auto", "official"):
            raise unknown_name("way to split into folds", method, set(METHODS) - {"auto", "official"})
    if folds < 2:
        raise ConfigError(f"--folds {folds} was given; give 2 or more.")
    if resume is not None:
        folder, request = resume, RunRequest.read(resume)
    else:
        request = given.request_from(context.params, *given.recipe_from(context.params))
        folder = console.fresh_folder(out, f"folds-{training_run.run_stem(request)}")
    summaries = fold_run.run(request, folder, methods, folds, device, threads, resume is not None)
    report = {"ways": [summary.to_json() for summary in summaries]}
    run_ending.save_json(folder / REPORT, report)
    if json:
        console.print_json(report)
    else:
        _tell(summaries, folds, folder)


def _tell(summaries: List[Any], count: int, folder: Path) -> None:
    def share(value: Optional[float]) -> str:
        return "unknown" if value is None else console.percent(value)

    rows = []
    for found in summaries:
        low, high = (100 * bound for bound in found.interval)
        rows.append(
            [
                _name(found),
                console.percent(found.scores.accuracy),
                f"{low:.1f}-{high:.1f}",
                console.percent(found.scores.balanced_accuracy),
                f"{found.scores.macro_f1:.3f}",
            ]
        )
    scores = summaries[0].scores
    people = "by people" if summaries[0].by_people else "by pictures"
    console.table(
        f"k-NN accuracy in {count} folds, {scores.n} pictures, chance {console.percent(scores.chance)}, always the "
        f"most frequent {console.percent(scores.majority)}",
        ["split", "accuracy", f"95 % {people}", "balanced", "macro F1"],
        rows,
    )
    for found in summaries:
        leaking = "LEAKING, " if found.known_people or found.known_sequences else ""
        console.out.print(
            f"{_name(found)}: {leaking}{share(found.known_people)} of the pictures tested show people who are trained "
            f"on, {share(found.known_sequences)} come from films that are.",
            markup=False,
        )
    if len(summaries) > 1:
        first, last = summaries[0], summaries[-1]
        gap = abs(first.scores.accuracy - last.scores.accuracy)
        console.out.print(
            f"{100 * gap:.1f} points lie between {_name(first)} and {_name(last)}. Everything is in {folder}.",
            markup=False,
        )


def _name(found: Any) -> str:
    return found.method if found.trained else f"{found.method}, not trained on"


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["folds", *sys.argv[1:]])
