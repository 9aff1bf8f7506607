from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest

pytest.importorskip("torch", reason="the learning part is not installed")

from tiny_faces import tiny_config, tiny_dataset

from galleries.errors import ConfigError, SplitError, TrainingError
from siamese.curriculum.config import CurriculumConfig, curriculum_from_mapping
from siamese.curriculum.course import Curriculum
from siamese.curriculum.record import CURRICULUM_FILE, Record, confusions_of, read_request
from siamese.curriculum.stage import StageResult, StageSetting, run_stage, stage_data
from siamese.observer import Silence
from siamese.pair_order import pairs_of
from siamese.run import RunRequest
from siamese.splits import make_split
from siamese.state import STATE_FILE
from siamese.training import CollapsedEmbedding

FOUR = ("anger", "fear", "happiness", "sadness")
STAGES = 1 + 6 + 1 + 2 + 1 + 1  # warm-up, pairs, the first pair, two trials, three emotions, four


class Watch(Silence):
    """Keeps what it is told, and may stop the training in the middle of a stage."""

    def __init__(self, stop_in: Optional[int] = None) -> None:
        self.names: list[str] = []
        self.results: list[StageResult] = []
        self.work: list[tuple[int, int]] = []
        self.notes: list[str] = []
        self.steps = 0
        self.stop_in = stop_in

    def stage_started(self, name: str, emotions: tuple[str, ...], pictures: int, later: int) -> None:
        self.names.append(name)
        self.work.append((pictures, later))

    def stage_finished(self, result: StageResult) -> None:
        self.results.append(result)

    def started(self, epoch: int, epochs: int, steps: int) -> None:
        self.steps += 1
        if self.stop_in is not None and len(self.names) == self.stop_in + 1 and epoch == epochs:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


def make(out: Path, watch: Watch, options: Optional[dict[str, Any]] = None, noise: int = 200) -> Curriculum:
    """A curriculum over four emotions on tiny pictures."""
    dataset = tiny_dataset(80, noise=noise, emotions=FOUR)
    training = tiny_config(sampler="pairs", loss="contrastive", batch_size=16, ema=0.0, lr=0.01)
    basic = {"warmup_epochs": 2, "pair_epochs": 2, "trial_epochs": 2, "stage_epochs": 2, "threshold": 0.0}
    config = CurriculumConfig(training, **{**basic, **(options or {})})  # type: ignore[arg-type]
    request = RunRequest("tiny", training.to_json())
    setting = StageSetting(out, dataset, make_split(dataset, "random", seed=1), request, config.per_class, "cpu")
    return Curriculum(setting, config, watch)


def without_times(value: Any) -> Any:
    """Results without what a clock says."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key != "seconds"}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def content(out: Path) -> Any:
    return without_times(json.loads((out / CURRICULUM_FILE).read_text()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record, Watch]:
    """A curriculum that was never stopped."""
    out, watch = tmp_path_factory.mktemp("whole") / "course", Watch()
    return out, make(out, watch).run(), watch


def test_the_whole_course(whole: tuple[Path, Record, Watch]) -> None:
    _, record, watch = whole
    assert len(watch.names) == STAGES
    assert watch.names[0] == "warm-up"
    assert [name.split("/")[0] for name in watch.names[1:]] == [
        *["pairs"] * 6,
        "growth",
        *["trials"] * 2,
        *["growth"] * 2,
    ]
    assert {stage.emotions for stage in record.pairs} == set(pairs_of(FOUR))
    assert [pair.emotions for pair in record.ranking.pairs] == [stage.emotions for stage in record.pairs]
    assert record.growth is not None
    assert set(record.growth.held) == set(FOUR)
    assert record.growth.broken_by is None
    assert record.held_stage.emotions == record.growth.held
    best = max(record.pairs, key=lambda stage: float(stage.value("multi-class") or 0))
    assert record.stages[0].value is not None
    assert best.value("multi-class") == next(
        stage.value("multi-class") for stage in record.pairs if stage.emotions == record.stages[0].emotions
    )
    tried = {stage.emotions[-1]: float(stage.value("multi-class") or 0) for stage in record.trials}
    assert tried[record.stages[1].emotions[-1]] == max(tried.values())


def test_every_stage_leaves_a_run_folder(whole: tuple[Path, Record, Watch]) -> None:
    out, _, watch = whole
    for name in watch.names:
        held = {path.name for path in (out / name).iterdir()}
        assert {"tower.safetensors", "card.json", "history.csv", "run.json", "split.json", "stage.json"} <= held
        assert STATE_FILE not in held
        assert RunRequest.read(out / name).emotions is not None


def test_each_stage_starts_from_the_last_ones_weights(whole: tuple[Path, Record, Watch]) -> None:
    _, record, _ = whole
    pair = next(stage for stage in record.pairs if stage.emotions == record.stages[0].emotions)
    assert [stage.started_from for stage in record.stages] == [pair.name, *(s.name for s in record.stages[:-1])]
    assert {trial.started_from for trial in record.trials} == {record.stages[0].name}
    assert {stage.started_from for stage in record.pairs} == {None}


def test_the_work_ahead_is_foretold(whole: tuple[Path, Record, Watch]) -> None:
    """Each stage's pictures and those after it: with classes of one size the forecast is exact."""
    _, _, watch = whole
    own = [pictures for pictures, _ in watch.work]
    for place, (_, later) in enumerate(watch.work):
        assert later == pytest.approx(sum(own[place + 1 :]), abs=1)


