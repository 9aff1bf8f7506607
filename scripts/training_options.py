"""The options that every command that trains takes: what to train on, with what, where."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, Optional

import typer

if sys.version_info >= (3, 9):
    from typing import Annotated
else:
    from typing_extensions import Annotated

Data = Annotated[
    Optional[str],
    typer.Option(help="Data set: a FER-2013 CSV, a folder in a known layout, or 'synthetic'. [default: synthetic]"),
]
TowerName = Annotated[
    Optional[str],
    typer.Option(help="compact, siamese, liexnet, affectnet_cnn, fer_cnn, mobilenet_v2 or any torchvision classifier."),
]
Recipe = Annotated[
    Optional[str], typer.Option(help="A recipe's name, or the path of a TOML file. [default: the tower's own]")
]
Loss = Annotated[Optional[str], typer.Option(help="A loss or a sum: supcon, triplet, '0.5*supcon+cross-entropy' …")]
Emotions = Annotated[Optional[str], typer.Option(help="Only these emotions, separated by commas.")]
SplitName = Annotated[str, typer.Option(help="auto, official, random, subject, sequence, duplicate, or a split.json.")]
Ratios = Annotated[str, typer.Option(help="Train/validation/test shares where the split is not official.")]
BatchSize = Annotated[Optional[int], typer.Option(help="Pictures in a batch.")]
Rate = Annotated[Optional[float], typer.Option("--lr", help="Highest learning rate.")]
Optimizer = Annotated[Optional[str], typer.Option(help="sgd, adam or adamw.")]
InputSize = Annotated[Optional[int], typer.Option(help="Sides of the tower's input in pixels.")]
Precision = Annotated[Optional[str], typer.Option(help="auto, float32, bfloat16 or float16.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Seed = Annotated[Optional[int], typer.Option(help="Of everything random.")]
Format = Annotated[Optional[str], typer.Option(help="Force the data set's layout (see emotions data --help).")]
FerPlus = Annotated[Optional[Path], typer.Option(help="FER+'s fer2013new.csv, laid over FER-2013.")]
Init = Annotated[Optional[Path], typer.Option(help="Start from the weights of this run, where they fit.")]
Threads = Annotated[Optional[int], typer.Option(help="CPU threads. [default: PyTorch's choice]")]
Thumbnails = Annotated[bool, typer.Option(help="Keep a 48x48 picture of each reference in the gallery, as evidence.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def whole_path(name: str) -> str:
    """A path as it is from any folder, so that a run can be resumed from another; other names unchanged."""
    return str(Path(name).absolute()) if Path(name).exists() else name


def request_from(
    name: str, config: Any, data: Optional[str], options: Dict[str, Any], emotions: Optional[str], soft: bool = False
) -> Any:
    """What a person asked to train on, as a :class:`siamese.run.RunRequest`.

    Args:
        name: The recipe's name.
        config: The :class:`siamese.config.TrainingConfig`.
        data: The data set as typed.
        options: ``format``, ``ferplus``, ``split``, ``ratios`` and ``init`` as typed.
        emotions: Names separated by commas, or None.
        soft: Whether cross-entropy trains on FER+'s votes.
    """
    from siamese.run import RunRequest

    split, ferplus, init = options["split"], options["ferplus"], options["init"]
    return RunRequest(
        whole_path(data or "synthetic"),
        config.to_json(),
        name,
        options["format"],
        None if ferplus is None else whole_path(str(ferplus)),
        soft,
        tuple(emotions.split(",")) if emotions else None,
        whole_path(split) if split.endswith(".json") else split,
        options["ratios"],
        None if init is None else whole_path(str(init)),
    )
