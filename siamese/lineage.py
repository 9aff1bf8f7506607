"""What comes before a run: what its recipe wants trained first, and which pictures its teachers and its start know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from galleries.errors import ConfigError
from galleries.shipped import is_shipped, open_shipped
from siamese.config import read_recipe
from siamese.datasets.base import FaceDataset
from siamese.run import SPLIT_FILE
from siamese.split_file import same_pictures, trained_ids
from siamese.state import STATE_FILE, read_state


@dataclass(frozen=True)
class Before:
    """A recipe's table ``[before]``.

    Attributes:
        teachers: Recipes of the runs that teach it.
        init: The recipe of the run whose weights it starts from, or None.
    """

    teachers: tuple[str, ...] = ()
    init: Optional[str] = None

    @property
    def recipes(self) -> tuple[str, ...]:
        """All that is to be trained before, each once."""
        return tuple(dict.fromkeys((*self.teachers, *([] if self.init is None else [self.init]))))


def read_before(path: Path) -> Before:
    """Read what a recipe wants before it.

    Raises:
        ConfigError: As :func:`siamese.config.read_recipe`, or the table holds something else.
    """
    table = read_recipe(path).get("before", {})
    teachers, init = table.get("teachers", []), table.get("init")
    is_right = (
        set(table) <= {"teachers", "init"}
        and isinstance(teachers, list)
        and all(isinstance(name, str) for name in teachers)
        and isinstance(init, (str, type(None)))
    )
    if not is_right:
        raise ConfigError(
            f"In the recipe {path.name}: [before] is {table}; give teachers, a list of recipes, and init, a recipe."
        )
    return Before(tuple(teachers), init)


def learns_from_votes(path: Path) -> bool:
    """Whether a recipe gives FER+'s votes a share of what cross-entropy learns, and so wants them where there are some.

    Raises:
        ConfigError: As :func:`siamese.config.read_recipe`.
    """
    return "votes_share" in read_recipe(path).get("training", {})


def is_trained(run: Path, epochs: int) -> bool:
    """Whether a run went through all its epochs, or was ended early by its own rule.

    Raises:
        TrainingError: Its state is damaged.
    """
    if not (run / STATE_FILE).is_file():
        return False
    progress = read_state(run).facts["progress"]
    return bool(progress["stopped"]) or int(progress["epoch"]) >= epochs


def known_pictures(dataset: FaceDataset, run: str | Path) -> set[str]:
    """Ids of a data set's pictures that a run was trained or validated on.

    Args:
        dataset: Told from others by its name.
        run: Its folder, with its split where it has one, or ``"pretrained"``, which learned from its data set's
            official parts.

    Raises:
        SplitError: The run's split is damaged.
        GalleryError: What comes with the toolkit is missing or damaged.
    """
    if not is_shipped(run):
        return trained_ids(Path(run) / SPLIT_FILE, dataset.name)
    name = str(open_shipped(["cpu"]).card.get("data", {}).get("name", ""))
    if not same_pictures(name, dataset.name):
        return set()
    parts = dataset.official or ("train",) * len(dataset)
    return {face_id for face_id, part in zip(dataset.ids, parts) if part != "test"}
