"""A curriculum at the terminal: prepare it, run it, test what it holds, tell it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

from emotions_cli import console
from emotions_cli.curriculum_progress import CurriculumTerminal, stage_bar
from emotions_cli.run_ending import finish_run, print_report, tell_one_vs_rest
from emotions_cli.training_run import PreparedRun, prepare_run
from galleries.atomic import write_bytes, write_text
from siamese.checkpoint import CARD_FILE, WEIGHTS_FILE, load_checkpoint
from siamese.curriculum.config import CurriculumConfig
from siamese.curriculum.course import Curriculum
from siamese.curriculum.record import CURRICULUM_FILE, Record, confusions_of
from siamese.curriculum.similarity import Ranking, load_prior
from siamese.curriculum.stage import StageSetting, stage_data
from siamese.history import HISTORY_FILE, read_history
from siamese.pair_order import pair_of
from siamese.run import RUN_FILE, SPLIT_FILE, RunRequest
from siamese.training import FitResult

if TYPE_CHECKING:
    from eval.order_trial import Trial

PRIOR_FILE = "prior.toml"
FINAL = "final"
PAGE = "curriculum.html"


@dataclass
class Course:
    """A curriculum whose data is read and whose folder exists.

    Attributes:
        folder: The curriculum's.
        config: What to do.
        data: The data set and split as read.
        prior: A ranking given by the person, or None.
    """

    folder: Path
    config: CurriculumConfig
    data: PreparedRun
    prior: Optional[Ranking]


def prepare(
    request: RunRequest,
    config: CurriculumConfig,
    folder: Path,
    prior: Optional[Path],
    device: str,
    threads: Optional[int],
    quiet: bool,
    resume: bool,
) -> Course:
    """Read and split the data and check everything that can be checked before training."""
    if prior is not None:
        load_prior(prior, ())  # refused before the data is read
    run = prepare_run(request, folder, device, threads, resume, quiet)
    config.given_order(run.dataset.emotions)
    kept = folder / PRIOR_FILE
    if prior is not None and not resume:
        load_prior(prior, run.dataset.emotions)
        shutil.copyfile(prior, kept)
    return Course(folder, config, run, load_prior(kept, run.dataset.emotions) if kept.is_file() else None)


def _curriculum(course: Course, observer: CurriculumTerminal) -> Curriculum:
    data, request = course.data, course.data.request
    setting = StageSetting(course.folder, data.dataset, data.split, request, course.config.per_class, data.device)
    init = None if request.init is None else Path(request.init)
    return Curriculum(setting, course.config, observer, course.prior, init)


def run(course: Course) -> Record:
    """Train all stages, with a bar over them; Ctrl-C tells how to go on."""
    try:
        with stage_bar() as bar:
            return _curriculum(course, CurriculumTerminal(bar)).run()
    except KeyboardInterrupt:
        console.warn(
            "stopped; nothing is lost up to the last whole epoch. Go on with: "
            f"emotions curriculum --resume {course.folder}"
        )
        raise


def compare_orders(course: Course, arms: Sequence[str], seeds: int) -> List[Trial]:
    """Rank the pairs, then train every arm with every seed; what an earlier session did is read."""
    from eval.order_trial import order_trial

    trials = []
    with stage_bar() as bar:
        observer = CurriculumTerminal(bar)
        curriculum = _curriculum(course, observer)
        curriculum.save()
        ranking = course.prior or curriculum.measure()
        planned = [(seed, arm) for seed in range(seeds) for arm in arms]
        for place, (seed, arm) in enumerate(planned, start=1):
            left = len(planned) - place
            trials.append(order_trial(curriculum.setting, course.config.training, ranking, arm, seed, observer, left))
    return trials


def finish(course: Course, record: Record, thumbnails: bool) -> Dict[str, Any]:
    """Test the last set of emotions held, make its gallery of all their training pictures, and write the page.

    Returns:
        What ``curriculum.json`` says, with the test as ``"test"``.
    """
    from eval.curriculum_page import curriculum_page

    stage, data = record.held_stage, course.data
    final = course.folder / FINAL
    final.mkdir(exist_ok=True)
    for name in (WEIGHTS_FILE, CARD_FILE, HISTORY_FILE, RUN_FILE):
        write_bytes(final / name, (course.folder / stage.name / name).read_bytes())
    dataset, split = stage_data(data.dataset, data.split, stage.emotions, None, data.config.seed)
    split.save(final / SPLIT_FILE, dataset)
    best = load_checkpoint(final)
    value, history = stage.value("multi-class") or 0.0, read_history(final / HISTORY_FILE)
    result = FitResult(
        best.tower, best.head, stage.best_epoch, value, list(history), "all epochs", stage.seconds, stage.precision
    )
    prepared = PreparedRun(final, data.request, data.config, dataset, split, data.device, False, data.json)
    test = finish_run(prepared, result, thumbnails)
    report = {**json.loads((course.folder / CURRICULUM_FILE).read_text(encoding="utf-8")), "test": test}
    write_text(course.folder / PAGE, curriculum_page(report))
    return report


def tell(record: Record, report: Dict[str, Any], config: CurriculumConfig, folder: Path) -> None:
    """Print the curriculum's result."""
    from eval.metrics import one_vs_rest, scores_from_json

    _tell_pairs(record, config.criterion)
    rows: List[List[Any]] = []
    keys = ("chance", "majority", "balanced_accuracy", "one_vs_rest_mean", "one_vs_rest_floor")
    for stage in record.stages:
        found = stage.to_json()
        held = record.growth is not None and len(stage.emotions) <= len(record.growth.held)
        rows.append(
            [
                ", ".join(stage.emotions),
                "collapsed" if found["accuracy"] is None else console.percent(found["accuracy"]),
                *("" if found[key] is None else console.percent(found[key]) for key in keys),
                "held" if held else "broken",
            ]
        )
    title = f"growth, on validation; threshold {console.percent(config.threshold)} ({config.criterion})"
    console.table(title, ["emotions", "k-NN", "chance", "majority", "balanced", "one-vs-rest", "floor", ""], rows)
    broken = record.breaking_stage
    if broken is not None and broken.confusion is not None and record.growth is not None:
        worst = confusions_of(broken.confusion, broken.emotions, str(record.growth.broken_by))[:3]
        console.say(
            f"{record.growth.broken_by} broke it: "
            + "; ".join(
                f"{console.percent(entry.taken_for)} of it was called {entry.emotion}, "
                f"{console.percent(entry.taken_from)} of {entry.emotion} was called it"
                for entry in worst
            )
            + "."
        )
    print_report(report["test"], folder / FINAL)
    if report["test"]["test"] is not None:
        tell_one_vs_rest(one_vs_rest(scores_from_json(report["test"]["test"]["knn"])))
    console.out.print(f"Open the report: {folder / PAGE}", markup=False)


def _tell_pairs(record: Record, criterion: str) -> None:
    value = {found.emotions: found.value(criterion) for found in record.pairs}
    names = record.emotions
    rows = []
    for name in names:
        cells = [value.get(pair_of(name, other)) if name != other else None for other in names]
        rows.append([name, *("" if cell is None else f"{100 * cell:.0f}" for cell in cells)])
    console.table(
        f"which emotions go well together: {criterion} accuracy of each pair on validation, %",
        ["", *names],
        rows,
    )
