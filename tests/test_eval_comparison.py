"""A comparison's summary, plan, rows, tables, chart and page; the runs themselves are in test_eval_comparison_run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("torch", reason="the learning part is not installed")
pytest.importorskip("sklearn", reason="the judging part is not installed")

from sklearn.metrics import accuracy_score, f1_score, recall_score
from tiny_faces import EMOTIONS, tiny_config, tiny_dataset

from eval.comparison import summarise
from eval.comparison_page import comparison_page
from eval.comparison_plan import PLAN_FILE, Plan, entrant
from eval.comparison_result import Comparison
from eval.comparison_run import Contest, Facts, Row
from eval.comparison_speed import TowerSpeed
from eval.comparison_tables import accuracy_table, against_table, cost_table, recall_table, sentences, training_table
from eval.few_shot import Mean
from eval.leakage import audit
from eval.paired import holm, joined, mcnemar
from eval.pareto import pareto_front
from galleries.errors import ConfigError, TrainingError
from siamese.curriculum.stage import StageSetting
from siamese.datasets.base import FaceDataset, PixelStore
from siamese.run import RunRequest
from siamese.split_file import Split

FACTS = Facts(1000, 2_000_000, 8, 16, 16, 1, 4000, 3.0, 84, 2, 2, "float32", "")
LOST = replace(FACTS, ended="collapsed")


def contest(size: int = 120, leaks: int = 0) -> Contest:
    """A third of the pictures is the test, of as many people as it has; ``leaks`` of it are copies of training ones."""
    dataset = tiny_dataset(size)
    pixels = np.stack([dataset.image(row) for row in range(size)])
    third = size // 3
    pixels[:leaks] = pixels[2 * third : 2 * third + leaks]
    dataset = replace(dataset, store=PixelStore.from_array(pixels))
    rows = np.arange(size)
    split = Split(rows[2 * third :], rows[third : 2 * third], rows[:third], "random", 0, (0.4, 0.3, 0.3), "d")
    return around(dataset, split)


def around(dataset: FaceDataset, split: Split) -> Contest:
    setting = StageSetting(Path("nowhere"), dataset, split, RunRequest("tiny", tiny_config().to_json()), None, "cpu")
    return Contest(setting, dataset, split, 3, None, None)


def listed(answers: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(answers.tolist())


def row(task: Contest, tower: str, seed: int, share: float, speed: float = 1.0) -> Row:
    """A run that is right on about a share of the test, by its vote; its softmax is the vote's neighbour."""
    truth = task.dataset.labels[task.split.test]
    rng = np.random.default_rng([seed, len(tower), int(100 * share)])
    said = np.where(rng.random(len(truth)) < share, truth, (truth + 1) % 3)
    other = np.where(rng.random(len(truth)) < 0.5, said, truth)
    few = {head: Mean(share, (share - 0.1, share + 0.1)) for head in ("knn", "prototype")}
    measured = TowerSpeed(speed, 2 * speed, 20, 1, 90.0, 50.0)
    return Row(tower, seed, "d", listed(said), listed(other), tower != "siamese", few, FACTS, measured)


def summary(task: Contest, rows: list[Row]) -> Comparison:
    return summarise(task, rows, dict.fromkeys((r.tower for r in rows), "own"), audit(task.dataset, task.split, True))


def three(task: Contest) -> list[Row]:
    return [
        row(task, tower, seed, share, speed)
        for seed in range(3)
        for tower, share, speed in (("siamese", 0.5, 4.0), ("compact", 0.9, 2.0), ("liexnet", 0.6, 1.0))
    ]


