"""``emotions train``: data set → split → tower → training → gallery → test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import List, Optional

import typer

from emotions_cli import console
from emotions_cli import training_options as given
from galleries.errors import require

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(
    epilog="Example:  emotions train --data fer2013.csv --tower compact --out runs/first    "
    "(then)  emotions query runs/first/gallery photo.jpg"
)
def train(
    context: typer.Context,
    data: given.Data = None,
    tower: given.TowerName = None,
    recipe: given.Recipe = None,
    loss: given.Loss = None,
    emotions: given.Emotions = None,
    split: given.SplitName = "auto",
    ratios: given.Ratios = "70/15/15",
    epochs: Optional[int] = typer.Option(None, help="Passes over the training pictures."),
    seconds: Optional[float] = typer.Option(None, help="Time to train for; the schedule goes by it, not by epochs."),
    batch_size: given.BatchSize = None,
    lr: given.Rate = None,
    optimizer: given.Optimizer = None,
    sampler: Optional[str] = typer.Option(None, help="shuffle, pk (P emotions x K pictures) or pairs."),
    miner: Optional[str] = typer.Option(None, help="batch-hard, semihard, multi-similarity … for pairs and triplets."),
    class_weights: Optional[str] = typer.Option(None, help="none, balanced or sqrt, for cross-entropy."),
    mixup: Optional[float] = typer.Option(None, help="Share of a batch that is blended with other pictures, 0-1."),
    clean: Optional[str] = typer.Option(
        None, help="none; training: no copies and conflicting labels in training; held-out: none of the test's either."
    ),
    teacher: Optional[List[Path]] = typer.Option(
        None, help="A run whose tower teaches this one, or 'pretrained'; name the option again for several."
    ),
    distil_weight: Optional[float] = typer.Option(None, help="Share of the teachers in the cross-entropy, 0-1."),
    distil_temperature: Optional[float] = typer.Option(None, help="How soft their answers are, from 1."),
    distil_once: Optional[bool] = typer.Option(
        None, "--distil-once/--distil-always", help="Ask them once a picture, or about every batch as it is varied."
    ),
    distil_pairs: Optional[float] = typer.Option(
        None, help="Weight of learning from them which faces are alike, besides classes; such as 0.5."
    ),
    weights: Optional[str] = typer.Option(None, help="'imagenet': pretrained weights of a torchvision tower."),
    input_size: given.InputSize = None,
    precision: given.Precision = None,
    device: given.Device = "auto",
    seed: given.Seed = None,
    format: given.Format = None,
    ferplus: given.FerPlus = None,
    soft: bool = typer.Option(False, "--soft", help="With --ferplus: train cross-entropy on the votes themselves."),
    votes: Optional[Path] = typer.Option(
        None, help="FER+'s fer2013new.csv beside FER-2013's own labels: cross-entropy learns from both."
    ),
    detector: Optional[Path] = typer.Option(
        None, help="A YuNet face detector's .onnx file, from which compact_straight first learns where faces are."
    ),
    init: given.Init = None,
    out: Optional[Path] = typer.Option(None, help="The run's folder. [default: runs/TOWER-DATA-N]"),
    resume: Optional[Path] = typer.Option(None, help="Go on with this run; its own settings are used."),
    thumbnails: given.Thumbnails = True,
    threads: given.Threads = None,
    json: given.Json = False,
) -> None:
    """Train a tower on a data set, build its gallery, and test it on pictures it has not seen.

    The run's folder holds tower.safetensors, tower.onnx, card.json, history.csv, split.json, result.json and gallery/.
    Ctrl-C leaves a run that --resume takes up; it then reaches the numbers it would have reached. A recipe may want
    other runs first, as 'shipped' does for its teachers: they are trained into the folder's before/, unless --teacher
    or --init names some.
    Several processes: torchrun --nproc_per_node 2 -m emotions_cli.cli train ...
    """
    console.stop_on_terminate()
    console.hush_followers()
    require("torch", "train")
    from emotions_cli import earlier_runs, run_ending, training_run
    from siamese.run import RunRequest
    from siamese.state import STATE_FILE

    if resume is not None:
        folder, request = resume, RunRequest.read(resume)
        earlier = earlier_runs.kept(request, folder)
    else:
        request = given.request_from(context.params, *given.recipe_from(context.params))
        folder = console.fresh_folder(out, training_run.run_stem(request))
        request, earlier = earlier_runs.plan(context.params, request, folder)
    first = str(earlier[0].folder / STATE_FILE) if earlier else STATE_FILE
    with training_run.refusal_leaves_nothing(folder, first, resume is not None):
        if resume is None:
            earlier_runs.save(earlier)
        run = training_run.prepare_run(request, folder, device, threads, resume is not None, json)
        earlier_runs.train_them(earlier, device, threads)
        result = training_run.train_run(run)
    if not result.leader:
        return
    report = run_ending.finish_run(run, result, thumbnails)
    if json:
        console.print_json(report)
    else:
        run_ending.print_report(report, folder)


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["train", *sys.argv[1:]])
