"""What a comparison gives: accuracies with their intervals, tests against the best, costs, published numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from eval.comparison_published import PUBLISHED
from eval.few_shot import Mean
from eval.leakage import LeakageReport
from eval.paired import Difference

HEADS = ("knn", "softmax")
"""What answers: the neighbours' vote, and softmax."""


@dataclass(frozen=True)
class Share:
    """An accuracy.

    Attributes:
        accuracy: Mean over the seeds, 0-1.
        interval: 95 %, over people (or pictures) and trainings; see :func:`eval.paired.resampled_accuracy`.
        pictures: Test pictures.
    """

    accuracy: float
    interval: tuple[float, float]
    pictures: int

    def to_json(self) -> dict[str, Any]:
        """The share as a plain dict."""
        return {"accuracy": self.accuracy, "interval_95": list(self.interval), "pictures": self.pictures}


@dataclass(frozen=True)
class Against:
    """A tower held against the best, on the pictures that towers are ranked by.

    Attributes:
        difference: Its accuracy less the best's, by the paired bootstrap.
        p_holm: The bootstrap's p-value, corrected for all towers (Holm).
        mcnemar: McNemar's exact p-value over the seeds (joined by Rüger's rule).
        mcnemar_holm: The same, corrected for all towers (Holm).
    """

    difference: Difference
    p_holm: float
    mcnemar: float
    mcnemar_holm: float

    def to_json(self) -> dict[str, Any]:
        """The tests as a plain dict."""
        return {
            "difference": self.difference.mean,
            "difference_95": list(self.difference.interval),
            "p_bootstrap": self.difference.p,
            "p_bootstrap_holm": self.p_holm,
            "p_mcnemar": self.mcnemar,
            "p_mcnemar_holm": self.mcnemar_holm,
        }


@dataclass(frozen=True)
class HeadResult:
    """A tower with one of the :data:`HEADS`.

    Attributes:
        whole: On all test pictures.
        clean: On those that nothing in training gives away; None where that is all or none.
        by_seed: Accuracy of each training on all test pictures.
        macro_f1: Mean over the seeds.
        balanced_accuracy: Mean over the seeds.
        recalls: Mean recall of each emotion over the seeds.
        against: None for the best.
    """

    whole: Share
    clean: Optional[Share]
    by_seed: tuple[float, ...]
    macro_f1: float
    balanced_accuracy: float
    recalls: dict[str, float]
    against: Optional[Against]

    @property
    def ranked(self) -> Share:
        """What towers are ranked by: without what leaks, where there is such a number."""
        return self.whole if self.clean is None else self.clean

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {
            **self.whole.to_json(),
            "without_leaks": None if self.clean is None else self.clean.to_json(),
            "by_seed": list(self.by_seed),
            "macro_f1": self.macro_f1,
            "balanced_accuracy": self.balanced_accuracy,
            "recalls": self.recalls,
            "against_best": None if self.against is None else self.against.to_json(),
        }


@dataclass(frozen=True)
class TowerResult:
    """All that is known of a tower.

    Attributes:
        tower: Its name.
        recipe: What it was trained by.
        heads: By name.
        has_head: Whether its softmax was trained with it.
        few_shot: Mean over the seeds of each few-shot head, by name; None without episodes.
        facts: Sizes and training, of its first seed; ``pictures`` and ``seconds`` are means over the seeds.
        speed: ``p50_ms``, ``p95_ms``, ``memory_mb`` and ``base_mb``, medians over the seeds; None after collapses only.
        fruitless: Seeds that collapsed or diverged.
        front: Whether no other tower is both faster and better.
    """

    tower: str
    recipe: str
    heads: dict[str, HeadResult]
    has_head: bool
    few_shot: Optional[dict[str, Mean]]
    facts: dict[str, Any]
    speed: Optional[dict[str, Optional[float]]]
    fruitless: tuple[int, ...]
    front: bool

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict, with the authors' own number marked as published."""
        published = PUBLISHED.get(self.tower)
        return {
            **vars(self),
            "heads": {name: head.to_json() for name, head in self.heads.items()},
            "few_shot": None if self.few_shot is None else {name: m.to_json() for name, m in self.few_shot.items()},
            "fruitless": list(self.fruitless),
            "published": None if published is None else published.to_json(),
        }


@dataclass(frozen=True)
class Comparison:
    """A comparison's result.

    Attributes:
        towers: The best by its vote first.
        best: The best tower of each head.
        seeds: Trainings of each.
        chance: Accuracy of naming an emotion at random.
        majority: Accuracy of always naming the test's most frequent emotion.
        by: What intervals are drawn over, ``"people"`` or ``"pictures"``.
        leakage: What crosses the split, near copies among it.
        task: What the few-shot episodes are, or None.
    """

    towers: tuple[TowerResult, ...]
    best: dict[str, str]
    seeds: int
    chance: float
    majority: float
    by: str
    leakage: LeakageReport
    task: Optional[dict[str, Any]]

    @property
    def leaking(self) -> bool:
        """Whether anything of the test is known from training."""
        return self.leakage.test_leaking > 0

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {
            "leaking": self.leaking,
            "chance": self.chance,
            "majority": self.majority,
            "seeds": self.seeds,
            "intervals_by": self.by,
            "best": self.best,
            "towers": [tower.to_json() for tower in self.towers],
            "few_shot": self.task,
            "leakage": self.leakage.to_json(),
        }
