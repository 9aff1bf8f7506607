"""A training run at the terminal: what ``emotions train`` and ``emotions demo`` both do."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from emotions_cli import console
from emotions_cli.straightener_run import check_detector, taught_straightener
from galleries.errors import ConfigError, EmotionsError, unknown_name
from siamese.config import TrainingConfig, load_recipe
from siamese.datasets import FaceDataset
from siamese.lineage import known_pictures
from siamese.processes import pick_device
from siamese.run import RunRequest, data_card, prepare_data
from siamese.splits import Split, check_trainable
from siamese.state import STATE_FILE
from siamese.towers import TOWERS, tower_names

RECIPES = Path(__file__).parent / "recipes"
RESULT_FILE = "result.json"


def recipe_names() -> List[str]:
    """Names of the recipes that come with the toolkit."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def recipe_path(name: str) -> Path:
    """The file of a recipe that comes with the toolkit, or the TOML file named.

    Raises:
        ConfigError: There is no recipe of that name.
    """
    if name.endswith(".toml"):
        return Path(name)
    if name not in recipe_names():
        raise unknown_name("recipe", name, recipe_names())
    return RECIPES / f"{name}.toml"


def find_config(recipe: Optional[str], tower: Optional[str], options: Dict[str, Any]) -> tuple[str, TrainingConfig]:
    """The recipe to use and the configuration it gives with a person's options on top.

    A tower without a recipe of its own name is one of torchvision's and takes ``mobilenet_v2``'s.
    """
    name = recipe
    if name is None:
        own = tower or "compact"
        name = own if own in recipe_names() else "mobilenet_v2"
    path = recipe_path(name)
    config, _ = load_recipe(path)
    config = config.with_options(**options)
    if config.tower not in TOWERS and config.tower not in tower_names():
        raise unknown_name("tower", config.tower, tower_names())
    if options.get("loss") and not config.loss.count("cross-entropy") and config.monitor == "softmax":
        config = replace(config, monitor="knn")
    return path.stem, config


def run_stem(request: RunRequest) -> str:
    """What a run's folder is called unless it is told: ``compact-fer2013``."""
    return f"{request.config.tower}-{Path(request.data).name.split('.')[0].split(':')[0]}"


@contextmanager
def refusal_leaves_nothing(folder: Path, first: str, resume: bool) -> Iterator[None]:
    """Remove a new folder if what was asked for is refused, so that the same --out can be given again.

    Args:
        folder: The folder.
        first: The file that shows that the work has begun, in the folder or by its whole path; from then on nothing is
            removed.
        resume: Whether the folder was there before.
    """
    try:
        yield
    except EmotionsError:
        if not resume and console.is_leader() and not (folder / first).exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


@dataclass
class PreparedRun:
    """A run whose data is read and whose folder exists."""

    folder: Path
    request: RunRequest
    config: TrainingConfig
    dataset: FaceDataset
    split: Split
    device: str
    resume: bool
    json: bool


def prepare_run(
    request: RunRequest, folder: Path, device: str, threads: Optional[int], resume: bool, json: bool
) -> PreparedRun:
    """Read and split the data, say what was found, and write what a resumed run needs."""
    console.hush_libraries()
    pick_device(device)
    set_threads(threads)
    config = request.config
    check_detector(request)
    with console.bar("reading pictures") as progress:
        dataset, split = prepare_data(request, folder, progress, resume, keep=console.is_leader())
    check_trainable(dataset, split)
    split = _with_inheritance(dataset, split, request)
    if not resume and console.is_leader():
        request.save(folder)
    describe_data(dataset, split, json)
    began = any((folder / name).exists() for name in (STATE_FILE, RESULT_FILE))  # else it was stopped in epoch 1
    return PreparedRun(folder, request, config, dataset, split, device, resume and began, json)


def _with_inheritance(dataset: FaceDataset, split: Split, request: RunRequest) -> Split:
    """The split, its notes saying how many test pictures the teachers and the start have learned from."""
    tested = {dataset.ids[int(row)] for row in split.test}
    notes = []
    for run in dict.fromkeys(filter(None, (request.init, *request.teachers))):
        known = len(tested & known_pictures(dataset, run))
        if known:
            notes.append(
                f"LEAKING: {run} has learned from {known} of the {len(tested)} test pictures, so the test says less of "
                "pictures nobody has seen; give the split that it was trained with."
            )
    return replace(split, notes=(*split.notes, *notes))


