"""One run of a comparison: a tower trained with one seed, tested by vote and softmax, its costs measured; done once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from eval.comparison_few_shot import HEADS, FewShotTask
from eval.comparison_speed import TowerSpeed, tower_speed
from eval.few_shot import Mean
from eval.heads import logistic_regression
from galleries.atomic import write_text
from galleries.encoder import OnnxEncoder
from galleries.errors import DataError, TrainingError
from galleries.records import read_record
from siamese.checkpoint import load_checkpoint
from siamese.config import TrainingConfig
from siamese.curriculum.course import CurriculumObserver
from siamese.curriculum.stage import StageResult, StageSetting, run_stage
from siamese.datasets.base import FaceDataset
from siamese.enrolling import encode_rows
from siamese.export import export_onnx
from siamese.history import HISTORY_FILE, read_history
from siamese.progress import DivergedTraining
from siamese.split_file import Split, taught_by
from siamese.towers import Tower, count_multiply_adds, count_parameters, make_tower
from siamese.validation import knn_answers, reference_sample

ROW_FILE = "row.json"
TOWER_FILE = "tower.onnx"
FITTED_ON = 5000
"""Training pictures at most that a softmax is fitted on afterwards, for a tower that was trained without one."""

NO_ANSWER = -1
"""What a run answers whose embedding collapsed or whose loss diverged."""


@dataclass(frozen=True)
class Facts:
    """Sizes of a tower, and what it was trained on.

    Attributes:
        parameters: Weights, without the head.
        multiply_adds: Of one face.
        embedding_dim: Length of its vectors.
        width: Of its input, pixels.
        height: Of its input, pixels.
        channels: Of its input.
        bytes: Size of its ONNX file; None without one.
        seconds: Of training, without validation.
        pictures: Trained on, over all epochs.
        epochs: Begun.
        best_epoch: The one kept, counted from 1; 0 for none.
        precision: What it trained in.
        ended: ``"collapsed"``, ``"diverged"`` or nothing.
    """

    parameters: int
    multiply_adds: int
    embedding_dim: int
    width: int
    height: int
    channels: int
    bytes: Optional[int]
    seconds: float
    pictures: int
    epochs: int
    best_epoch: int
    precision: str
    ended: str


@dataclass(frozen=True)
class Row:
    """What came of a run.

    Attributes:
        tower: Its name.
        seed: Of weights, batches and augmentation.
        digest: Of the split it was trained and tested on.
        knn: The neighbours' answer to each of T test pictures, a label or :data:`NO_ANSWER`.
        softmax: The softmax head's.
        has_head: Whether the head was trained with the tower; else it was fitted on the finished vectors.
        few_shot: Heads by name, as :meth:`eval.comparison_few_shot.FewShotTask.answer` gives them; None without a task.
        facts: Sizes and training.
        speed: Latency and memory; None for a run that came to nothing.
    """

    tower: str
    seed: int
    digest: str
    knn: tuple[int, ...]
    softmax: tuple[int, ...]
    has_head: bool
    few_shot: Optional[dict[str, Mean]]
    facts: Facts
    speed: Optional[TowerSpeed]


@dataclass(frozen=True)
class Contest:
    """What all runs of a comparison share.

    Attributes:
        setting: Folder, data, device and training pictures.
        dataset: The data that is trained and tested on.
        split: Its parts; of the training pictures those that are trained on.
        n_neighbors: k of the vote.
        references: Training pictures that vote in the test, every emotion in its share; None for all.
        task: The few-shot episodes, or None.
        threads: CPU threads of the test; latency is always measured with one.
    """

    setting: StageSetting
    dataset: FaceDataset
    split: Split
    n_neighbors: int
    references: Optional[int]
    task: Optional[FewShotTask]
    threads: Optional[int] = None

    def voters(self) -> NDArray[np.int64]:
        """int64 (R,), rows of the training pictures that vote in the test; the same for every tower and seed."""
        train = self.split.train
        rng = np.random.default_rng([self.split.seed, 11])
        return train[reference_sample(self.dataset.labels[train], self.references, rng)]


def compare_run(
    contest: Contest, recipe: str, config: TrainingConfig, observer: CurriculumObserver, work: int, later: int = 0
) -> Row:
    """Train and test one tower with one seed, or read what came of it; a run that was stopped goes on.

    Args:
        contest: What all runs share.
        recipe: The recipe's name, for the run's card.
        config: How; its seed is the run's.
        observer: Is told of every step.
        work: Pictures to train on, or whatever the observer counts.
        later: The same, of the runs that follow.

    Raises:
        TrainingError: A file of an earlier session is damaged.
        TowerError: The tower cannot be exported.
    """
    name = f"{config.tower}/seed-{config.seed}"
    path = contest.setting.out / name / ROW_FILE
    found = read_row(path, config.tower, config.seed, contest)
    if found is not None:
        return found
    setting = replace(contest.setting, request=replace(contest.setting.request, recipe=recipe))
    emotions = contest.dataset.emotions
    observer.stage_started(name, emotions, work, later)
    try:
        result = run_stage(setting, name, emotions, config, None, observer, restart=False)
    except DivergedTraining as error:
        observer.note(f"{name}: {error}")
        row = _fruitless(contest, config, path.parent, None)
    else:
        observer.stage_finished(result)
        useless = result.confusion is None
        row = (_fruitless if useless else _test)(contest, config, path.parent, result)
    write_text(path, json.dumps(asdict(row)) + "\n")
    return row


def read_row(path: Path, tower: str, seed: int, contest: Contest) -> Optional[Row]:
    """What came of a run; None if it is not done yet.

    Raises:
        TrainingError: The file is damaged, or of another run or split.
    """
    if not path.is_file():
        return None
    size, emotions = len(contest.split.test), len(contest.dataset.emotions)
    try:
        row = read_record(Row, json.loads(path.read_text(encoding="utf-8")))
        if (row.tower, row.seed, row.digest) != (tower, seed, contest.split.digest):
            raise ValueError("it is of another run or split")
        for answers in (row.knn, row.softmax):
            if len(answers) != size or min(answers) < NO_ANSWER or max(answers) >= emotions:
                raise ValueError("its answers are of another test")
        if row.few_shot is not None and set(row.few_shot) != set(HEADS):
            raise ValueError("its few-shot heads are others")
    except (OSError, ValueError, RecursionError, DataError) as error:
        reason = str(error).rstrip(".")
        raise TrainingError(
            f"{path} is damaged ({reason}); remove the folder {path.parent} to train it again."
        ) from error
    return row


def _test(contest: Contest, config: TrainingConfig, folder: Path, result: StageResult) -> Row:
    dataset, split = contest.dataset, contest.split
    best = load_checkpoint(folder)
    faces = dataset.batch(split.val[:16], best.tower.input_spec)
    export_onnx(best.tower, folder / TOWER_FILE, dataset.emotions, faces, taught_by(dataset, split))
    encoder = OnnxEncoder(folder / TOWER_FILE, threads=contest.threads)
    voters = contest.voters()
    references, queries = (encode_rows(dataset, rows, encoder) for rows in (voters, split.test))
    labels, metric = dataset.labels[voters], best.tower.metric
    softmax = _head_answers(best.head, queries)
    if softmax is None:
        some = reference_sample(labels, FITTED_ON, np.random.default_rng([split.seed, 13]))
        softmax = logistic_regression(references[some], labels[some], queries, metric, 1)
    voted = knn_answers(references, labels, queries, metric, min(contest.n_neighbors, len(voters)))
    size = (folder / TOWER_FILE).stat().st_size
    return Row(
        config.tower,
        config.seed,
        split.digest,
        tuple(voted.tolist()),
        tuple(softmax.tolist()),
        best.head is not None,
        None if contest.task is None else contest.task.answer(queries, metric),
        _facts(best.tower, size, folder, len(split.train), result),
        tower_speed(folder / TOWER_FILE),
    )


def _fruitless(contest: Contest, config: TrainingConfig, folder: Path, result: Optional[StageResult]) -> Row:
    """The row of a run that collapsed, or (without a result) diverged: it answers nothing, so nothing is right."""
    nothing = (NO_ANSWER,) * len(contest.split.test)
    tower = make_tower(config.tower, None, config.input_size, config.embedding_dim)
    facts = _facts(tower, None, folder, len(contest.split.train), result)
    return Row(config.tower, config.seed, contest.split.digest, nothing, nothing, False, None, facts, None)


def _head_answers(head: Optional[nn.Module], vectors: NDArray[np.float32]) -> Optional[NDArray[np.int64]]:
    if head is None:
        return None
    with torch.inference_mode():
        answers: NDArray[np.int64] = head(torch.from_numpy(vectors)).argmax(1).numpy()
    return answers


def _facts(tower: Tower, file: Optional[int], folder: Path, pictures: int, result: Optional[StageResult]) -> Facts:
    """Facts of a run whose epochs have so many pictures, from its history."""
    history = read_history(folder / HISTORY_FILE) if (folder / HISTORY_FILE).is_file() else []
    seconds = [row.get("train_seconds", pictures / row["pictures_per_second"]) for row in history]
    trained = [row["pictures_per_second"] * spent for row, spent in zip(history, seconds)]
    spec = tower.input_spec
    return Facts(
        count_parameters(tower),
        count_multiply_adds(tower),
        tower.embedding_dim,
        spec.width,
        spec.height,
        spec.channels,
        file,
        float(sum(seconds)),
        round(sum(trained)),
        len(history),
        0 if result is None else result.best_epoch,
        "" if result is None else result.precision,
        "diverged" if result is None else "collapsed" if result.confusion is None else "",
    )