def right(rows: list[Row], tower: str, head: str, truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.stack([getattr(r, head) == truth for r in rows if r.tower == tower])


def test_numbers_against_scikit_learn() -> None:
    task = contest()
    rows, truth = three(task), task.dataset.labels[task.split.test]
    found = {tower.tower: tower for tower in summary(task, rows).towers}
    for name, tower in found.items():
        for head in ("knn", "softmax"):
            said = [getattr(r, head) for r in rows if r.tower == name]
            ours = tower.heads[head]
            assert ours.by_seed == pytest.approx([accuracy_score(truth, answers) for answers in said])
            assert ours.whole.accuracy == pytest.approx(np.mean(ours.by_seed))
            assert ours.whole.interval[0] < ours.whole.accuracy < ours.whole.interval[1]
            assert ours.macro_f1 == pytest.approx(np.mean([f1_score(truth, a, average="macro") for a in said]))
            recalls = np.mean([recall_score(truth, answers, average=None) for answers in said], axis=0)
            assert list(ours.recalls.values()) == pytest.approx(recalls)
            assert tuple(ours.recalls) == EMOTIONS


def test_every_tower_is_held_against_the_best() -> None:
    task = contest()
    rows, truth = three(task), task.dataset.labels[task.split.test]
    result = summary(task, rows)
    assert result.best["knn"] == "compact" == result.towers[0].tower
    best = right(rows, "compact", "knn", truth)
    others = [tower for tower in result.towers if tower.tower != "compact"]
    exact = [joined([mcnemar(a, b) for a, b in zip(right(rows, t.tower, "knn", truth), best)]) for t in others]
    against = [tower.heads["knn"].against for tower in others]
    assert result.towers[0].heads["knn"].against is None
    assert [a.mcnemar for a in against if a] == pytest.approx(exact)
    assert [a.mcnemar_holm for a in against if a] == pytest.approx(holm(exact))
    for tower, test in zip(others, against):
        assert test is not None
        gap = right(rows, tower.tower, "knn", truth).mean() - best.mean()
        assert test.difference.mean == pytest.approx(gap)
        assert test.difference.interval[0] <= gap <= test.difference.interval[1]
        assert test.p_holm >= test.difference.p


def test_people_are_drawn_where_they_are_known() -> None:
    task = contest()
    people = tuple(f"person {number % 12}" for number in range(len(task.dataset)))
    known = around(replace(task.dataset, subjects=people), task.split)
    assert summary(known, three(known)).by == "people"
    assert summary(task, three(task)).by == "pictures"


def test_what_leaks_is_marked_and_left_out_of_the_ranking() -> None:
    """One tower knows the copies by heart, the other is better on what is new."""
    task = contest(leaks=20)
    truth = task.dataset.labels[task.split.test]
    heart = np.where(np.arange(len(truth)) < 20, truth, (truth + 1) % 3)
    heart[20:28] = truth[20:28]
    fair = np.where(np.arange(len(truth)) >= 20, truth, (truth + 1) % 3)
    rows = [
        replace(row(task, "compact", 0, 0.5), knn=listed(heart)),
        replace(row(task, "liexnet", 0, 0.5), knn=listed(fair)),
    ]
    result = summary(task, rows)
    assert result.leaking
    assert result.best["knn"] == "liexnet"
    by_heart = next(tower for tower in result.towers if tower.tower == "compact").heads["knn"]
    assert by_heart.clean is not None
    assert (by_heart.whole.accuracy, by_heart.whole.pictures) == (28 / 40, 40)
    assert (by_heart.clean.accuracy, by_heart.clean.pictures) == (8 / 20, 20)
    report = told(task, rows)
    assert accuracy_table(report).title.startswith("LEAKING: ")
    assert "without leaks" in accuracy_table(report).columns
    assert any(text.startswith("LEAKING: 20 of 40 test pictures") for text in sentences(report))
    assert "<title>LEAKING: " in comparison_page(report)
    assert "LEAKING" not in json.dumps(accuracy_table(told(contest(), three(contest()))).title)


def test_a_run_that_came_to_nothing_is_counted_as_wrong() -> None:
    task = contest()
    rows = three(task)
    nothing = (-1,) * 40
    place = next(place for place, r in enumerate(rows) if (r.tower, r.seed) == ("liexnet", 1))
    rows[place] = replace(
        rows[place],
        knn=nothing,
        softmax=nothing,
        has_head=False,
        few_shot=None,
        speed=None,
        facts=LOST,
    )
    tower = next(tower for tower in summary(task, rows).towers if tower.tower == "liexnet")
    assert tower.heads["knn"].by_seed[1] == 0
    assert tower.fruitless == (1,)
    assert tower.has_head
    assert any("liexnet collapsed or diverged with seed 1" in text for text in sentences(told(task, rows)))
    gone = [replace(r, speed=None, facts=LOST, few_shot=None) for r in rows if r.seed == 0]
    assert not any(found.front for found in summary(task, gone).towers)
    assert "Accuracy against latency" not in comparison_page(told(task, gone))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=9))
def test_the_front_against_its_definition(points: list[tuple[int, int]]) -> None:
    front = pareto_front([cost for cost, _ in points], [gain for _, gain in points])
    for point, on_front in zip(points, front):
        beaten = any(c <= point[0] and g >= point[1] and (c, g) != point for c, g in points)
        assert on_front == (not beaten)


