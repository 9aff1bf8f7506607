"""All runs of a comparison taken together: every tower's accuracy, tests against the best, costs, and who is beaten."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.comparison_result import HEADS, Against, Comparison, HeadResult, Share, TowerResult
from eval.comparison_run import Contest, Row
from eval.few_shot import Mean
from eval.intervals import Bootstrap
from eval.leakage import LeakageReport
from eval.metrics import Scores, score
from eval.paired import holm, joined, mcnemar, paired_difference, resampled_accuracy
from eval.pareto import pareto_front

REPETITIONS = 2000


class _Side:
    """Some test pictures, and the samples of them that all towers share."""

    def __init__(self, contest: Contest, places: NDArray[np.int64]) -> None:
        subjects, test = contest.dataset.subjects, contest.split.test
        people = None if subjects is None else [subjects[int(test[place])] for place in places]
        self.places = places
        self.draws = Bootstrap.draw(len(places), people, 0, REPETITIONS)

    def samples(self, right: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
        return resampled_accuracy(right[:, self.places], self.draws, seed)

    def share(self, right: NDArray[np.bool_], seed: int) -> Share:
        interval = self.draws.interval(self.samples(right, seed))
        return Share(float(right[:, self.places].mean()), interval, len(self.places))


def summarise(contest: Contest, rows: Sequence[Row], recipes: dict[str, str], leakage: LeakageReport) -> Comparison:
    """Take all runs together.

    Args:
        contest: What they share.
        rows: The same seeds of every tower.
        recipes: By tower.
        leakage: From :func:`eval.leakage.audit` of the split, with near copies.
    """
    names = list(recipes)
    by_tower = {name: sorted((r for r in rows if r.tower == name), key=lambda row: row.seed) for name in names}
    truth = contest.dataset.labels[contest.split.test]
    known = np.isin(contest.split.test, leakage.leaking)
    whole = _Side(contest, np.arange(len(truth)))
    clean = _Side(contest, np.flatnonzero(~known)) if 0 < known.sum() < len(known) else None
    heads: dict[str, dict[str, HeadResult]] = {}
    for head in HEADS:
        answers = {name: np.stack([getattr(row, head) for row in own]) for name, own in by_tower.items()}
        heads[head] = _judge(contest, answers, truth, whole, clean)
    best = {head: _best(found) for head, found in heads.items()}
    results = [
        TowerResult(
            name,
            recipes[name],
            {head: heads[head][name] for head in HEADS},
            all(row.has_head for row in own if not row.facts.ended),
            _few_shot(own),
            _facts(own),
            _speed(own),
            tuple(row.seed for row in own if row.facts.ended),
            False,
        )
        for name, own in by_tower.items()
    ]
    floors = _scores(contest, truth, truth)
    ordered = sorted(_mark_front(results), key=lambda tower: -tower.heads["knn"].ranked.accuracy)
    task = None if contest.task is None else contest.task.facts()
    return Comparison(
        tuple(ordered),
        best,
        len(next(iter(by_tower.values()))),
        floors.chance,
        floors.majority,
        whole.draws.by,
        leakage,
        task,
    )


def _judge(
    contest: Contest,
    answers: dict[str, NDArray[np.int64]],
    truth: NDArray[np.int64],
    whole: _Side,
    clean: Optional[_Side],
) -> dict[str, HeadResult]:
    """Every tower's result with one head; answers are int64 (S, T) by tower."""
    right = {name: said == truth for name, said in answers.items()}
    side = clean or whole
    samples = {name: side.samples(hits, place) for place, (name, hits) in enumerate(right.items())}
    means = {name: float(hits[:, side.places].mean()) for name, hits in right.items()}
    best = max(means, key=lambda name: means[name])
    others = [name for name in right if name != best]
    gaps = [paired_difference(means[name] - means[best], samples[name], samples[best], side.draws) for name in others]
    exact = [joined([mcnemar(*pair) for pair in zip(right[name][:, side.places], right[best][:, side.places])])
             for name in others]  # fmt: skip
    tests = zip(gaps, holm([gap.p for gap in gaps]), exact, holm(exact))
    against = dict(zip(others, (Against(*test) for test in tests)))
    found = {}
    for place, (name, hits) in enumerate(right.items()):
        scores = [_scores(contest, truth, said) for said in answers[name]]
        found[name] = HeadResult(
            whole.share(hits, place),
            None if clean is None else clean.share(hits, place),
            tuple(float(share) for share in hits.mean(axis=1)),
            float(np.mean([entry.macro_f1 for entry in scores])),
            float(np.mean([entry.balanced_accuracy for entry in scores])),
            {
                emotion: float(np.mean([entry.classes[label].recall for entry in scores]))
                for label, emotion in enumerate(contest.dataset.emotions)
            },
            against.get(name),
        )
    return found


def _scores(contest: Contest, truth: NDArray[np.int64], said: NDArray[np.int64]) -> Scores:
    names = (*contest.dataset.emotions, "no answer")
    emotions = contest.dataset.emotions if (said >= 0).all() else names
    return score([names[label] for label in truth], [names[label] for label in said], emotions)


def _best(found: dict[str, HeadResult]) -> str:
    return next(name for name, head in found.items() if head.against is None)


def _few_shot(rows: Sequence[Row]) -> Optional[dict[str, Mean]]:
    """Means over the seeds of each head's mean and bounds; the episodes are the same, so nothing averages out."""
    answered = [row.few_shot for row in rows if row.few_shot is not None]
    if not answered:
        return None
    found = {}
    for head in answered[0]:
        bounds = [entry[head].interval for entry in answered]
        known = [pair for pair in bounds if pair is not None]
        low, high = np.mean(known, axis=0).tolist() if known else (0.0, 0.0)
        mean = float(np.mean([entry[head].mean for entry in answered]))
        found[head] = Mean(mean, (low, high) if known else None)
    return found


def _facts(rows: Sequence[Row]) -> dict[str, Any]:
    first = next((row.facts for row in rows if not row.facts.ended), rows[0].facts)
    pictures, seconds = (float(np.mean([getattr(row.facts, name) for row in rows])) for name in ("pictures", "seconds"))
    return {**asdict(first), "pictures": pictures, "seconds": seconds}


def _speed(rows: Sequence[Row]) -> Optional[dict[str, Optional[float]]]:
    measured = [row.speed for row in rows if row.speed is not None]
    if not measured:
        return None
    found: dict[str, Optional[float]] = {}
    for name in ("p50_ms", "p95_ms", "memory_mb", "base_mb"):
        values = [getattr(entry, name) for entry in measured if getattr(entry, name) is not None]
        found[name] = float(np.median(values)) if values else None
    return found


def _mark_front(results: Sequence[TowerResult]) -> list[TowerResult]:
    costs = [np.inf if found.speed is None else float(found.speed["p50_ms"] or np.inf) for found in results]
    front = pareto_front(costs, [found.heads["knn"].ranked.accuracy for found in results])
    return [replace(found, front=bool(on and found.speed is not None)) for found, on in zip(results, front)]
