"""``emotions train``: data set → split → tower → training → gallery → test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

import typer

from emotions_cli import console
from galleries.errors import require

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(
    epilog="Example:  emotions train --data fer2013.csv --tower compact --out runs/first    "
    "(then)  emotions query runs/first/gallery photo.jpg"
)
def train(
    data: Optional[str] = typer.Option(
        None, help="Data set: a FER-2013 CSV, a folder in a known layout, or 'synthetic'. [default: synthetic]"
    ),
    tower: Optional[str] = typer.Option(
        None, help="compact, siamese, liexnet, affectnet_cnn, fer_cnn, mobilenet_v2 or any torchvision classifier."
    ),
    recipe: Optional[str] = typer.Option(
        None, help="A recipe's name, or the path of a TOML file. [default: the tower's own]"
    ),
    loss: Optional[str] = typer.Option(None, help="A loss or a sum: supcon, triplet, '0.5*supcon+cross-entropy' …"),
    emotions: Optional[str] = typer.Option(None, help="Only these emotions, separated by commas."),
    split: str = typer.Option("auto", help="auto, official, random, subject, sequence, duplicate, or a split.json."),
    ratios: str = typer.Option("70/15/15", help="Train/validation/test shares where the split is not official."),
    epochs: Optional[int] = typer.Option(None, help="Passes over the training pictures."),
    batch_size: Optional[int] = typer.Option(None, help="Pictures in a batch."),
    lr: Optional[float] = typer.Option(None, help="Highest learning rate."),
    optimizer: Optional[str] = typer.Option(None, help="sgd, adam or adamw."),
    sampler: Optional[str] = typer.Option(None, help="shuffle, pk (P emotions x K pictures) or pairs."),
    miner: Optional[str] = typer.Option(None, help="batch-hard, semihard, multi-similarity … for pairs and triplets."),
    class_weights: Optional[str] = typer.Option(None, help="none, balanced or sqrt, for cross-entropy."),
    weights: Optional[str] = typer.Option(None, help="'imagenet': pretrained weights of a torchvision tower."),
    input_size: Optional[int] = typer.Option(None, help="Sides of the tower's input in pixels."),
    precision: Optional[str] = typer.Option(None, help="auto, float32, bfloat16 or float16."),
    device: str = typer.Option("auto", help="auto, cpu, cuda or cuda:N."),
    seed: Optional[int] = typer.Option(None, help="Of everything random."),
    format: Optional[str] = typer.Option(None, help="Force the data set's layout (see emotions data --help)."),
    ferplus: Optional[Path] = typer.Option(None, help="FER+'s fer2013new.csv, laid over FER-2013."),
    soft: bool = typer.Option(False, "--soft", help="With --ferplus: train cross-entropy on the votes themselves."),
    init: Optional[Path] = typer.Option(None, help="Start from the weights of this run, where they fit."),
    out: Optional[Path] = typer.Option(None, help="The run's folder. [default: runs/TOWER-DATA-N]"),
    resume: Optional[Path] = typer.Option(None, help="Go on with this run; its own settings are used."),
    thumbnails: bool = typer.Option(True, help="Keep a 48x48 picture of each reference in the gallery, as evidence."),
    threads: Optional[int] = typer.Option(None, help="CPU threads. [default: PyTorch's choice]"),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Train a tower on a data set, build its gallery, and test it on pictures it has not seen.

    The run's folder holds tower.safetensors, tower.onnx, card.json, history.csv, split.json, result.json and gallery/.
    Ctrl-C leaves a run that --resume takes up; it then reaches the numbers it would have reached.
    Several processes: torchrun --nproc_per_node 2 -m emotions_cli.cli train ...
    """
    console.stop_on_terminate()
    console.hush_followers()
    require("torch", "train")
    from emotions_cli import run_ending, training_run
    from siamese.run import RunRequest

    if resume is not None:
        folder, request = resume, RunRequest.read(resume)
    else:
        options = {
            "tower": tower,
            "loss": loss,
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "optimizer": optimizer,
            "sampler": sampler,
            "miner": miner,
            "class_weights": class_weights,
            "weights": weights,
            "input_size": input_size,
            "precision": precision,
            "seed": seed,
        }
        name, config = training_run.find_config(recipe, tower, options)
        request = RunRequest(
            _whole_path(data or "synthetic"),
            config.to_json(),
            name,
            format,
            None if ferplus is None else _whole_path(str(ferplus)),
            soft,
            tuple(emotions.split(",")) if emotions else None,
            _whole_path(split) if split.endswith(".json") else split,
            ratios,
            None if init is None else _whole_path(str(init)),
        )
        stem = f"{config.tower}-{Path(request.data).name.split('.')[0].split(':')[0]}"
        folder = console.fresh_folder(out, stem)
    with training_run.refusal_leaves_nothing(folder, resume is not None):
        run = training_run.prepare_run(request, folder, device, threads, resume is not None, json)
        result = training_run.train_run(run)
    if not result.leader:
        return
    report = run_ending.finish_run(run, result, thumbnails)
    if json:
        console.print_json(report)
    else:
        run_ending.print_report(report, folder)


def _whole_path(name: str) -> str:
    """A path as it is from any folder, so that a run can be resumed from another; other names unchanged."""
    return str(Path(name).absolute()) if Path(name).exists() else name


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["train", *sys.argv[1:]])
