from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the learning part is not installed")

from test_siamese_curriculum_course import FOUR, Watch
from tiny_faces import tiny_config, tiny_dataset

from eval.fold_trial import Fold, check_unseen, run_fold, summarise_folds
from eval.intervals import resampled_interval
from galleries.errors import DataError, TrainingError
from siamese.curriculum.stage import StageSetting
from siamese.datasets.base import FaceDataset
from siamese.run import RunRequest
from siamese.splits import k_folds


def known_people() -> FaceDataset:
    plain = tiny_dataset(80, emotions=FOUR)
    return replace(plain, subjects=tuple(f"S{row // 8}" for row in range(80)))


def test_every_picture_is_tested_once_and_folds_are_read_again(tmp_path: Path) -> None:
    dataset = known_people()
    config = tiny_config(epochs=1)
    request = RunRequest("tiny", config.to_json())
    for method in ("random", "subject"):
        splits = k_folds(dataset, 3, method, 0)
        setting = StageSetting(tmp_path, dataset, splits[0], request, None, "cpu")
        found = [run_fold(setting, split, f"{method}/{i}", config, Watch()) for i, split in enumerate(splits)]
        assert sorted(np.concatenate([fold.rows for fold in found]).tolist()) == list(range(80))
        watch = Watch()
        again = [run_fold(setting, split, f"{method}/{i}", config, watch) for i, split in enumerate(splits)]
        assert watch.steps == 0
        assert all(np.array_equal(a.answers, b.answers) for a, b in zip(found, again))
        summary = summarise_folds(dataset, method, found)
        assert summary.scores.n == 80
        assert summary.by_people
        assert summary.interval[0] <= summary.scores.accuracy <= summary.interval[1]
        assert np.mean(summary.folds) == pytest.approx(summary.scores.accuracy, abs=0.02)
        assert (summary.known_people == 0) == (method == "subject")
        assert summary.to_json()["leaking"] == (method == "random")


def test_where_the_last_epoch_is_kept_all_other_folds_may_train(tmp_path: Path) -> None:
    dataset = known_people()
    config = tiny_config(epochs=1, monitor="last")
    splits = k_folds(dataset, 3, "subject", 0, val=0.0)
    setting = StageSetting(tmp_path, dataset, splits[0], RunRequest("t", config.to_json()), None, "cpu")
    for number, split in enumerate(splits):
        assert len(split.train) + len(split.test) == len(dataset)
        fold = run_fold(setting, split, str(number), config, Watch())
        assert (fold.answers >= 0).all()  # no validation is no collapse
        again = run_fold(setting, split, str(number), config, Watch())
        assert np.array_equal(again.answers, fold.answers)
        told = json.loads((tmp_path / str(number) / "stage.json").read_text())
        assert (told["validation_pictures"], told["accuracy"], told["majority"]) == (0, None, None)
        assert told["training_pictures"] == len(split.train)


def test_a_damaged_or_foreign_file_is_named(tmp_path: Path) -> None:
    dataset = known_people()
    config = tiny_config(epochs=1)
    splits = k_folds(dataset, 3, "subject", 0)
    setting = StageSetting(tmp_path, dataset, splits[0], RunRequest("t", config.to_json()), None, "cpu")
    path = tmp_path / "f" / "answers.json"
    path.parent.mkdir()
    for damaged in ("{", "{}", json.dumps({"digest": "x", "answers": []}), json.dumps({"answers": "many"})):
        path.write_text(damaged)
        with pytest.raises(TrainingError, match="is damaged"):
            run_fold(setting, splits[0], "f", config, Watch())


def test_pictures_that_a_run_learned_from_are_known_by_their_data_set(tmp_path: Path) -> None:
    dataset = known_people()
    split = k_folds(dataset, 3, "subject", 0)[0]
    check_unseen(dataset, tmp_path)  # a run without a split says nothing
    split.save(tmp_path / "split.json", replace(dataset, name="tiny"))
    check_unseen(replace(dataset, name="other"), tmp_path)
    held_out = replace(dataset.subset(split.test), name="tiny")
    check_unseen(held_out, tmp_path)
    for name in ("tiny", "tiny+ferplus"):
        known = len(split.train) + len(split.val)
        with pytest.raises(DataError, match=f"trained or validated on {known} pictures"):
            check_unseen(replace(dataset, name=name), tmp_path)


def test_a_collapsed_fold_counts_as_wrong() -> None:
    dataset = tiny_dataset(12)
    rows = np.arange(12)
    folds = [Fold(rows[:6], dataset.labels[:6], None, None), Fold(rows[6:], np.full(6, -1), None, None)]
    summary = summarise_folds(dataset, "random", folds)
    assert summary.scores.accuracy == 0.5
    assert summary.folds == (1.0, 0.0)
    assert summary.known_people is None
    assert not summary.by_people


def test_people_who_fail_together_make_the_interval_wider() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 10)
    together = np.repeat(rng.random(40) < 0.7, 10)
    alone = rng.permutation(together)
    wide, narrow = resampled_interval(together, people), resampled_interval(alone, people)
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])
    assert wide[0] < together.mean() < wide[1]
    assert resampled_interval(together, people) == wide  # seeded
    assert resampled_interval(np.ones(5, bool), np.arange(5)) == (1.0, 1.0)