def set_threads(threads: Optional[int]) -> None:
    """Let PyTorch use so many CPU threads; None leaves it its choice."""
    if threads is None:
        return
    import torch

    if threads < 1:
        raise ConfigError(f"--threads {threads} was given; give 1 or more.")
    torch.set_num_threads(threads)


def describe_data(dataset: FaceDataset, split: Split, quiet: bool = False) -> None:
    """Print the counts per emotion and part, and what was met while reading."""
    if not quiet:
        counts = {name: dataset.counts(rows) for name, rows in split.parts().items()}
        rows = [[emotion, *(counts[part][emotion] for part in counts)] for emotion in dataset.emotions]
        rows.append(["all", *(len(part) for part in split.parts().values())])
        title = f"{dataset.name} ({dataset.format}), split: {split.method}"
        console.table(title, ["emotion", *counts], rows)
    for note in [*dataset.notes, *split.notes]:
        console.warn(note)
    if dataset.skipped:
        first = dataset.skipped[0]
        console.warn(f"{len(dataset.skipped)} pictures were skipped, the first: {first.source}: {first.reason}.")


class TerminalObserver:
    """Draws a progress bar with loss, pictures per second and time left, and prints a line an epoch.

    Args:
        progress: The bar.
        choosing: Whether validation chooses the epoch, so that the best so far is worth telling.
    """

    def __init__(self, progress: Progress, choosing: bool) -> None:
        self.progress = progress
        self.choosing = choosing
        self.task: Optional[TaskID] = None
        self.began = time.perf_counter()
        self.pictures = 0
        self.shown = 0.0

    def started(self, epoch: int, epochs: int, steps: int) -> None:
        """Move the bar to the epoch's beginning."""
        if self.task is None:
            self.task = self.progress.add_task("training", total=epochs * steps, loss="", rate="")
        self.progress.update(self.task, completed=(epoch - 1) * steps, description=f"epoch {epoch}/{epochs}")
        self.began, self.pictures = time.perf_counter(), 0

    def stepped(self, loss: float, pictures: int) -> None:
        """Move the bar by one batch."""
        assert self.task is not None
        self.pictures += pictures
        self.progress.advance(self.task)
        now = time.perf_counter()
        if now - self.shown > 0.2:
            self.shown = now
            rate = self.pictures / (now - self.began)
            self.progress.update(self.task, loss=f"loss {loss:.3f}", rate=f"{rate:.0f} images/s")

    def finished(self, row: Dict[str, Any]) -> None:
        """Print the epoch's line."""
        softmax = f", softmax {console.percent(row['val_softmax'])}" if "val_softmax" in row else ""
        best = "  best so far" if row["best"] and self.choosing else ""
        self.progress.console.print(
            f"epoch {row['epoch']:>3}: loss {row['loss']:.4f}, validation k-NN {console.percent(row['val_knn'])}"
            f"{softmax}, {row['pictures_per_second']:.0f} images/s, {row['seconds']:.0f} s{best}"
        )

    def note(self, text: str) -> None:
        """Print a note."""
        self.progress.console.print(f"note: {text}", markup=False)


def train_run(run: PreparedRun) -> Any:
    """Train, with a progress bar; Ctrl-C tells how to go on."""
    from siamese.training import fit

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    straightener, lesson = taught_straightener(run.dataset, run.split, run.request, run.folder if run.resume else None)
    try:
        with Progress(*columns, console=console.err, transient=True, disable=not console.err.is_terminal) as progress:
            return fit(
                run.dataset,
                run.split,
                run.config,
                run.folder,
                device=run.device,
                observer=TerminalObserver(progress, run.config.monitor != "last"),
                resume=run.resume,
                init=run.request.init if not run.resume else None,
                teachers=run.request.teachers,
                card={**data_card(run.dataset, run.split, run.request), **lesson},
                straightener=straightener,
            )
    except KeyboardInterrupt:
        console.warn(f"stopped; nothing is lost up to the last whole epoch. Go on with: {resume_command(run.folder)}")
        raise


def resume_command(folder: Path) -> str:
    """What to type to go on with a run."""
    return f"emotions train --resume {folder}"


__all__ = [
    "PreparedRun",
    "describe_data",
    "find_config",
    "prepare_run",
    "recipe_names",
    "recipe_path",
    "refusal_leaves_nothing",
    "resume_command",
    "run_stem",
    "set_threads",
    "train_run",
]
