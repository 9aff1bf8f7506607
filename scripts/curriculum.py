"""``emotions curriculum``: pairs of emotions from similar to distinct, then one emotion more at a time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional, Tuple

import typer

from emotions_cli import console
from emotions_cli import training_options as given
from galleries.errors import ConfigError, require

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(
    epilog="Example:  emotions curriculum --data synthetic:subjects=150 --emotions happiness,surprise,sadness,anger "
    "--epochs 6 --pair-epochs 4 --out runs/growing    "
    "(then)  emotions query runs/growing/final/gallery photo.jpg"
)
def curriculum(
    context: typer.Context,
    data: given.Data = None,
    tower: given.TowerName = None,
    recipe: given.Recipe = None,
    loss: given.Loss = None,
    emotions: given.Emotions = None,
    split: given.SplitName = "auto",
    ratios: given.Ratios = "70/15/15",
    similarity: str = typer.Option(
        "confusion", help="How pairs are ranked: confusion (of a warm-up tower's vote) or means (their distance)."
    ),
    prior: Optional[Path] = typer.Option(None, help="A TOML file that ranks the pairs instead (see the docs)."),
    bounds: Optional[str] = typer.Option(
        None, help="Similarities from which a pair is similar and moderate: '0.15,0.05'. [default: thirds]"
    ),
    growth: str = typer.Option("best", help="best, paper, or emotions in the order to add them, separated by commas."),
    choose: str = typer.Option("trial", help="How the best emotion is found: trial (train each) or pairs (stage 1)."),
    pairs_from: str = typer.Option(
        "scratch", help="What every pair of stage 1 starts from: scratch, as in the paper, or warm-up."
    ),
    threshold: float = typer.Option(0.70, help="Growth stops below this accuracy with three emotions or more."),
    criterion: str = typer.Option(
        "multi-class", help="What the threshold means, and what chooses: multi-class, balanced or one-vs-rest."
    ),
    order: str = typer.Option("similar-first", help="Pairs within a stage: similar-first, distinct-first or mixed."),
    epochs: int = typer.Option(12, help="Of each set of emotions."),
    pair_epochs: int = typer.Option(3, help="Of each pair in stage 1."),
    trial_epochs: int = typer.Option(2, help="Of each emotion that might be added."),
    warmup_epochs: int = typer.Option(3, help="Of the tower that the pairs are ranked by."),
    per_class: Optional[int] = typer.Option(None, help="Training pictures of each emotion at most. [default: all]"),
    batch_size: given.BatchSize = None,
    lr: given.Rate = None,
    optimizer: given.Optimizer = None,
    input_size: given.InputSize = None,
    precision: given.Precision = None,
    device: given.Device = "auto",
    seed: given.Seed = None,
    format: given.Format = None,
    ferplus: given.FerPlus = None,
    init: given.Init = None,
    out: Optional[Path] = typer.Option(None, help="The curriculum's folder. [default: runs/curriculum-TOWER-DATA-N]"),
    resume: Optional[Path] = typer.Option(None, help="Go on with this curriculum; its own settings are used."),
    thumbnails: given.Thumbnails = True,
    threads: given.Threads = None,
    json: given.Json = False,
) -> None:
    """Train as the siamese paper does: pairs from similar to distinct, then one emotion more at a time.

    Every pair is trained and scored on validation; then the set grows from the best pair until accuracy on validation
    falls below the threshold with three or more emotions. The last set above it is tested and becomes a gallery in
    final/. Every stage leaves a run folder; curriculum.json and curriculum.html tell the whole.
    """
    console.stop_on_terminate()
    require("torch", "train")
    require("plotly", "eval")
    require("sklearn", "eval")
    from emotions_cli import curriculum_run, training_run
    from siamese.curriculum.config import CurriculumConfig
    from siamese.curriculum.record import CURRICULUM_FILE, read_request

    if resume is not None:
        folder = resume
        request, config = read_request(folder)
    else:
        name, training = given.recipe_from(context.params, leave=["epochs"])
        if order != "mixed" and training.sampler == "shuffle":
            training = training.with_options(sampler="pairs")
        config = CurriculumConfig(
            training,
            similarity,
            _two_numbers(bounds),
            growth,
            choose,
            threshold,
            criterion,
            order,
            warmup_epochs,
            pair_epochs,
            trial_epochs,
            epochs,
            per_class,
            pairs_from,
        )
        asked = dict(context.params)
        if emotions is None and growth not in ("best", "paper"):
            asked["emotions"] = growth
        request = given.request_from(asked, name, training)
        folder = console.fresh_folder(out, f"curriculum-{training_run.run_stem(request)}")
    with training_run.refusal_leaves_nothing(folder, CURRICULUM_FILE, resume is not None):
        course = curriculum_run.prepare(request, config, folder, prior, device, threads, json, resume is not None)
        record = curriculum_run.run(course)
    report = curriculum_run.finish(course, record, thumbnails)
    if json:
        console.print_json(report)
    else:
        curriculum_run.tell(record, report, config, folder)


def _two_numbers(text: Optional[str]) -> Optional[Tuple[float, float]]:
    if text is None:
        return None
    try:
        high, low = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--bounds {text!r} was given; give two similarities such as 0.15,0.05.") from None
    return high, low


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["curriculum", *sys.argv[1:]])
