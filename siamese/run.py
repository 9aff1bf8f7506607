"""A run: what was asked for, and the folder that keeps it with everything it makes.

``run.json`` is written first, so that a run stopped at any moment can be resumed with nothing but its folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Optional

from galleries.atomic import write_text
from galleries.errors import ConfigError, SplitError, TrainingError
from siamese.cleaning import CLEANED_FILE, clean_training, write_dropped
from siamese.config import TrainingConfig, config_from_mapping
from siamese.datasets import FaceDataset, load_dataset, write_skip_report
from siamese.datasets.reading import Progress
from siamese.splits import Split, find_split, load_split

RUN_FILE = "run.json"
SPLIT_FILE = "split.json"
SKIPPED_FILE = "skipped.tsv"


@dataclass(frozen=True)
class RunRequest:
    """What a person asked to train, enough to repeat it.

    Attributes:
        data: The data set's path, or ``"synthetic"``.
        training: The configuration as a plain dict.
        recipe: Name of the recipe it was made from.
        format: Forced layout, or None.
        ferplus: FER+ votes to lay over FER-2013, or None.
        soft: Whether cross-entropy trains on those votes themselves.
        emotions: The emotions kept, any spelling, or None for all.
        split: ``"auto"``, a method, or the path of a split.json.
        ratios: ``"70/15/15"``.
        init: A run whose weights to start from, or None.
        teachers: Runs whose towers teach this one.
        votes: FER+ votes beside FER-2013's labels, or None.
        before: Recipes of the runs that were trained for this one, in the folder ``before``, the earliest first.
        detector: A YuNet model from whose landmarks a ``compact_straight`` tower learns where faces are, or None.
    """

    data: str
    training: dict[str, Any]
    recipe: str = ""
    format: Optional[str] = None
    ferplus: Optional[str] = None
    soft: bool = False
    emotions: Optional[tuple[str, ...]] = None
    split: str = "auto"
    ratios: str = "70/15/15"
    init: Optional[str] = None
    teachers: tuple[str, ...] = ()
    votes: Optional[str] = None
    before: tuple[str, ...] = ()
    detector: Optional[str] = None

    @property
    def config(self) -> TrainingConfig:
        """The checked configuration."""
        return config_from_mapping(self.training, "the run's configuration")

    def save(self, folder: Path) -> None:
        """Write ``run.json``."""
        write_text(folder / RUN_FILE, json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: Path) -> RunRequest:
        """Read ``run.json`` back.

        Raises:
            TrainingError: The folder is no run, or the file is damaged.
        """
        path = folder / RUN_FILE
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise TrainingError(
                f"{folder} is not a run: it has no {RUN_FILE}. Give the folder that emotions train wrote."
            ) from error
        except (OSError, ValueError, TypeError, RecursionError, ConfigError) as error:
            raise TrainingError(f"{path} is damaged ({str(error).rstrip('.')}); start the run anew.") from error

    @classmethod
    def from_json(cls, content: Any) -> RunRequest:
        """Read a request back from the plain dict that ``dataclasses.asdict`` gave.

        Raises:
            ValueError: An entry is unknown, or of another kind.
            ConfigError: The configuration is none.
        """
        values = _checked(content)
        unknown = set(values) - {item.name for item in fields(cls)}
        if unknown:
            raise ValueError(f"unknown entries {sorted(unknown)}")
        if values.get("emotions") is not None:
            values["emotions"] = tuple(values["emotions"])
        for key in ("teachers", "before"):
            values[key] = tuple(values.get(key, ()))
        request = cls(**values)
        request.config  # noqa: B018 - checks the configuration
        return request


def _checked(values: Any) -> dict[str, Any]:
    """The content of a ``run.json``, once every entry is of its kind."""
    if not isinstance(values, dict):
        raise ValueError("no JSON object")
    for key in ("data", "recipe", "split", "ratios"):
        if not isinstance(values.get(key, ""), str):
            raise ValueError(f"{key} is no text")
    for key in ("format", "ferplus", "init", "votes", "detector"):
        if not isinstance(values.get(key), (str, type(None))):
            raise ValueError(f"{key} is no text")
    emotions = values.get("emotions")
    if emotions is not None and not (isinstance(emotions, list) and all(isinstance(name, str) for name in emotions)):
        raise ValueError("emotions is no list of names")
    for key in ("teachers", "before"):
        names = values.get(key, [])
        if not (isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)):
            raise ValueError(f"{key} is no list of names")
    if not isinstance(values.get("soft", False), bool):
        raise ValueError("soft is neither true nor false")
    return values


def prepare_data(
    request: RunRequest, folder: Path, progress: Optional[Progress] = None, resume: bool = False, keep: bool = True
) -> tuple[FaceDataset, Split]:
    """Read a run's data set, split it, and clean its training part where that is wanted.

    The split, the list of skipped pictures and that of those cleaned away are kept in the folder.

    Args:
        request: What was asked for.
        folder: The run.
        progress: Called with (done, total) while reading.
        resume: Use the split in the folder.
        keep: Whether to write into the folder; of several processes only one does.

    Returns:
        The data set, restricted to the wanted emotions, and its split.

    Raises:
        DataError: The data cannot be used.
        SplitError: The split cannot be made, or the data set has changed since the run began.
    """
    dataset = load_dataset(
        request.data,
        request.format,
        ferplus=request.ferplus,
        soft=request.soft,
        progress=progress,
        votes=request.votes,
        votes_share=request.config.votes_share,
    )
    if request.emotions:
        dataset = dataset.select(request.emotions)
    kept = folder / SPLIT_FILE
    if resume and kept.is_file():
        return dataset, load_split(kept, dataset)
    split = find_split(dataset, request.split, request.ratios, request.config.seed)
    if len(split.val) == 0:
        raise SplitError(
            f"The split {request.split} ({request.ratios}) leaves no validation pictures; give --ratios with three "
            "parts, such as 70/15/15."
        )
    if request.config.clean != "none":
        split, dropped = clean_training(dataset, split, request.config.clean == "held-out")
        if keep:
            write_dropped(dropped, folder / CLEANED_FILE)
    if keep:
        split.save(kept, dataset)
    if keep and dataset.skipped:
        write_skip_report(dataset, folder / SKIPPED_FILE)
    return dataset, split


def data_card(dataset: FaceDataset, split: Split, request: RunRequest) -> dict[str, Any]:
    """What a checkpoint's card says of its data, split and recipe."""
    return {
        "data": {
            "name": dataset.name,
            "format": dataset.format,
            "path": request.data,
            "pictures": len(dataset),
            "skipped": len(dataset.skipped),
            "counts": {name: dataset.counts(rows) for name, rows in split.parts().items()},
            "ferplus": request.ferplus is not None,
            "votes": request.votes is not None,
        },
        "split": {"method": split.method, "seed": split.seed, "digest": split.digest, "notes": list(split.notes)},
        "recipe": request.recipe,
    }
