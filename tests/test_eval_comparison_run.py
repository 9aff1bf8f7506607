"""One run of a comparison, its few-shot task and its speed; and a time budget, which a comparison trains by."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator

import numpy as np
import pytest

pytest.importorskip("torch", reason="the learning part is not installed")
pytest.importorskip("sklearn", reason="the judging part is not installed")

import torch
from test_siamese_curriculum_course import Watch
from tiny_faces import tiny_config, tiny_dataset, tiny_split

from eval.comparison_few_shot import few_shot_task
from eval.comparison_run import NO_ANSWER, ROW_FILE, Contest, Facts, Row, compare_run, read_row
from eval.comparison_speed import TowerSpeed, measure, tower_speed
from eval.few_shot import Mean
from galleries.errors import ConfigError, TowerError, TrainingError
from siamese.checkpoint import load_checkpoint
from siamese.curriculum.stage import StageSetting
from siamese.feeding import PixelFeed, encode
from siamese.run import RunRequest
from siamese.towers import count_parameters
from siamese.training import fit
from siamese.validation import knn_answers


def contest(out: Path, **changes: Any) -> Contest:
    dataset = tiny_dataset(90)
    setting = StageSetting(out, dataset, tiny_split(dataset), RunRequest("tiny", tiny_config().to_json()), None, "cpu")
    data, split = setting.data(dataset.emotions)
    task = few_shot_task(data, split, 1, ways=2, episodes=20)
    return Contest(setting, data, split, 3, **{"references": 30, "task": task, "threads": 1, **changes})


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a network is slower on several threads, and much slower on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Stopped(Exception):
    pass


class Stopper(Watch):
    """Stops the run in the middle of its second epoch."""

    def stepped(self, loss: float, pictures: int) -> None:
        if self.steps == 2:
            raise Stopped


def told(row: Row) -> dict[str, Any]:
    """A row without what time decides."""
    return asdict(replace(row, speed=None, facts=replace(row.facts, seconds=0, pictures=0)))


def test_a_run_is_done_once_and_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    config = tiny_config(seed=1)
    whole = compare_run(contest(tmp_path / "whole"), "own", config, Watch(), 1)
    with pytest.raises(Stopped):
        compare_run(contest(tmp_path / "halves"), "own", config, Stopper(), 1)
    assert not list((tmp_path / "halves").rglob(ROW_FILE))
    again = compare_run(contest(tmp_path / "halves"), "own", config, Watch(), 1)
    assert told(again) == told(whole)
    watch = Watch()
    read = compare_run(contest(tmp_path / "halves"), "own", config, watch, 1)
    assert watch.steps == 0
    assert read == again
    _against_a_slow_test(contest(tmp_path / "whole"), whole)


def _against_a_slow_test(task: Contest, row: Row) -> None:
    """The answers once more, by PyTorch instead of ONNX."""
    folder = task.setting.out / "nano" / "seed-1"
    best = load_checkpoint(folder)
    assert best.card["recipe"] == "own"
    voters = task.voters()
    assert len(voters) == 30
    vectors = [
        encode(best.tower, PixelFeed(task.dataset, rows, best.tower.input_spec)) for rows in (voters, task.split.test)
    ]
    labels = task.dataset.labels[voters]
    assert row.knn == tuple(knn_answers(vectors[0], labels, vectors[1], best.tower.metric, 3))
    assert best.head is not None
    with torch.inference_mode():
        scores = best.head(torch.from_numpy(vectors[1])).numpy()
    assert row.softmax == tuple(scores.argmax(1))
    assert row.has_head
    assert row.facts.parameters == count_parameters(best.tower)
    assert row.facts.bytes == (folder / "tower.onnx").stat().st_size
    assert row.facts.epochs == 3
    assert row.few_shot is not None
    assert 0 < row.few_shot["prototype"].mean <= 1
    assert row.speed is not None
    assert 0 < row.speed.p50_ms <= row.speed.p95_ms
    assert row.speed.memory_mb is None or row.speed.memory_mb > (row.speed.base_mb or 0)


def test_a_tower_without_softmax_gets_one_afterwards(tmp_path: Path) -> None:
    """On vectors that fall into their classes, the one fitted afterwards finds them."""
    task = contest(tmp_path)
    config = tiny_config(loss="supcon", sampler="pk", epochs=6)
    row = compare_run(replace(task, task=None), "own", config, Watch(), 1)
    truth = task.dataset.labels[task.split.test]
    assert not row.has_head
    assert row.few_shot is None
    assert (np.array(row.softmax) == truth).mean() > 0.6


def test_a_loss_that_diverges_ends_a_run_not_the_comparison(tmp_path: Path) -> None:
    task, watch = contest(tmp_path), Watch()
    config = tiny_config(lr=100.0, gradient_clip=0.0, momentum=0.99, schedule="constant", epochs=12, optimizer="sgd")
    row = compare_run(task, "own", config, watch, 1)
    assert row.facts.ended in ("diverged", "collapsed")
    assert not list(tmp_path.rglob("*-again"))  # the budget is the same for all
    assert set(row.knn) == {NO_ANSWER}
    assert row.facts.parameters > 0
    assert compare_run(task, "own", config, watch, 1) == row


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"tower": "nano"', '"tower": "liexnet"'),
        lambda text: text.replace('"digest": "', '"digest": "0'),
        lambda text: text.replace('"knn": [', '"knn": [7, '),
        lambda text: text.replace('"softmax": [', '"softmax": ["a", '),
        lambda text: text.replace('"p50_ms"', '"p51_ms"'),
        lambda text: text.replace('"facts": {', '"facts": 1, "x": {'),
        lambda text: text.replace('"prototype"', '"logistic"'),
        lambda text: text.replace('"pictures": 1', '"pictures": "1"'),
        lambda text: text.replace('"p50_ms": 1.0', '"p50_ms": NaN'),
        lambda text: "null",
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, damage: Any) -> None:
    task = contest(tmp_path)
    answers = (0,) * len(task.split.test)
    facts = Facts(1, 1, 1, 16, 16, 1, 1, 1.0, 1, 1, 1, "float32", "")
    few = {head: Mean(0.5, (0.4, 0.6)) for head in ("knn", "prototype")}
    speed = TowerSpeed(1.0, 2.0, 3, 1, None, None)
    row = Row("nano", 0, task.split.digest, answers, answers, True, few, facts, speed)
    path = tmp_path / "nano" / "seed-0" / ROW_FILE
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(asdict(row)))
    assert read_row(path, "nano", 0, task) == row
    text = path.read_text()
    assert damage(text) != text
    path.write_text(damage(text))
    with pytest.raises(TrainingError, match=r"row.json is damaged .* remove the folder"):
        compare_run(task, "own", tiny_config(), Watch(), 1)


def test_few_shot_is_on_people_never_trained_on() -> None:
    dataset = tiny_dataset(180)
    people = tuple(f"p{row // 6}" for row in range(180))
    dataset = replace(dataset, subjects=people)
    rows = np.arange(180)
    split = replace(tiny_split(dataset), train=rows[:54], val=rows[54:60], test=rows[57:])
    task = few_shot_task(dataset, split, 2, ways=3, episodes=50)
    assert task is not None
    assert task.new_people
    shown = {people[row] for row in split.test[task.places]}
    assert not shown & {people[row] for row in rows[:60]}
    for episode in range(50):
        sides = [task.episodes.support[episode].ravel(), task.episodes.queries[episode].ravel()]
        shots, asked = ({people[split.test[task.places[place]]] for place in side} for side in sides)
        assert not shots & asked
    assert (task.pool.labels == dataset.labels[split.test[task.places]]).all()


def test_few_shot_falls_back_and_gives_up() -> None:
    dataset = tiny_dataset(180)
    everyone = replace(dataset, subjects=tuple(f"p{row % 20}" for row in range(180)))
    task = few_shot_task(everyone, tiny_split(everyone), 1, episodes=5)
    assert task is not None
    assert not task.new_people
    assert task.facts()["ways"] == 3
    assert few_shot_task(tiny_dataset(60), tiny_split(tiny_dataset(60)), 30) is None
    with pytest.raises(ConfigError, match="0 shots"):
        few_shot_task(dataset, tiny_split(dataset), 0)


def test_speed_of_what_is_no_tower(tmp_path: Path) -> None:
    path = tmp_path / "tower.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(TowerError, match="could not be measured"):
        tower_speed(path)
    with pytest.raises(TowerError):
        measure(str(path), 1)


# --- a time budget ----------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock in the trainer that moves on by an eighth of a second whenever it is looked at."""
    ticks = itertools.count()
    monkeypatch.setattr("siamese.trainer.time", SimpleNamespace(perf_counter=lambda: next(ticks) / 8))


