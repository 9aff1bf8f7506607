"""What a recipe wants to be trained before it: the runs that teach it, and the one whose weights it starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from galleries.errors import ConfigError
from siamese.config import read_recipe
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


def is_trained(run: Path, epochs: int) -> bool:
    """Whether a run went through all its epochs, or was ended early by its own rule.

    Raises:
        TrainingError: Its state is damaged.
    """
    if not (run / STATE_FILE).is_file():
        return False
    progress = read_state(run).facts["progress"]
    return bool(progress["stopped"]) or int(progress["epoch"]) >= epochs
