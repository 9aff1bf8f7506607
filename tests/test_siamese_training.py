from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import Recorder, run, without_times
from tiny_faces import EMOTIONS, tiny_config, tiny_dataset, tiny_split

from galleries.errors import ConfigError, EmotionsError, SplitError, TrainingError
from siamese.augment import Augmentation
from siamese.checkpoint import load_checkpoint
from siamese.datasets.base import PixelStore
from siamese.history import HISTORY_FILE
from siamese.processes import pick_device
from siamese.state import STATE_FILE, read_state
from siamese.training import CollapsedEmbedding, Progress, Trainer, fit


def test_a_run_learns_and_leaves_its_files(tmp_path: Path) -> None:
    seen = Recorder()
    result = run(tmp_path, seen, dataset=tiny_dataset(noise=60), epochs=5)
    assert result.best_score == 1.0
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert (result.stopped, result.precision, result.leader) == ("all epochs", "float32", True)
    assert [row["epoch"] for row in seen.rows] == [1, 2, 3, 4, 5]
    assert seen.epochs == [(epoch, 5, 3) for epoch in range(1, 6)]
    assert seen.steps == 15
    assert {path.name for path in tmp_path.iterdir()} == {
        "card.json",
        "history.csv",
        "state.safetensors",
        "tensorboard",
        "tower.safetensors",
    }
    assert list((tmp_path / "tensorboard").iterdir())
    rows = list(csv.DictReader((tmp_path / HISTORY_FILE).read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5]
    assert float(rows[2]["loss"]) == pytest.approx(result.history[2]["loss"], rel=1e-5)
    assert float(rows[2]["loss"]) == pytest.approx(
        0.5 * float(rows[2]["loss_supcon"]) + float(rows[2]["loss_cross-entropy"]), rel=1e-4
    )
    assert load_checkpoint(tmp_path).card["validation"]["val_knn"] == 1.0


VARIANTS: dict[str, dict[str, Any]] = {
    "the recipe's sum, average, one-cycle": {},
    "plateau, adam, no average": {
        "schedule": "plateau",
        "optimizer": "adam",
        "lr": 1e-3,
        "ema": 0.0,
        "plateau_patience": 0,
        "monitor": "softmax",
        "loss": "cross-entropy",
    },
    "pairs, contrastive": {
        "loss": "contrastive",
        "loss_options": {"contrastive": {"pairing": "adjacent"}},
        "sampler": "pairs",
        "optimizer": "adamw",
        "lr": 1e-3,
    },
    "dropout, proxies, pk": {
        "tower": "fer_cnn",
        "input_size": 8,
        "optimizer": "adam",
        "lr": 1e-3,
        "loss": "arcface+cross-entropy",
        "sampler": "pk",
        "schedule": "cosine",
    },
    "mixup": {"mixup": 0.4, "mixup_alpha": 0.5, "loss": "0.5*supcon+cross-entropy"},
    "bfloat16": {"precision": "bfloat16", "loss": "triplet", "miner": "batch-hard", "sampler": "pk"},
}


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_stopped_run_resumes_to_the_same_numbers(variant: str, tmp_path: Path) -> None:
    options = {"epochs": 3, **VARIANTS[variant]}
    whole = run(tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", Recorder(stop_after=1), **options)  # before the first epoch is over
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", Recorder(stop_after=5), resume=True, **options)  # in the second
    resumed = run(tmp_path / "stopped", resume=True, **options)
    assert without_times(resumed.history) == without_times(whole.history)
    assert resumed.tower.fingerprint == whole.tower.fingerprint
    assert (resumed.best_epoch, resumed.best_score) == (whole.best_epoch, whole.best_score)
    ours, theirs = (read_state(tmp_path / name) for name in ("stopped", "whole"))
    assert ours.tensors.keys() == theirs.tensors.keys()
    for key, value in ours.tensors.items():
        assert torch.equal(value, theirs.tensors[key]), key
    assert ours.facts["plateau"] == theirs.facts["plateau"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {root!r}]
import torch
from siamese.training import Silence, fit
from tiny_faces import tiny_config, tiny_dataset, tiny_split

class Killer(Silence):
    steps = 0
    def stepped(self, loss, pictures):
        self.steps += 1
        if self.steps == 5:
            os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads({threads})
dataset = tiny_dataset()
fit(dataset, tiny_split(dataset), tiny_config(), Path({out!r}), device="cpu", observer=Killer())
"""


def test_a_killed_run_resumes_to_the_same_numbers(tmp_path: Path) -> None:
    tests = Path(__file__).parent
    out = tmp_path / "killed"
    code = KILLED.format(tests=str(tests), root=str(tests.parent), out=str(out), threads=torch.get_num_threads())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert read_state(out).facts["progress"]["epoch"] == 1
    whole = run(tmp_path / "whole")
    resumed = run(out, resume=True)
    assert without_times(resumed.history) == without_times(whole.history)
    assert resumed.tower.fingerprint == whole.tower.fingerprint


def test_a_finished_run_resumes_to_itself(tmp_path: Path) -> None:
    first = run(tmp_path)
    seen = Recorder()
    again = run(tmp_path, seen, resume=True)
    assert seen.steps == 0
    assert again.tower.fingerprint == first.tower.fingerprint
    assert again.history == first.history


def test_a_resumed_run_keeps_its_number_format(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_after=4), precision="bfloat16")
    assert run(tmp_path, resume=True, precision="float32").precision == "bfloat16"


def test_the_seed_decides(tmp_path: Path) -> None:
    one, same, other = (
        run(tmp_path / name, epochs=1, seed=seed) for name, seed in (("one", 3), ("same", 3), ("other", 4))
    )
    assert one.tower.fingerprint == same.tower.fingerprint
    assert one.tower.fingerprint != other.tower.fingerprint


def test_what_cannot_be_resumed_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be resumed"):
        run(tmp_path / "none", resume=True)
    run(tmp_path / "run", epochs=1)
    with pytest.raises(TrainingError, match="another configuration"):
        run(tmp_path / "run", resume=True, embedding_dim=9)
    path = tmp_path / "run" / STATE_FILE
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(TrainingError, match="is damaged"):
        run(tmp_path / "run", resume=True)


def test_pictures_all_alike_collapse(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    grey = replace(dataset, store=PixelStore.from_array(np.full((60, 16, 16), 90, np.uint8)))
    seen = Recorder()
    plain = {"augment": Augmentation(), "loss": "contrastive"}
    with pytest.raises(CollapsedEmbedding, match="after epoch 2 all validation faces have nearly the same vector"):
        run(tmp_path, seen, dataset=grey, **plain)
    assert len(seen.notes) == 1
    assert "all distances between validation faces are alike" in seen.notes[0]
    with pytest.raises(CollapsedEmbedding, match="No epoch gave a usable embedding; lower --lr"):
        run(tmp_path / "short", dataset=grey, epochs=1, **plain)


def test_statistics_that_have_yet_to_settle_are_no_collapse(tmp_path: Path) -> None:
    seen = Recorder()
    options = {"tower": "liexnet", "embedding_dim": None, "lr": 1e-4, "optimizer": "adam", "loss": "cross-entropy"}
    with pytest.raises(CollapsedEmbedding, match=r"to settle\. Train for more steps"):  # it went through all epochs
        run(tmp_path, seen, epochs=3, ema=0.0, **options)
    assert [row["epoch"] for row in seen.rows] == [1, 2, 3]
    assert all("have yet to settle" in note for note in seen.notes)
    assert len(seen.notes) == 3


@pytest.mark.parametrize(
    ("before", "train_collapsed", "steps", "counted"),
    [
        (False, False, 10, 0),  # has never been usable and spreads in training: it settles
        (False, True, 10, 1),
        (True, False, 10, 1),  # was usable before
        (False, False, 1000, 1),  # has had time enough
    ],
)
def test_which_collapse_counts(before: bool, train_collapsed: bool, steps: int, counted: int) -> None:
    progress, config = Progress(), tiny_config(early_stop=3)
    sound = {"val_knn": 0.5, "seconds": 1.0, "collapsed": False, "train_collapsed": False, "steps": 1, "epoch": 1}
    if before:
        progress.take(dict(sound), config)
    row = {**sound, "epoch": 2, "steps": steps, "collapsed": True, "train_collapsed": train_collapsed}
    for _ in range(4):
        progress.take(dict(row), config)
    assert progress.collapsed == 4 * counted
    assert progress.history[-1]["settling"] == (counted == 0)
    assert progress.best_epoch == int(before)
    assert not progress.stopped  # epochs without a usable embedding are not waited through
    progress.take({**sound, "epoch": 6, "val_knn": 0.9}, config)
    assert (progress.collapsed, progress.best_epoch, progress.stalled) == (0, 6, 0)


def test_a_loss_that_explodes_is_told_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Recorder()
    real = Trainer.step

    def step(self: Trainer, *rest: Any) -> Any:
        loss, parts = real(self, *rest)
        return (float("nan"), parts) if self.progress.epoch == 1 else (loss, parts)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", step)
        with pytest.raises(TrainingError, match=r"The loss became nan in epoch 2; lower --lr"):
            run(tmp_path, seen)
    assert seen.steps == 4  # one epoch of three, then no step after the first bad one
    assert read_state(tmp_path).facts["progress"]["epoch"] == 1
    assert load_checkpoint(tmp_path).card["epoch"] == 1
    assert run(tmp_path, resume=True).tower.fingerprint == run(tmp_path / "whole").tower.fingerprint


def test_a_rate_far_too_high_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"loss became|collapsed|usable"):
        run(
            tmp_path,
            tower="siamese",
            input_size=41,
            loss="contrastive",
            lr=100.0,
            schedule="constant",
            gradient_clip=0.0,
            ema=0.0,
            epochs=6,
        )


def test_a_full_disk_stops_the_run_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Recorder(stop_after=4))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("galleries.atomic.os.fsync", full)
        with pytest.raises(EmotionsError, match="No space left on device"):
            run(tmp_path, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert run(tmp_path, resume=True).tower.fingerprint == run(tmp_path / "whole").tower.fingerprint


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:x", "", "cuda:", "mps"])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"is no device|no CUDA GPU"):
        pick_device(name)


def test_a_run_starts_from_another_ones_weights(tmp_path: Path) -> None:
    first = run(tmp_path / "first", epochs=1)
    dataset = tiny_dataset()
    seen = Recorder()
    options = {"epochs": 1, "lr": 1e-9, "ema": 0.0}
    fit(
        dataset, tiny_split(dataset), tiny_config(**options), tmp_path / "next", device="cpu", observer=seen,
        init=tmp_path / "first",
    )  # fmt: skip
    started = load_checkpoint(tmp_path / "next").tower
    torch.testing.assert_close(started.embedding.weight, first.tower.embedding.weight)  # type: ignore[union-attr]
    assert "none is made anew" in seen.notes[0]


def test_what_cannot_be_trained_on_is_refused(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    split = tiny_split(dataset)
    with pytest.raises(TrainingError, match="no validation pictures"):
        fit(dataset, replace(split, val=np.arange(0)), tiny_config(), tmp_path)
    with pytest.raises(SplitError, match="at least two emotions"):
        fit(
            dataset.select(["anger"]), replace(split, train=np.arange(9), val=np.arange(9, 12)), tiny_config(), tmp_path
        )
    with pytest.raises(SplitError, match="Too few training pictures"):
        fit(dataset, replace(split, train=np.array([0, 3, 1, 4, 2])), tiny_config(), tmp_path)
    assert not (tmp_path / STATE_FILE).exists()
    assert len(EMOTIONS) == 3