def times_apart(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


@pytest.mark.usefixtures("clock")
def test_a_time_budget_ends_a_run_and_its_schedule(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    config = tiny_config(epochs=100_000, seconds=4.0, schedule="one-cycle")
    result = fit(dataset, tiny_split(dataset), config, tmp_path / "run")
    spent = [row["train_seconds"] for row in result.history]
    assert result.stopped == "time is up"
    assert sum(spent[:-1]) < 4.0 <= sum(spent) < 4.5
    assert len(spent) > 2
    assert result.history[-1]["lr"] < 0.1 * config.lr
    again = fit(dataset, tiny_split(dataset), config, tmp_path / "run", resume=True)
    assert again.history == result.history


@pytest.mark.usefixtures("clock")
def test_a_time_budget_goes_on_after_a_stop_to_the_same_numbers(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    config = tiny_config(epochs=100_000, seconds=4.0)
    whole = fit(dataset, tiny_split(dataset), config, tmp_path / "whole")
    with pytest.raises(Stopped):
        fit(dataset, tiny_split(dataset), config, tmp_path / "halves", observer=Stopper())
    result = fit(dataset, tiny_split(dataset), config, tmp_path / "halves", resume=True)
    assert times_apart(result.history) == times_apart(whole.history)


def test_the_last_epoch_is_cut_short(tmp_path: Path) -> None:
    dataset = tiny_dataset(300)
    split = replace(tiny_split(dataset), train=np.arange(240), val=np.arange(240, 300))
    config = tiny_config(batch_size=4, seconds=1e-9)
    result = fit(dataset, split, config, tmp_path / "run")
    assert [row["steps"] for row in result.history] == [1]
    assert result.best_epoch == 1


def test_epochs_may_come_before_the_time_is_up(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    result = fit(dataset, tiny_split(dataset), tiny_config(seconds=1e6), tmp_path / "run")
    assert (len(result.history), result.stopped) == (3, "all epochs")


def test_a_time_budget_and_an_order_of_pairs_do_not_go_together() -> None:
    bands = ((("anger", "fear"),), (), ())
    with pytest.raises(ConfigError, match="goes by epochs"):
        tiny_config(seconds=3, sampler="pairs", pair_order="similar-first", pair_bands=bands)
    for wrong in (0, -1, "3", float("nan")):
        with pytest.raises(ConfigError, match="seconds"):
            tiny_config(seconds=wrong)
