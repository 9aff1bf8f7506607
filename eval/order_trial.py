"""Does a curriculum help? Orders of pairs, and a growing set of emotions, against shuffled pairs at equal budget."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from eval.intervals import mean_interval
from galleries.atomic import write_text
from galleries.errors import TrainingError, unknown_name
from siamese.checkpoint import load_checkpoint
from siamese.config import TrainingConfig
from siamese.curriculum.course import CurriculumObserver
from siamese.curriculum.similarity import Ranking
from siamese.curriculum.stage import StageSetting, run_stage
from siamese.one_vs_rest import multi_class_accuracy, one_vs_rest_mean
from siamese.pair_order import ORDERS
from siamese.validation import Validator

GROWING = "growing"
ARMS = (*ORDERS, GROWING)
"""``mixed`` is the shuffled baseline; ``growing`` adds one emotion at a time, the easiest first, pairs mixed."""

ARM_FILE = "test.json"


@dataclass(frozen=True)
class Trial:
    """One training of the comparison.

    Attributes:
        arm: A name of :data:`ARMS`.
        seed: Of everything random.
        pictures: Pictures trained on, over all epochs.
        accuracy: Multi-class k-NN accuracy on the test, 0-1; 0 after a collapse.
        one_vs_rest_mean: The same answers by the paper's count, 0-1.
    """

    arm: str
    seed: int
    pictures: int
    accuracy: float
    one_vs_rest_mean: float


def easiest_first(ranking: Ranking, emotions: Sequence[str]) -> tuple[str, ...]:
    """The emotions so that each is as unlike those before it as can be.

    The two of the least similar pair come first; then always the one whose pairs with those before rank lowest in mean.
    """
    rank = {frozenset(pair.emotions): place for place, pair in enumerate(ranking.pairs)}
    order = list(ranking.pairs[-1].emotions)
    left = [emotion for emotion in emotions if emotion not in order]
    while left:
        order.append(max(left, key=lambda name: (sum(rank[frozenset((name, o))] for o in order), name)))
        left.remove(order[-1])
    return tuple(order)


def growing_epochs(counts: Sequence[int], budget: int) -> list[int]:
    """Epochs of each stage of a growing set: equal shares of a budget of pictures, not above it if one epoch each fits.

    Args:
        counts: Training pictures of each emotion, in the order they come.
        budget: Pictures to train on in all.

    Returns:
        Epochs for the first two emotions, the first three, … at least 1 each. What rounding leaves goes to the last.
    """
    sizes = np.cumsum(counts)[1:]
    epochs = [max(1, int(budget / len(sizes) / size)) for size in sizes]
    spent = sum(int(size) * n for size, n in zip(sizes, epochs))
    epochs[-1] += max(0, int((budget - spent) / sizes[-1]))
    return epochs


def order_trial(
    setting: StageSetting,
    config: TrainingConfig,
    ranking: Ranking,
    arm: str,
    seed: int,
    observer: CurriculumObserver,
    left: int = 0,
) -> Trial:
    """Train one arm with one seed, or read what came of it, and test it.

    Args:
        setting: Folder, data and device.
        config: What all arms share; its epochs are the budget.
        ranking: How alike the emotions are.
        arm: One of :data:`ARMS`.
        seed: Of weights, batches and augmentation; the split and the pictures kept stay the same.
        observer: Is told of every step.
        left: Trainings that follow, for the time left.

    Raises:
        ConfigError: The arm is unknown.
        TrainingError: A file of an earlier session is damaged.
    """
    if arm not in ARMS:
        raise unknown_name("arm", arm, ARMS)
    folder = setting.out / f"seed-{seed}" / arm
    if (found := _read(folder / ARM_FILE, arm, seed)) is not None:
        return found
    emotions = setting.dataset.emotions
    basic = replace(config, seed=seed, pair_order="mixed", pair_bands=())
    if arm == GROWING:
        stages = _growing_stages(setting, basic, ranking)
    else:
        order = {} if arm == "mixed" else {"pair_order": arm, "pair_bands": ranking.bands(emotions)}
        stages = [(emotions, replace(basic, **order))]  # type: ignore[arg-type]
    init: Optional[Path] = None
    work = [own.epochs * len(setting.data(wide)[1].train) for wide, own in stages]
    for place, (wide, own) in enumerate(stages):
        name = f"seed-{seed}/{arm}/{len(wide)}"
        observer.stage_started(name, wide, work[place], sum(work[place + 1 :]) + left * sum(work))
        result = run_stage(setting, name, wide, own, init, observer)
        observer.stage_finished(result)
        init = None if result.confusion is None else setting.out / result.name
    confusion = None if init is None else _test(setting, stages[-1][0], config, init)
    trial = Trial(
        arm,
        seed,
        sum(work),
        0.0 if confusion is None else multi_class_accuracy(confusion),
        0.0 if confusion is None else one_vs_rest_mean(confusion),
    )
    write_text(folder / ARM_FILE, json.dumps(vars(trial), indent=2) + "\n")
    return trial


def _growing_stages(
    setting: StageSetting, config: TrainingConfig, ranking: Ranking
) -> list[tuple[tuple[str, ...], TrainingConfig]]:
    emotions = easiest_first(ranking, setting.dataset.emotions)
    dataset, split = setting.data(emotions)
    counts = list(dataset.counts(split.train).values())
    epochs = growing_epochs(counts, config.epochs * sum(counts))
    return [(emotions[: place + 2], replace(config, epochs=n)) for place, n in enumerate(epochs)]


def _test(setting: StageSetting, emotions: tuple[str, ...], config: TrainingConfig, run: Path) -> NDArray[np.int64]:
    dataset, split = setting.data(emotions)
    tower = load_checkpoint(run).tower
    tester = Validator(dataset, split.train, split.test, tower, config.n_neighbors, None, config.seed)
    return tester.confusion(tower, torch.device("cpu"))


def _read(path: Path, arm: str, seed: int) -> Optional[Trial]:
    if not path.is_file():
        return None
    try:
        trial = Trial(**json.loads(path.read_text(encoding="utf-8")))
        if (trial.arm, trial.seed) != (arm, seed) or not 0 <= trial.accuracy <= 1:
            raise ValueError("it is of another training")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise TrainingError(
            f"{path} is damaged ({error}); remove the folder {path.parent} to train it again."
        ) from error
    return trial


def summarise(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Each arm's mean accuracy with its 95 % interval over seeds, and its paired difference to ``mixed``.

    Returns:
        One dict an arm, in the order of :data:`ARMS`: ``arm``, ``seeds``, ``pictures``, ``accuracy``,
        ``interval_95`` and ``one_vs_rest_mean`` (shares 0-1), and ``difference`` with ``difference_95`` (None for
        ``mixed``, or where no seed has both). Intervals are Student's, None with one seed.
    """
    rows = []
    baseline = {trial.seed: trial.accuracy for trial in trials if trial.arm == "mixed"}
    for arm in ARMS:
        own = [trial for trial in trials if trial.arm == arm]
        if not own:
            continue
        values = [trial.accuracy for trial in own]
        gaps = [trial.accuracy - baseline[trial.seed] for trial in own if trial.seed in baseline and arm != "mixed"]
        rows.append(
            {
                "arm": arm,
                "seeds": len(own),
                "pictures": own[0].pictures,
                "accuracy": float(np.mean(values)),
                "interval_95": mean_interval(values),
                "one_vs_rest_mean": float(np.mean([trial.one_vs_rest_mean for trial in own])),
                "difference": float(np.mean(gaps)) if gaps else None,
                "difference_95": mean_interval(gaps),
            }
        )
    return rows
