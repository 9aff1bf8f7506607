"""``curriculum.json``: what was asked for, what every stage gave, and where growth ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError, TrainingError
from siamese.curriculum.config import CurriculumConfig, curriculum_from_mapping
from siamese.curriculum.growth import Growth
from siamese.curriculum.similarity import Ranking
from siamese.curriculum.stage import StageResult
from siamese.run import RunRequest

CURRICULUM_FILE = "curriculum.json"
FORMAT_VERSION = 1


@dataclass
class Record:
    """A curriculum's results so far.

    Attributes:
        emotions: Those it may hold.
        warmup: The tower that ranked them, or None where a file did.
        ranking: Their pairs, the most similar first.
        pairs: Stage 1, in the ranking's order.
        trials: The candidates that were tried, in order.
        stages: The sets of emotions trained on in full, in order.
        growth: Where growth ended; None while it goes on.
    """

    emotions: tuple[str, ...] = ()
    warmup: Optional[StageResult] = None
    ranking: Ranking = field(default_factory=Ranking)
    pairs: tuple[StageResult, ...] = ()
    trials: tuple[StageResult, ...] = ()
    stages: tuple[StageResult, ...] = ()
    growth: Optional[Growth] = None

    @property
    def held_stage(self) -> StageResult:
        """The stage that holds the last set of emotions at or above the threshold."""
        assert self.growth is not None
        return next(stage for stage in reversed(self.stages) if stage.emotions == self.growth.held)

    @property
    def breaking_stage(self) -> Optional[StageResult]:
        """The stage whose newest emotion broke it, or None."""
        return self.stages[-1] if self.growth is not None and self.growth.broken_by is not None else None

    def text(self, config: CurriculumConfig, request: RunRequest) -> str:
        """The record as ``curriculum.json``'s text."""
        growth, broken = self.growth, self.breaking_stage
        values: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "finished": growth is not None,
            "held": None if growth is None else list(growth.held),
            "held_stage": None if growth is None else self.held_stage.name,
            "broken_by": None if growth is None else growth.broken_by,
            "confusions_of_breaking_emotion": []
            if growth is None or broken is None or broken.confusion is None
            else [vars(entry) for entry in confusions_of(broken.confusion, broken.emotions, str(growth.broken_by))],
            "emotions": list(self.emotions),
            "warm_up": None if self.warmup is None else self.warmup.to_json(),
            "ranking": [pair.to_json() for pair in self.ranking.pairs],
            "pairs": [stage.to_json() for stage in self.pairs],
            "trials": [stage.to_json() for stage in self.trials],
            "stages": [stage.to_json() for stage in self.stages],
            "configuration": config.to_json(),
            "request": asdict(request),
        }
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Confusion:
    """An emotion and one that it is mixed up with.

    Attributes:
        emotion: The other one.
        taken_for: Share of the first one's pictures that were called the other.
        taken_from: Share of the other's pictures that were called the first.
    """

    emotion: str
    taken_for: float
    taken_from: float


def confusions_of(confusion: NDArray[np.int64], emotions: tuple[str, ...], emotion: str) -> list[Confusion]:
    """What an emotion is mixed up with, the worst first.

    Args:
        confusion: int64 (C, C): rows are true emotions, columns answers.
        emotions: Names of the rows.
        emotion: The one asked about.
    """
    rates = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    own = emotions.index(emotion)
    found = [Confusion(name, float(rates[own, i]), float(rates[i, own])) for i, name in enumerate(emotions) if i != own]
    return sorted(found, key=lambda entry: -(entry.taken_for + entry.taken_from))


def read_request(folder: Path) -> tuple[RunRequest, CurriculumConfig]:
    """What a stopped curriculum was asked for.

    Raises:
        TrainingError: The folder is no curriculum's, or its file is damaged.
    """
    path = folder / CURRICULUM_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.get("format_version") != FORMAT_VERSION:
            raise ValueError("no curriculum of format version 1")
        config = curriculum_from_mapping(values.get("configuration", {}), str(path))
        return RunRequest.from_json(values.get("request")), config
    except FileNotFoundError as error:
        raise TrainingError(
            f"{folder} is no curriculum: it has no {CURRICULUM_FILE}. Give the folder that emotions curriculum wrote."
        ) from error
    except (OSError, ValueError, TypeError, RecursionError, ConfigError) as error:
        raise TrainingError(f"{path} is damaged ({str(error).rstrip('.')}); start the curriculum anew.") from error
