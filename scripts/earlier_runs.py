"""The runs that a recipe wants before it, each trained by its own recipe into the run's folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from emotions_cli import console
from emotions_cli.training_options import recipe_from, request_from
from emotions_cli.training_run import prepare_run, recipe_path, train_run
from galleries.errors import ConfigError
from siamese.lineage import is_trained, learns_from_votes, read_before
from siamese.run import RunRequest
from siamese.towers import CompactStraightTower

FOLDER = "before"

PASSED_ON = ("epochs", "seconds", "batch_size", "input_size", "precision")
"""Options that the earlier runs take over: how much work, and for which machine."""

_LEFT = {"tower": None, "soft": False}


@dataclass(frozen=True)
class Earlier:
    """A run that comes before another: its recipe, its folder, and what is asked of it."""

    recipe: str
    folder: Path
    request: RunRequest


def plan(typed: Mapping[str, Any], request: RunRequest, folder: Path) -> Tuple[RunRequest, List[Earlier]]:
    """What is to be trained before a run. Nothing, where the person names teachers or a run to start from.

    Args:
        typed: The command's parameters by name.
        request: The run's.
        folder: The run's.

    Returns:
        The request with its teachers and its start named, and the earlier runs in the order of their training.

    Raises:
        ConfigError: A recipe wants itself before it, or one that does not exist.
    """
    if typed.get("teacher") or typed.get("init"):
        return request, []
    known = {name: typed.get(name) for name in PASSED_ON}
    known["seed"] = request.config.seed  # a split at random is then the same: nobody teaches what is held out
    found: Dict[str, Earlier] = {}
    teachers, init = _collect(str(typed["recipe"] or request.recipe), (), {**typed, **_LEFT}, known, folder, found)
    request = replace(request, teachers=tuple(teachers), init=init, before=tuple(found))
    if _is_straight(init, found):
        request = replace(request, detector=None)
    return request, list(found.values())


def _collect(
    recipe: str,
    wanting: Tuple[str, ...],
    typed: Dict[str, Any],
    known: Dict[str, Any],
    folder: Path,
    found: Dict[str, Earlier],
) -> Tuple[List[str], Optional[str]]:
    """Add what ``recipe`` wants to ``found``, the earliest first; the folders of its teachers, and of its start."""
    if recipe in wanting:
        raise ConfigError(
            f"The recipes {' -> '.join((*wanting, recipe))} want each other first; take one [before] out."
        )
    before = read_before(recipe_path(recipe))
    for name in before.recipes:
        if name in found:
            continue
        teachers, init = _collect(name, (*wanting, recipe), typed, known, folder, found)
        if _place(folder, name) in [run.folder for run in found.values()]:
            raise ConfigError(f"The recipe {name} shares its file's name with another that comes before; rename one.")
        options = {**typed, **dict.fromkeys(known), "recipe": name, "teacher": teachers, "init": init}
        if not learns_from_votes(recipe_path(name)):
            options["votes"] = None
        stem, config = recipe_from({"recipe": name, "tower": None, **known})
        if config.tower != CompactStraightTower.name or _is_straight(init, found):
            options["detector"] = None
        found[name] = Earlier(name, _place(folder, name), request_from(options, stem, config))
    places = {name: str(_place(folder, name)) for name in before.recipes}
    return [places[name] for name in before.teachers], None if before.init is None else places[before.init]


def _is_straight(init: Optional[str], found: Mapping[str, Earlier]) -> bool:
    """Whether a run starts from an earlier one whose tower has learned from the detector already."""
    return any(
        init == str(run.folder) and run.request.config.tower == CompactStraightTower.name for run in found.values()
    )


def _place(folder: Path, recipe: str) -> Path:
    return folder.absolute() / FOLDER / Path(recipe).stem


def kept(request: RunRequest, folder: Path) -> List[Earlier]:
    """The earlier runs of a run that is taken up.

    Raises:
        TrainingError: One is missing or damaged.
    """
    return [Earlier(name, _place(folder, name), RunRequest.read(_place(folder, name))) for name in request.before]


def save(earlier: List[Earlier]) -> None:
    """Write what is asked of each, so that a run stopped at any moment can be taken up."""
    if console.is_leader():
        for run in earlier:
            run.folder.mkdir(parents=True, exist_ok=True)
            run.request.save(run.folder)


def train_them(earlier: List[Earlier], device: str, threads: Optional[int]) -> None:
    """Train those that are not trained yet."""
    for number, run in enumerate(earlier, start=1):
        if is_trained(run.folder, run.request.config.epochs):
            continue
        console.say(f"first, run {number} of {len(earlier)} before this one: recipe {run.recipe}, in {run.folder}")
        train_run(prepare_run(run.request, run.folder, device, threads, resume=True, json=True))
