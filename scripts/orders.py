"""``emotions orders``: does it matter which pairs of emotions come first? Every order at equal budget."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Optional

import typer

from emotions_cli import console
from emotions_cli import training_options as given
from galleries.errors import ConfigError, require

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

REPORT = "orders.json"


@app.command(
    epilog="Example:  emotions orders --data synthetic:subjects=60 --epochs 2 --warmup-epochs 1 --seeds 2 "
    "--out runs/orders"
)
def orders(
    context: typer.Context,
    data: given.Data = None,
    tower: given.TowerName = None,
    recipe: given.Recipe = None,
    loss: given.Loss = None,
    emotions: given.Emotions = None,
    split: given.SplitName = "auto",
    ratios: given.Ratios = "70/15/15",
    arms: str = typer.Option(
        "mixed,similar-first,distinct-first,growing", help="What to compare; mixed is the shuffled baseline."
    ),
    seeds: int = typer.Option(3, help="Repetitions of each, with seeds 0, 1, …"),
    epochs: int = typer.Option(8, help="The budget: so many passes over the pictures of all emotions."),
    warmup_epochs: int = typer.Option(3, help="Of the tower that the pairs are ranked by."),
    prior: Optional[Path] = typer.Option(None, help="A TOML file that ranks the pairs instead."),
    per_class: Optional[int] = typer.Option(None, help="Training pictures of each emotion at most. [default: all]"),
    batch_size: given.BatchSize = None,
    lr: given.Rate = None,
    optimizer: given.Optimizer = None,
    input_size: given.InputSize = None,
    precision: given.Precision = None,
    device: given.Device = "auto",
    format: given.Format = None,
    ferplus: given.FerPlus = None,
    out: Optional[Path] = typer.Option(None, help="The comparison's folder. [default: runs/orders-TOWER-DATA-N]"),
    resume: Optional[Path] = typer.Option(
        None, help="Go on with this comparison; its own settings are used, but for --arms and --seeds."
    ),
    threads: given.Threads = None,
    json: given.Json = False,
) -> None:
    """Train every order of pairs, and a growing set of emotions, at equal budget, and test each.

    The same pictures, tower, loss and number of pictures trained on; only which pairs of emotions come when differs.
    """
    console.stop_on_terminate()
    require("torch", "train")
    require("sklearn", "eval")
    from emotions_cli import curriculum_run, run_ending, training_run
    from eval.order_trial import ARMS, summarise
    from galleries.errors import unknown_name
    from siamese.curriculum.config import CurriculumConfig
    from siamese.curriculum.record import CURRICULUM_FILE, read_request

    wanted = list(dict.fromkeys(name.strip() for name in arms.split(",")))
    for name in wanted:
        if name not in ARMS:
            raise unknown_name("order to compare", name, ARMS)
    if seeds < 1:
        raise ConfigError(f"--seeds {seeds} was given; give 1 or more.")
    if resume is not None:
        folder = resume
        request, config = read_request(folder)
    else:
        name, training = given.recipe_from(context.params)
        if training.sampler == "shuffle":
            training = training.with_options(sampler="pairs")
        config = CurriculumConfig(training, warmup_epochs=warmup_epochs, per_class=per_class)
        request = given.request_from(context.params, name, training)
        folder = console.fresh_folder(out, f"orders-{training_run.run_stem(request)}")
    with training_run.refusal_leaves_nothing(folder, CURRICULUM_FILE, resume is not None):
        course = curriculum_run.prepare(request, config, folder, prior, device, threads, json, resume is not None)
    trials = curriculum_run.compare_orders(course, wanted, seeds)
    rows = summarise(trials)
    report = {"orders": rows, "trials": [vars(trial) for trial in trials], "emotions": course.data.dataset.emotions}
    run_ending.save_json(folder / REPORT, report)
    if json:
        console.print_json(report)
        return
    _tell(rows, 1 / len(course.data.dataset.emotions), folder)


def _tell(rows: Any, chance: float, folder: Path) -> None:
    def interval(bounds: Any) -> str:
        return "" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"

    console.table(
        "k-NN accuracy on the test, mean over seeds",
        ["order", "accuracy", "95 %", "one-vs-rest", "against mixed", "95 %", "seeds", "pictures"],
        [
            [
                row["arm"],
                console.percent(row["accuracy"]),
                interval(row["interval_95"]),
                console.percent(row["one_vs_rest_mean"]),
                "" if row["difference"] is None else f"{100 * row['difference']:+.1f}",
                interval(row["difference_95"]),
                row["seeds"],
                f"{row['pictures']:,}",
            ]
            for row in rows
        ],
    )
    console.out.print(f"chance {console.percent(chance)}. Everything is in {folder}.", markup=False)


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["orders", *sys.argv[1:]])