def test_stopped_in_every_stage_it_resumes_to_the_same_numbers(
    whole: tuple[Path, Record, Watch], tmp_path: Path
) -> None:
    """Stopped before the last epoch of the first stage, taken up, stopped in the second …; then left to end."""
    out = tmp_path / "course"
    for stage in range(STAGES):
        watch = Watch(stop_in=stage)
        with pytest.raises(KeyboardInterrupt):
            make(out, watch).run()
        assert watch.steps == (2 if stage == 0 else 3)  # the last epoch of the stage before, two begun of this one
    last = Watch()
    make(out, last).run()
    assert last.steps == 1
    assert content(out) == content(whole[0])


def test_a_killed_process_resumes_to_the_same_numbers(whole: tuple[Path, Record, Watch], tmp_path: Path) -> None:
    """SIGKILL in the middle of the growth."""
    out = tmp_path / "course"
    script = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from test_siamese_curriculum_course import Watch, make

        class Killed(Watch):
            def finished(self, row):
                if len(self.names) == int(sys.argv[2]):
                    os.kill(os.getpid(), signal.SIGKILL)

        make(Path(sys.argv[1]), Killed()).run()
        """
    )
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, str(out), "11"]
    done = subprocess.run(command, env=here, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    make(out, Watch()).run()
    assert content(out) == content(whole[0])


def test_a_damaged_stage_is_named(whole: tuple[Path, Record, Watch], tmp_path: Path) -> None:
    for number, damage in enumerate(("{", "[]", '{"emotions": 3}', '{"emotions": ["x"]}')):
        out = tmp_path / str(number)
        (out / "warm-up").mkdir(parents=True)
        (out / "warm-up" / "stage.json").write_text(damage)
        with pytest.raises(TrainingError, match="damaged or of another curriculum"):
            make(out, Watch()).run()


def test_the_first_emotion_below_the_threshold_is_named(tmp_path: Path) -> None:
    """Noise in place of faces: three emotions cannot be told apart, so the third breaks it."""
    out = tmp_path / "course"
    record = make(out, Watch(), {"threshold": 0.9}, noise=4000).run()
    assert record.growth is not None
    assert len(record.growth.held) == 2
    broken = record.breaking_stage
    assert broken is not None
    assert broken.emotions[-1] == record.growth.broken_by
    told = content(out)
    assert told["broken_by"] == record.growth.broken_by
    assert {entry["emotion"] for entry in told["confusions_of_breaking_emotion"]} == set(record.growth.held)


def test_a_given_order_is_followed_without_trials(tmp_path: Path) -> None:
    watch = Watch()
    record = make(tmp_path, watch, {"growth": "sad,fear,happy,angry", "order": "mixed"}).run()
    assert [stage.emotions for stage in record.stages][-1] == ("sadness", "fear", "happiness", "anger")
    assert record.trials == ()
    assert watch.work[-1][1] == 0


def test_pairs_can_choose_instead_of_trials(tmp_path: Path) -> None:
    record = make(tmp_path, Watch(), {"choose": "pairs", "measure": "means"}).run()
    assert record.trials == ()
    value = {frozenset(s.emotions): float(s.value("multi-class") or 0) for s in record.pairs}
    held = record.stages[0].emotions
    means = {name: sum(value[frozenset((name, other))] for other in held) / 2 for name in FOUR if name not in held}
    assert means[record.stages[1].emotions[-1]] == max(means.values())


def test_pairs_can_start_from_the_warm_up_tower(tmp_path: Path) -> None:
    course = make(tmp_path, Watch(), {"pairs_from": "warm-up", "choose": "pairs"})
    record = course.run()
    assert {stage.started_from for stage in record.pairs} == {"warm-up"}
    assert record.stages[0].started_from in {stage.name for stage in record.pairs}
    course.prior = record.ranking
    with pytest.raises(ConfigError, match="no warm-up tower is there"):
        course.run()


def test_the_criterion_can_be_one_vs_rest(tmp_path: Path) -> None:
    """Below 70 % of right answers, but never below (C - 1) / C by the paper's count."""
    record = make(tmp_path, Watch(), {"criterion": "one-vs-rest", "threshold": 0.65}, noise=4000).run()
    assert record.growth is not None
    assert record.stages[-1].value("one-vs-rest") > record.stages[-1].value("multi-class")  # type: ignore[operator]


def test_a_rare_emotion_does_not_please_the_balanced_criterion() -> None:
    """Always naming the frequent one is right in 95 %, and worth half."""
    blind = StageResult("pairs/a+b", ("a", "b"), np.array([[95, 0], [5, 0]]), 1, 1, 0.0, 100, False, None)
    assert blind.value("multi-class") == 0.95
    assert blind.value("balanced") == 0.5
    assert (blind.to_json()["majority"], blind.to_json()["balanced_accuracy"]) == (0.95, 0.5)


