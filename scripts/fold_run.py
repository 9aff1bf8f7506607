"""Folds at the terminal: what ``emotions folds`` does between its options and its table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence

from emotions_cli import console
from emotions_cli.curriculum_progress import CurriculumTerminal, stage_bar
from emotions_cli.training_run import refusal_leaves_nothing, set_threads
from siamese.curriculum.stage import StageSetting
from siamese.datasets import load_dataset
from siamese.processes import pick_device
from siamese.run import RUN_FILE, RunRequest
from siamese.splits import VALIDATION_SHARE, k_folds

if TYPE_CHECKING:
    from eval.fold_trial import FoldSummary


def run(
    request: RunRequest,
    folder: Path,
    methods: Sequence[str],
    count: int,
    device: str,
    threads: Optional[int],
    resume: bool,
) -> List[FoldSummary]:
    """Make the folds of every method, train and test each; what an earlier session did is read.

    Where towers start from a run's, that run's tower is asked in the same folds first, as it is. Where the last epoch
    is kept there is nothing to choose, so nobody is kept aside for validation: all other folds are trained on.
    """
    from eval.fold_trial import ask_untrained, check_unseen, run_fold, summarise_folds

    console.hush_libraries()
    pick_device(device)
    set_threads(threads)
    with refusal_leaves_nothing(folder, RUN_FILE, resume):
        with console.bar("reading pictures") as progress:
            dataset = load_dataset(request.data, request.format, progress=progress)
        if request.emotions:
            dataset = dataset.select(request.emotions)
        init = None if request.init is None else Path(request.init)
        if init is not None:
            check_unseen(dataset, init)
        config = request.config
        kept_aside = 0.0 if config.monitor == "last" else VALIDATION_SHARE
        ways = {method: k_folds(dataset, count, method, config.seed, kept_aside) for method in methods}
        if not resume:
            request.save(folder)
    for note in dataset.notes:
        console.warn(note)
    planned = len(methods) * count
    done = {}
    try:
        with stage_bar() as bar:
            observer = CurriculumTerminal(bar)
            for method, splits in ways.items():
                setting = StageSetting(folder, dataset, splits[0], request, None, device)
                found = []
                for number, split in enumerate(splits, start=1):
                    planned -= 1
                    found.append(
                        run_fold(setting, split, f"{method}/fold-{number}-of-{count}", config, observer, planned)
                    )
                done[method] = found
    except KeyboardInterrupt:
        console.warn(
            f"stopped; nothing is lost up to the last whole epoch. Go on with: emotions folds --resume {folder} "
            f"--by {','.join(methods)} --folds {count}"
        )
        raise
    summaries = []
    for method, found in done.items():
        if init is not None:
            plain = [ask_untrained(dataset, split, config, init) for split in ways[method]]
            summaries.append(summarise_folds(dataset, method, plain, trained=False))
        summaries.append(summarise_folds(dataset, method, found))
    return summaries
