"""The options that every command that trains takes, and the request that they make."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Tuple

import typer

if TYPE_CHECKING:
    from siamese.config import TrainingConfig
    from siamese.run import RunRequest

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
    typer.Option(
        help="compact, compact_wide, compact_straight, nano, siamese, liexnet, affectnet_cnn, fer_cnn or a torchvision "
        "classifier."
    ),
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
Init = Annotated[
    Optional[Path],
    typer.Option(help="Start from this run's weights, where they fit, or 'pretrained': the one that comes along."),
]
Threads = Annotated[Optional[int], typer.Option(help="CPU threads. [default: PyTorch's choice]")]
Thumbnails = Annotated[bool, typer.Option(help="Keep a 48x48 picture of each reference in the gallery, as evidence.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


CONFIGURED = (
    "tower",
    "loss",
    "epochs",
    "batch_size",
    "lr",
    "optimizer",
    "sampler",
    "miner",
    "class_weights",
    "mixup",
    "distil_weight",
    "distil_temperature",
    "distil_once",
    "distil_pairs",
    "clean",
    "seconds",
    "weights",
    "input_size",
    "precision",
    "seed",
)
"""Options that change a recipe, by the name of its entry."""


def recipe_from(typed: Mapping[str, Any], leave: Sequence[str] = ()) -> Tuple[str, TrainingConfig]:
    """The recipe that a person chose, with what was typed on top.

    Args:
        typed: A command's parameters by name (``context.params``).
        leave: Names that mean something else in this command.

    Returns:
        The recipe's name and the configuration.
    """
    from emotions_cli.training_run import find_config

    options = {name: typed[name] for name in CONFIGURED if name in typed and name not in leave}
    return find_config(typed["recipe"], typed["tower"], options)


def request_from(typed: Mapping[str, Any], recipe: str, config: TrainingConfig) -> RunRequest:
    """What a person asked to train on; paths are kept whole, so that a run can be resumed from any folder.

    Args:
        typed: A command's parameters by name; those it does not take have their usual value.
        recipe: The recipe's name.
        config: What it became.
    """
    from siamese.run import RunRequest

    split, ferplus, init, emotions, votes, detector = (
        typed.get(name) for name in ("split", "ferplus", "init", "emotions", "votes", "detector")
    )
    split = split or "auto"
    return RunRequest(
        _whole_path(typed["data"] or "synthetic"),
        config.to_json(),
        recipe,
        typed["format"],
        None if ferplus is None else _whole_path(str(ferplus)),
        typed.get("soft", False),
        tuple(emotions.split(",")) if emotions else None,
        _whole_path(split) if split.endswith(".json") else split,
        typed.get("ratios", "70/15/15"),
        None if init is None else _whole_path(str(init)),
        tuple(_whole_path(str(run)) for run in typed.get("teacher") or ()),
        None if votes is None else _whole_path(str(votes)),
        detector=None if detector is None else _whole_path(str(detector)),
    )


def _whole_path(name: str) -> str:
    """A path as it is from any folder; other names unchanged."""
    return str(Path(name).absolute()) if Path(name).exists() else name