def test_a_collapse_is_begun_again_once_with_an_easier_band(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import siamese.curriculum.stage as stage_module

    real, asked = stage_module.fit, []

    def collapses_first(dataset: Any, split: Any, config: Any, out: Any, **options: Any) -> Any:
        asked.append((Path(out).name, config.pair_order, config.seed))
        if Path(out).name == "3-one":
            raise CollapsedEmbedding("all alike")
        return real(dataset, split, config, out, **options)

    monkeypatch.setattr(stage_module, "fit", collapses_first)
    course = make(tmp_path, Watch())
    watch = Watch()
    bands = ((("anger", "fear"),), (("anger", "sadness"),), (("fear", "sadness"),))
    config = replace(course.config.training, pair_order="similar-first", pair_bands=bands)
    emotions = ("anger", "fear", "sadness")
    result = run_stage(course.setting, "3-one", emotions, config, None, watch)
    assert asked == [("3-one", "similar-first", 0), ("3-one-again", "distinct-first", 1)]
    assert result.restarted
    assert result.name == "3-one-again"
    assert result.value("multi-class") is not None
    assert any("begun again" in note for note in watch.notes)
    again = run_stage(course.setting, "3-one", emotions, config, None, watch)  # read, not trained
    assert again.to_json() == result.to_json()
    assert len(asked) == 2


def test_a_second_collapse_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import siamese.curriculum.stage as stage_module

    def collapses(*_: Any, **__: Any) -> Any:
        raise CollapsedEmbedding("all alike")

    monkeypatch.setattr(stage_module, "fit", collapses)
    watch = Watch()
    course = make(tmp_path, watch)
    result = run_stage(course.setting, "pair", ("anger", "fear"), course.config.training, None, watch)
    assert result.confusion is None
    assert result.value("one-vs-rest") is None
    assert StageResult.from_json(result.to_json()) == result
    with pytest.raises(TrainingError, match="warm-up tower collapsed twice"):
        course.run()


def test_a_class_too_small_for_the_split_is_refused_with_its_count(tmp_path: Path) -> None:
    course = make(tmp_path, Watch())
    few = [row for row in course.setting.split.train if course.setting.dataset.labels[row] == 1][:1]
    rest = [row for row in course.setting.split.train if course.setting.dataset.labels[row] != 1]
    split = replace(course.setting.split, train=np.sort(np.array(few + rest)))
    course.setting = replace(course.setting, split=split)
    with pytest.raises(SplitError, match="fear has 1 training and 3 validation pictures"):
        course.run()
    assert not (tmp_path / CURRICULUM_FILE).exists()


def test_a_stage_has_its_emotions_only_and_at_most_so_many_pictures() -> None:
    dataset = tiny_dataset(80, emotions=FOUR)
    split = make_split(dataset, "random", seed=1)
    view, part = stage_data(dataset, split, ("sadness", "anger"), 5, 0)
    assert view.emotions == ("sadness", "anger")
    assert view.counts(part.train) == {"sadness": 5, "anger": 5}
    wider, whole = stage_data(dataset, split, ("anger", "sadness", "fear"), 5, 0)
    kept = {view.ids[row] for row in part.train}
    assert kept == {wider.ids[row] for row in whole.train if wider.labels[row] != 2}  # the same pictures again
    assert {view.ids[row] for row in part.test} == {
        dataset.ids[row] for row in split.test if dataset.emotions[dataset.labels[row]] in ("sadness", "anger")
    }
    _, all_of_it = stage_data(dataset, split, FOUR, None, 0)
    assert np.array_equal(all_of_it.train, split.train)
    assert all_of_it.digest == split.digest


def test_the_request_is_read_back(whole: tuple[Path, Record, Watch], tmp_path: Path) -> None:
    request, config = read_request(whole[0])
    course = make(tmp_path, Watch())
    assert config == course.config
    assert request.config == course.setting.request.config
    assert curriculum_from_mapping(json.loads(json.dumps(config.to_json())), "here") == config


def test_a_damaged_record_is_refused(whole: tuple[Path, Record, Watch], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is no curriculum"):
        read_request(tmp_path)
    text = (whole[0] / CURRICULUM_FILE).read_text()
    for damaged in (text[:100], "[]", "{}", text.replace('"threshold": 0.0', '"threshold": "x"'), "\x00"):
        (tmp_path / CURRICULUM_FILE).write_text(damaged)
        with pytest.raises(TrainingError, match="is damaged"):
            read_request(tmp_path)


def test_what_an_emotion_is_mixed_up_with() -> None:
    confusion = np.array([[6, 1, 3], [0, 10, 0], [5, 0, 5]])
    found = confusions_of(confusion, ("anger", "fear", "sadness"), "sadness")
    assert [(entry.emotion, entry.taken_for, entry.taken_from) for entry in found] == [
        ("anger", 0.5, 0.3),
        ("fear", 0.0, 0.0),
    ]