def told(task: Contest, rows: list[Row]) -> dict[str, Any]:
    """A report as the command writes it, through JSON."""
    config = tiny_config()
    plan = Plan(RunRequest("tiny", config.to_json()), (entrant("own", config, 3, None, 15, None),))
    parts = {part: len(places) for part, places in task.split.parts().items()}
    split = {"method": "random", "digest": "d"}
    report = {**plan.facts(), "name": "tiny", "emotions": list(EMOTIONS), "pictures": parts, "split": split}
    found: dict[str, Any] = json.loads(json.dumps({**report, **summary(task, rows).to_json()}, allow_nan=False))
    return found


def test_tables_and_page() -> None:
    task = contest()
    report = told(task, three(task))
    accuracy = accuracy_table(report)
    assert [line[0] for line in accuracy.rows] == [
        "compact",
        "liexnet",
        "siamese",
        "chance",
        "always the most frequent",
    ]
    by_name = {line[0]: dict(zip(accuracy.columns, line)) for line in accuracy.rows}
    assert by_name["siamese"]["softmax"].endswith("*")
    assert by_name["siamese"]["published"] == "53.2 %"
    assert by_name["compact"]["published"] == ""
    assert by_name["chance"]["k-NN vote"] == "33.3 %"
    every = [accuracy, cost_table(report), training_table(report), recall_table(report), against_table(report, "knn")]
    for table in every:
        assert all(len(line) == len(table.columns) for line in table.rows), table.title
    assert dict(zip(cost_table(report).columns, cost_table(report).rows[0]))["p50 ms"] == "2.00"
    said = " ".join(sentences(report))
    assert "Published, not measured here: siamese" in said
    assert "No other tower is both better and faster than compact, liexnet." in said
    page = comparison_page(report)
    assert "<title>3 towers on tiny: compact" in page
    assert re.search(r"nobody beats it in both", page)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=['\"]http", page)


def plan() -> Plan:
    config = tiny_config()
    pair = (
        entrant("compact", config, 2, None, 15, 100),
        entrant("liexnet", replace(config, tower="liexnet"), 2, None, 15, 100),
    )
    return Plan(RunRequest("tiny", config.to_json(), "compact"), pair, 2, 50, 100)


def test_a_plan_is_kept(tmp_path: Path) -> None:
    plan().save(tmp_path)
    back = Plan.read(tmp_path)
    assert replace(back, request=plan().request) == plan()
    assert (back.request.data, back.request.config) == ("tiny", plan().request.config)
    assert plan().budget() == "2 epochs each"
    timed = replace(plan(), entrants=(entrant("compact", tiny_config(early_stop=3), None, 90, 15, None),))
    assert timed.budget() == "90 s of training each, validation not counted"
    assert timed.entrants[0].config.early_stop is None
    assert timed.facts()["budget"] == {"seconds": 90, "epochs": None}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-40],
        lambda text: text.replace('"version": 1', '"version": 7'),
        lambda text: text.replace('"seeds": 2', '"seeds": "2"'),
        lambda text: text.replace('"seeds": 2,', ""),
        lambda text: text[::-1].replace('"epochs": 2'[::-1], '"epochs": 3'[::-1], 1)[::-1],
        lambda text: text.replace('"recipe": "compact"', '"rezept": "compact"'),
        lambda text: "[]",
    ],
)
def test_a_damaged_plan_is_named(tmp_path: Path, damage: Any) -> None:
    plan().save(tmp_path)
    path = tmp_path / PLAN_FILE
    text = path.read_text()
    assert damage(text) != text
    path.write_text(damage(text))
    with pytest.raises(TrainingError, match=r"plan.json is damaged|is not a comparison"):
        Plan.read(tmp_path)


def test_no_plan_is_none(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is not a comparison"):
        Plan.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seeds": 0}, "seeds 0"),
        ({"n_neighbors": True}, "n-neighbors True"),
        ({"per_class": 1}, "per-class 1"),
        ({"references": 0}, "references 0"),
        ({"entrants": ()}, "No tower"),
        ({"entrants": plan().entrants[:1] * 2}, "named twice"),
        (
            {"entrants": (plan().entrants[0], entrant("x", replace(tiny_config(), tower="liexnet"), 3, None, 15, 9))},
            "same",
        ),
    ],
)
def test_an_impossible_plan_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(plan(), **change)
