"""One tower under several ways to split a data set, in folds: how much of an accuracy is people seen twice."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from eval.intervals import resampled_interval
from eval.metrics import Scores, score
from galleries.atomic import write_text
from galleries.errors import DataError, TrainingError
from siamese.checkpoint import load_checkpoint
from siamese.config import TrainingConfig
from siamese.curriculum.course import CurriculumObserver
from siamese.curriculum.stage import StageSetting, run_stage
from siamese.datasets.base import FaceDataset
from siamese.feeding import PixelFeed, encode
from siamese.lineage import known_pictures
from siamese.splits import Split
from siamese.towers import Tower
from siamese.validation import knn_answers

ANSWERS_FILE = "answers.json"


@dataclass(frozen=True)
class Fold:
    """A fold's test.

    Attributes:
        rows: int64 (T,) of the data set, the pictures tested on.
        answers: int64 (T,), the label that the neighbours voted for; -1 where the embedding collapsed.
        known_people: Share of the test pictures whose person stands in training; None if the people are unknown.
        known_sequences: The same for films and bursts.
    """

    rows: NDArray[np.int64]
    answers: NDArray[np.int64]
    known_people: Optional[float]
    known_sequences: Optional[float]


def run_fold(
    setting: StageSetting, split: Split, name: str, config: TrainingConfig, observer: CurriculumObserver, left: int = 0
) -> Fold:
    """Train on a fold's training part and let its gallery vote on the test part, or read what came of it.

    Args:
        setting: Folder, data and device; its split is not used.
        split: The fold.
        name: The fold's folder below the setting's.
        config: What every fold is trained with.
        observer: Is told of every step.
        left: Folds that follow, for the time left.

    Raises:
        TrainingError: A file of an earlier session is damaged.
    """
    dataset = setting.dataset
    path = setting.out / name / ANSWERS_FILE
    answers = _read(path, split)
    if answers is None:
        own = replace(setting, split=split)
        work = config.epochs * len(split.train)
        observer.stage_started(name, dataset.emotions, work, left * work)
        init = setting.request.init
        result = run_stage(own, name, dataset.emotions, config, None if init is None else Path(init), observer)
        observer.stage_finished(result)
        if result.confusion is None:
            answers = np.full(len(split.test), -1, np.int64)
        else:
            tower = load_checkpoint(setting.out / result.name).tower
            answers = _vote(dataset, split, config, tower)
        content = {"digest": split.digest, "answers": answers.tolist()}
        write_text(path, json.dumps(content) + "\n")
    return Fold(split.test, answers, _known(dataset.subjects, split), _known(dataset.sequences, split))


def ask_untrained(dataset: FaceDataset, split: Split, config: TrainingConfig, run: Path) -> Fold:
    """A fold with a tower as it is: its training part is the gallery, and nothing is trained.

    Args:
        dataset: The faces.
        split: The fold.
        config: Says how many neighbours vote.
        run: The tower's.

    Raises:
        TowerError: The run is missing or damaged.
    """
    answers = _vote(dataset, split, config, load_checkpoint(run).tower)
    return Fold(split.test, answers, _known(dataset.subjects, split), _known(dataset.sequences, split))


def check_unseen(dataset: FaceDataset, run: Path) -> None:
    """Refuse a tower that has learned from the pictures it is to be tested on.

    Args:
        dataset: The faces of the folds.
        run: The tower's, with its split where it has one, or ``"pretrained"``.

    Raises:
        DataError: It was trained or validated on some of them.
    """
    known = len(known_pictures(dataset, run).intersection(dataset.ids))
    if known:
        raise DataError(
            f"{run} was trained or validated on {known} pictures of {dataset.name}, so no fold would test strangers; "
            "start from a run of other data, or leave --init out."
        )


def _vote(dataset: FaceDataset, split: Split, config: TrainingConfig, tower: Tower) -> NDArray[np.int64]:
    references, queries = (PixelFeed(dataset, rows, tower.input_spec) for rows in (split.train, split.test))
    vectors = [encode(tower, feed, torch.device("cpu")) for feed in (references, queries)]
    k = min(config.n_neighbors, len(references))
    return knn_answers(vectors[0], references.labels, vectors[1], tower.metric, k)


def _known(column: Optional[tuple[str, ...]], split: Split) -> Optional[float]:
    if column is None:
        return None
    trained = {column[int(row)] for row in split.train}
    return float(np.mean([column[int(row)] in trained for row in split.test]))


def _read(path: Path, split: Split) -> Optional[NDArray[np.int64]]:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        answers = np.array(content["answers"], np.int64)
        if content["digest"] != split.digest or answers.shape != split.test.shape:
            raise ValueError("it is of another split")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrainingError(
            f"{path} is damaged ({error}); remove the folder {path.parent} to train it again."
        ) from error
    return answers


@dataclass(frozen=True)
class FoldSummary:
    """All folds of one way to split, their tests taken together.

    Attributes:
        method: How the folds were made.
        trained: Whether each fold's tower was trained on it, or asked as it is.
        scores: Of all test pictures, each tested once.
        interval: 95 % of the accuracy; by resampling people where they are known, else Wilson's.
        by_people: Whether it is by people.
        folds: Accuracy of each fold, 0-1.
        known_people: Share of the test pictures whose person was trained on, or None.
        known_sequences: The same for films and bursts.
    """

    method: str
    trained: bool
    scores: Scores
    interval: tuple[float, float]
    by_people: bool
    folds: tuple[float, ...]
    known_people: Optional[float]
    known_sequences: Optional[float]

    def to_json(self) -> dict[str, Any]:
        """The summary as a plain dict."""
        return {
            "method": self.method,
            "trained": self.trained,
            "leaking": bool(self.known_people or self.known_sequences),
            "interval_95": list(self.interval),
            "interval_by_people": self.by_people,
            "folds": list(self.folds),
            "known_people": self.known_people,
            "known_sequences": self.known_sequences,
            "knn": self.scores.to_json(),
        }


def summarise_folds(
    dataset: FaceDataset, method: str, folds: Sequence[Fold], seed: int = 0, trained: bool = True
) -> FoldSummary:
    """Take the folds of one method together.

    Args:
        dataset: The faces.
        method: How the folds were made.
        folds: All of them, at least one; their test parts do not overlap.
        seed: Of the resampling.
        trained: Whether the towers were trained on their folds.
    """
    rows = np.concatenate([fold.rows for fold in folds])
    answers = np.concatenate([fold.answers for fold in folds])
    names = (*dataset.emotions, "collapsed")
    truth = [names[label] for label in dataset.labels[rows]]
    said = [names[answer] for answer in answers]
    scores = score(truth, said, dataset.emotions if (answers >= 0).all() else names)
    right = answers == dataset.labels[rows]
    people = None if dataset.subjects is None else np.array(dataset.subjects)[rows]
    interval = scores.interval if people is None else resampled_interval(right, people, seed)

    def mean(shares: list[Optional[float]]) -> Optional[float]:
        known = [(share, len(fold.rows)) for share, fold in zip(shares, folds) if share is not None]
        return sum(share * size for share, size in known) / sum(size for _, size in known) if known else None

    return FoldSummary(
        method,
        trained,
        scores,
        interval,
        people is not None,
        tuple(float((fold.answers == dataset.labels[fold.rows]).mean()) for fold in folds),
        mean([fold.known_people for fold in folds]),
        mean([fold.known_sequences for fold in folds]),
    )
