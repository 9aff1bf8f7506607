"""``emotions compare``: several towers on the same split, with the same budget, and what each costs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

import typer

from emotions_cli import console
from emotions_cli import training_options as given
from galleries.errors import ConfigError, require

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

REPORT = "comparison.json"
SIX = "siamese,liexnet,affectnet_cnn,mobilenet_v2,fer_cnn,compact"
EPOCHS = 8


@app.command(
    epilog="Example:  emotions compare --data synthetic:subjects=40 --towers compact,liexnet --epochs 2 --seeds 2 "
    "--html compare.html"
)
def compare(
    context: typer.Context,
    data: given.Data = None,
    towers: Optional[str] = typer.Option(None, help=f"Which, separated by commas. [default: {SIX}]"),
    recipe: Optional[str] = typer.Option(
        None, help="One recipe for all: a name, or the path of a TOML file. [default: each tower's own]"
    ),
    emotions: given.Emotions = None,
    split: given.SplitName = "auto",
    ratios: given.Ratios = "70/15/15",
    epochs: Optional[int] = typer.Option(
        None, help=f"The budget: passes over the training pictures. [default: {EPOCHS}, unless --seconds is given]"
    ),
    seconds: Optional[float] = typer.Option(
        None, help="The budget as time: seconds of training of each run, validation not counted."
    ),
    seeds: Optional[int] = typer.Option(None, help="Trainings of each tower, with seeds 0, 1, … [default: 3]"),
    per_class: Optional[int] = typer.Option(None, help="Training pictures of each emotion at most. [default: all]"),
    references: Optional[int] = typer.Option(
        None, help="Training pictures that vote, every emotion in its share. [default: all in the test]"
    ),
    neighbors: int = typer.Option(15, "--neighbors", "-k", help="How many of them vote."),
    shots: int = typer.Option(5, help="Pictures of each emotion in a few-shot episode."),
    episodes: int = typer.Option(600, help="Few-shot episodes."),
    batch_size: given.BatchSize = None,
    input_size: given.InputSize = None,
    precision: given.Precision = None,
    device: given.Device = "auto",
    format: given.Format = None,
    ferplus: given.FerPlus = None,
    out: Optional[Path] = typer.Option(None, help="The comparison's folder. [default: runs/compare-DATA-N]"),
    resume: Optional[Path] = typer.Option(
        None, help="Go on with this comparison; its own settings are used, but --seeds may be another number."
    ),
    html: Optional[Path] = typer.Option(None, help="Write the result as one HTML page, with its chart."),
    threads: given.Threads = None,
    json: given.Json = False,
) -> None:
    """Train several towers on the same split with the same budget, and put what they can do beside what they cost.

    Accuracy with its interval over people and trainings, macro F1, few-shot accuracy, recall by emotion; weights,
    multiply-adds, size, latency and memory; tests of each tower against the best. A finished run is kept, so an
    interrupted comparison loses nothing that is done. Latency is that of one face on one thread, by ONNX Runtime.
    """
    console.stop_on_terminate()
    require("torch", "train")
    require("sklearn", "eval")
    from dataclasses import replace

    from emotions_cli import compare_run, compare_tables, run_ending
    from eval.comparison_page import comparison_page
    from eval.comparison_plan import Plan, entrant
    from galleries.atomic import write_text

    if resume is not None:
        if towers is not None:
            raise ConfigError("--towers was given with --resume, which takes a comparison up as it began; give one.")
        folder, plan = resume, Plan.read(resume)
        plan = plan if seeds is None else replace(plan, seeds=seeds)
    else:
        if epochs is not None and seconds is not None:
            raise ConfigError("--epochs and --seconds were both given; the budget is one of them.")
        passes = epochs if epochs is not None or seconds is not None else EPOCHS
        entrants = []
        for name in [name.strip() for name in (SIX if towers is None else towers).split(",")]:
            own, config = given.recipe_from({**context.params, "tower": name, "epochs": None})
            entrants.append(entrant(own, config, passes, seconds, neighbors, references))
        request = given.request_from(context.params, entrants[0].recipe, entrants[0].config)
        numbers = (3 if seeds is None else seeds, per_class, references, neighbors, shots, episodes)
        plan = Plan(request, tuple(entrants), *numbers)
        stem = Path(request.data).name.split(".")[0].split(":")[0]
        folder = console.fresh_folder(out, f"compare-{stem}")
    course = compare_run.prepare(plan, folder, device, threads, json, resume is not None)
    rows, found = compare_run.run(course)
    report = compare_tables.as_json(course, rows, found)
    run_ending.save_json(folder / REPORT, report)
    if html is not None:
        write_text(html, comparison_page(report))
    if json:
        console.print_json(report)
    else:
        compare_tables.tell(report, folder)
    if html is not None:
        console.say(f"wrote {html}")


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["compare", *sys.argv[1:]])
