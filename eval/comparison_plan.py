"""What a comparison is to do: data, towers, budget, seeds; kept in its folder, so that it resumes with nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Optional

from galleries.atomic import write_text
from galleries.errors import ConfigError, TrainingError
from siamese.config import TrainingConfig, config_from_mapping
from siamese.run import RunRequest

PLAN_FILE = "plan.json"
VERSION = 1

NO_LIMIT = 1_000_000
"""Epochs of a run that is ended by its time budget."""


@dataclass(frozen=True)
class Entrant:
    """A tower that takes part.

    Attributes:
        recipe: Name of the recipe it is trained by.
        config: How; the seed of a run is put in later.
    """

    recipe: str
    config: TrainingConfig

    @property
    def tower(self) -> str:
        """Its name."""
        return self.config.tower


@dataclass(frozen=True)
class Plan:
    """A comparison.

    Attributes:
        request: Data, split and emotions; its training is the first tower's.
        entrants: The towers.
        seeds: Trainings of each, with seeds 0, 1, …
        per_class: Training pictures of each emotion at most; None for all.
        references: Training pictures that vote in the test; None for all.
        n_neighbors: How many vote.
        shots: Of the few-shot episodes.
        episodes: How many.
    """

    request: RunRequest
    entrants: tuple[Entrant, ...]
    seeds: int = 3
    per_class: Optional[int] = None
    references: Optional[int] = None
    n_neighbors: int = 15
    shots: int = 5
    episodes: int = 600

    def __post_init__(self) -> None:
        if not self.entrants:
            raise ConfigError("No tower was given to compare; name one or more, separated by commas.")
        if len({entrant.tower for entrant in self.entrants}) < len(self.entrants):
            raise ConfigError("A tower was named twice; name each once.")
        for name in ("seeds", "n_neighbors", "shots", "episodes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name.replace('_', '-')} {value!r} was given; give 1 or more.")
        for name, least in (("per_class", 2), ("references", 1)):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ConfigError(f"{name.replace('_', '-')} {value!r} was given; give {least} or more.")
        if len({(entrant.config.epochs, entrant.config.seconds) for entrant in self.entrants}) > 1:
            raise ConfigError("The towers have different budgets; a comparison gives each the same.")

    @property
    def seconds(self) -> Optional[float]:
        """The time budget of a run, or None."""
        return self.entrants[0].config.seconds

    @property
    def epochs(self) -> int:
        """The budget in epochs, where there is none in seconds."""
        return self.entrants[0].config.epochs

    def budget(self) -> str:
        """The budget in words."""
        if self.seconds is not None:
            return f"{self.seconds:g} s of training each, validation not counted"
        return f"{self.epochs} {'epoch' if self.epochs == 1 else 'epochs'} each"

    def facts(self) -> dict[str, Any]:
        """What was planned, as a plain dict for the report."""
        recipes = {entrant.tower: entrant.recipe for entrant in self.entrants}
        return {
            "data": self.request.data,
            "budget": {"seconds": self.seconds, "epochs": None if self.seconds else self.epochs},
            "budget_told": self.budget(),
            "recipes": recipes,
            "one_recipe": len(set(recipes.values())) == 1 and len(recipes) > 1,
            **{name: getattr(self, name) for name in _NUMBERS},
        }

    def save(self, folder: Path) -> None:
        """Write ``plan.json``."""
        content = {
            "version": VERSION,
            "request": asdict(self.request),
            "entrants": [{"recipe": e.recipe, "training": e.config.to_json()} for e in self.entrants],
            **{name: getattr(self, name) for name in _NUMBERS},
        }
        write_text(folder / PLAN_FILE, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """Read ``plan.json`` back.

        Raises:
            TrainingError: The folder is no comparison, or the file is damaged.
        """
        path = folder / PLAN_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or content.get("version") != VERSION:
                raise ValueError(f"it is no plan of version {VERSION}")
            entrants = tuple(
                Entrant(str(entry["recipe"]), config_from_mapping(entry["training"])) for entry in content["entrants"]
            )
            numbers = {name: content[name] for name in _NUMBERS}
            return cls(RunRequest.from_json(content["request"]), entrants, **numbers)
        except FileNotFoundError as error:
            raise TrainingError(
                f"{folder} is not a comparison: it has no {PLAN_FILE}. Give the folder that emotions compare wrote."
            ) from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError, ConfigError) as error:
            raise TrainingError(f"{path} is damaged ({str(error).rstrip('.')}); start the comparison anew.") from error


_NUMBERS = ("seeds", "per_class", "references", "n_neighbors", "shots", "episodes")


def entrant(
    recipe: str,
    config: TrainingConfig,
    epochs: Optional[int],
    seconds: Optional[float],
    n_neighbors: int,
    references: Optional[int],
) -> Entrant:
    """A tower with the budget that all are given: nobody stops early, all vote with as many neighbours.

    Args:
        recipe: Name of the recipe.
        config: What the recipe says.
        epochs: The budget, or None.
        seconds: The budget in time of training, or None.
        n_neighbors: How many vote, in validation and in the test.
        references: Training pictures that validation searches at most; None for the recipe's.
    """
    return Entrant(
        recipe,
        replace(
            config,
            epochs=epochs if epochs is not None else NO_LIMIT,
            seconds=seconds,
            early_stop=None,
            n_neighbors=n_neighbors,
            val_references=config.val_references if references is None else references,
        ),
    )
