"""A comparison at the terminal: what ``emotions compare`` does between its options and its tables."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

import numpy as np

from emotions_cli import console
from emotions_cli.curriculum_progress import CurriculumTerminal, stage_bar
from emotions_cli.training_run import prepare_run, refusal_leaves_nothing
from eval.comparison import summarise
from eval.comparison_few_shot import few_shot_task
from eval.comparison_plan import PLAN_FILE, Plan
from eval.comparison_run import Contest, Row, compare_run
from eval.leakage import audit
from siamese.curriculum.stage import StageSetting
from siamese.towers import make_tower

if TYPE_CHECKING:
    from eval.comparison_result import Comparison


class SecondsTerminal(CurriculumTerminal):
    """The bar of runs with a time budget: it counts seconds of training."""

    begun_at = 0.0

    def started(self, epoch: int, epochs: int, steps: int) -> None:
        """An epoch begins; what an earlier session trained of this run is not counted as work of now."""
        self.begun_at = time.perf_counter()
        if not self.begun:
            self.begun = True
            seconds, later = self.ahead
            self.progress.update(self.task, total=self.trained + seconds + later)
        self.progress.update(self.task, description=f"{self.name}, epoch {epoch}")

    def stepped(self, loss: float, pictures: int) -> None:
        """A batch was trained on."""
        now = time.perf_counter()
        self.progress.update(self.task, advance=now - self.begun_at, rate=f"loss {loss:.3f}")
        self.begun_at = now

    def stage_finished(self, result: Any) -> None:
        """Print the run's line."""
        self.trained += self.ahead[0] if self.begun else 0
        super().stage_finished(result)


@dataclass
class Course:
    """A comparison whose data is read and whose folder exists."""

    folder: Path
    plan: Plan
    contest: Contest


def prepare(plan: Plan, folder: Path, device: str, threads: Optional[int], quiet: bool, resume: bool) -> Course:
    """Check the towers, read and split the data, draw the few-shot episodes."""
    for entrant in plan.entrants:
        config = entrant.config
        make_tower(config.tower, None, config.input_size, config.embedding_dim)
    with refusal_leaves_nothing(folder, PLAN_FILE, resume):
        run = prepare_run(plan.request, folder, device, threads, resume, quiet)
        setting = StageSetting(folder, run.dataset, run.split, plan.request, plan.per_class, run.device)
        dataset, split = setting.data(run.dataset.emotions)
        task = few_shot_task(dataset, split, plan.shots, episodes=plan.episodes)
        plan.save(folder)
    if task is None:
        console.warn(f"the test part has too few people for {plan.shots}-shot episodes, so there are none.")
    contest = Contest(setting, dataset, split, plan.n_neighbors, plan.references, task, threads)
    return Course(folder, plan, contest)


def run(course: Course) -> Tuple[List[Row], Comparison]:
    """Train and test every tower with every seed, all towers of a seed in turn; what was done before is read."""
    plan = course.plan
    planned = [(seed, entrant) for seed in range(plan.seeds) for entrant in plan.entrants]
    size = len(course.contest.split.train)
    work = round(plan.seconds) if plan.seconds is not None else plan.epochs * size
    rows = []
    try:
        with stage_bar() as bar:
            observer = CurriculumTerminal(bar) if plan.seconds is None else SecondsTerminal(bar)
            for place, (seed, entrant) in enumerate(planned, start=1):
                config = replace(entrant.config, seed=seed)
                later = (len(planned) - place) * work
                row = compare_run(course.contest, entrant.recipe, config, observer, work, later)
                rows.append(row)
                bar.console.print(_line(row, course.contest), markup=False)
    except KeyboardInterrupt:
        console.warn(
            "stopped; nothing is lost up to the last whole epoch. Go on with: "
            f"emotions compare --resume {course.folder}"
        )
        raise
    with console.bar("looking for what crosses the split"):
        leakage = audit(course.contest.dataset, course.contest.split, near=True)
    recipes = {entrant.tower: entrant.recipe for entrant in plan.entrants}
    return rows, summarise(course.contest, rows, recipes, leakage)


def _line(row: Row, contest: Contest) -> str:
    """A finished run in a line."""
    if row.facts.ended:
        return f"{row.tower}, seed {row.seed}: {row.facts.ended}, so none of its answers is right"
    truth = contest.dataset.labels[contest.split.test]
    knn, softmax = (console.percent(float((np.array(said) == truth).mean())) for said in (row.knn, row.softmax))
    speed = "" if row.speed is None else f", {row.speed.p50_ms:.2f} ms a face"
    return f"{row.tower}, seed {row.seed}: test k-NN {knn}, softmax {softmax}{speed}"
