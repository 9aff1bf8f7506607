"""The whole curriculum: rank the pairs, train each, then grow the set of emotions until accuracy breaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Protocol

import numpy as np
import torch

from galleries.atomic import write_text
from galleries.errors import ConfigError, SplitError, TrainingError
from siamese.checkpoint import load_checkpoint
from siamese.curriculum.config import CurriculumConfig
from siamese.curriculum.growth import grow
from siamese.curriculum.record import CURRICULUM_FILE, Record
from siamese.curriculum.similarity import (
    Ranking,
    confusion_similarity,
    confusion_within,
    mean_similarity,
    rank_pairs,
)
from siamese.curriculum.stage import StageResult, StageSetting, run_stage
from siamese.feeding import PixelFeed, encode
from siamese.observer import Observer
from siamese.pair_order import pair_of
from siamese.validation import reference_sample

RANKING_SAMPLE = 10_000
"""Training pictures that the ranking looks at, every emotion in its share."""


class CurriculumObserver(Observer, Protocol):
    """Is told of every stage besides every step."""

    def stage_started(self, name: str, emotions: tuple[str, ...], pictures: int, later: int) -> None:
        """A stage begins: it trains on so many pictures, over all its epochs; at most ``later`` follow after it."""

    def stage_finished(self, result: StageResult) -> None:
        """A stage is done, or was done before."""


@dataclass
class Curriculum:
    """A curriculum under way; :meth:`run` does what is left of it.

    Attributes:
        setting: Folder, data and device.
        config: What to do.
        observer: Who is told.
        prior: A ranking given by a person, or None to measure one.
        init: A run whose weights to start from, or None.
        record: What every stage gave so far.
        done: Stages that are done.
    """

    setting: StageSetting
    config: CurriculumConfig
    observer: CurriculumObserver
    prior: Optional[Ranking] = None
    init: Optional[Path] = None
    record: Record = field(default_factory=Record)
    done: int = 0

    def run(self) -> Record:
        """Do what is left, stage by stage; ``curriculum.json`` is written after each.

        Returns:
            The whole record. Called again on a stopped curriculum it reads the stages that are done.

        Raises:
            ConfigError: The pairs are to start from a warm-up tower that a given ranking leaves out.
            SplitError: An emotion is too small for the split, or there are fewer than two.
            TrainingError: A stage's folder is damaged, or a loss is no longer finite.
        """
        emotions = self.setting.dataset.emotions
        if self.prior is not None and self.config.pairs_from == "warm-up":
            raise ConfigError(
                "A ranking was given, so no warm-up tower is there to start the pairs from; leave one out."
            )
        if len(emotions) < 2:
            raise SplitError(f"A curriculum needs two emotions or more; {', '.join(emotions) or 'none'} was found.")
        self.setting.data(emotions)  # refuses a class that is too small before anything is trained
        self.save()
        self.record.emotions = emotions
        self.record.ranking = self.prior if self.prior is not None else self.measure()
        self.record.pairs = self._train_pairs()
        order = self.config.given_order(emotions)
        start = self._best_pair() if order is None else (order[0], order[1])
        others = tuple(name for name in (order or emotions) if name not in start)
        self.record.growth = grow(start, others, self._choose, self._train, self.config.threshold)
        self.save()
        return self.record

    def measure(self) -> Ranking:
        """Rank the pairs by a warm-up tower on training pictures; part of :meth:`run`.

        Raises:
            TrainingError: The warm-up tower collapsed twice.
        """
        emotions, config = self.setting.dataset.emotions, self.config
        self.record.warmup = self._stage("warm-up", emotions, config.warmup_epochs, self.init, ranked=False)
        if self.record.warmup.confusion is None:
            raise TrainingError(
                "The warm-up tower collapsed twice, so the pairs cannot be ranked by it; lower --lr, or give --prior."
            )
        dataset, split = self.setting.data(emotions)
        tower = load_checkpoint(self.setting.out / self.record.warmup.name).tower
        rng = np.random.default_rng([config.training.seed, 11])
        rows = split.train[reference_sample(dataset.labels[split.train], RANKING_SAMPLE, rng)]
        feed = PixelFeed(dataset, rows, tower.input_spec)
        vectors = encode(tower, feed, torch.device("cpu"))
        if config.measure == "means":
            similarity = mean_similarity(vectors, feed.labels, len(emotions), tower.metric)
        else:
            k = config.training.n_neighbors
            similarity = confusion_similarity(confusion_within(vectors, feed.labels, len(emotions), tower.metric, k))
        return rank_pairs(emotions, similarity, config.bounds)

    def _train_pairs(self) -> tuple[StageResult, ...]:
        """Stage 1: every pair, the similar ones first."""
        done = []
        warmup, start = self.record.warmup, self.init
        if self.config.pairs_from == "warm-up" and warmup is not None:
            start = self._weights_of(warmup)
        for pair in self.record.ranking.pairs:
            done.append(self._stage(f"pairs/{pair.name}", pair.emotions, self.config.pair_epochs, start))
            self.record.pairs = tuple(done)
            self.save()
        return tuple(done)

    def _best_pair(self) -> tuple[str, str]:
        """The pair that went best; of equals the alphabetically first."""
        best = min(self.record.pairs, key=lambda found: (-self._value(found), found.emotions))
        return (best.emotions[0], best.emotions[1])

    def _choose(self, held: tuple[str, ...], left: tuple[str, ...]) -> str:
        """The emotion to add next."""
        if self.config.growth != "best":
            return left[0]
        if self.config.choose == "pairs" or len(left) == 1:
            return min(left, key=lambda name: (-self._harmony(name, held), name))
        last = self._weights_of(self.record.stages[-1])
        values = {}
        for name in left:
            trial = self._stage(f"trials/{len(held) + 1}-{name}", (*held, name), self.config.trial_epochs, last)
            self.record.trials = (*self.record.trials, trial)
            self.save()
            values[name] = self._value(trial)
        return min(left, key=lambda name: (-values[name], -self._harmony(name, held), name))

    def _harmony(self, name: str, held: tuple[str, ...]) -> float:
        """Mean value of an emotion's pairs with those held."""
        value = {found.emotions: self._value(found) for found in self.record.pairs}
        return sum(value[pair_of(name, other)] for other in held) / len(held)

    def _train(self, emotions: tuple[str, ...]) -> Optional[float]:
        """Train on a set of emotions from the last stage's weights, the first pair from those of its own stage 1."""
        if self.record.stages:
            before, newest = self.record.stages[-1], emotions[-1]
        else:
            before = next(found for found in self.record.pairs if found.emotions == pair_of(*emotions))
            newest = "+".join(emotions)
        name = f"growth/{len(emotions)}-{newest}"
        result = self._stage(name, emotions, self.config.stage_epochs, self._weights_of(before))
        self.record.stages = (*self.record.stages, result)
        self.save()
        return result.value(self.config.criterion)

    def _weights_of(self, stage: StageResult) -> Optional[Path]:
        """The run to go on from; after a stage that collapsed, the one that the curriculum began with."""
        return self.init if stage.confusion is None else self.setting.out / stage.name

    def _value(self, found: StageResult) -> float:
        """The criterion, -1 after a collapse."""
        value = found.value(self.config.criterion)
        return -1.0 if value is None else value

    def _stage(
        self, name: str, emotions: tuple[str, ...], epochs: int, init: Optional[Path], ranked: bool = True
    ) -> StageResult:
        options: dict[str, Any] = {}
        if ranked:
            options = {"pair_order": self.config.order, "pair_bands": self.record.ranking.bands(emotions)}
        units = self._plan()[self.done :]
        self.observer.stage_started(name, emotions, epochs * self._size(emotions), round(sum(units[1:])))
        result = run_stage(self.setting, name, emotions, self.config.stage(epochs, **options), init, self.observer)
        self.done += 1
        self.observer.stage_finished(result)
        return result

    def _size(self, emotions: tuple[str, ...]) -> int:
        """Training pictures of some emotions."""
        counts = self.setting.dataset.counts(self.setting.split.train)
        limit = self.setting.per_class
        return sum(counts[name] if limit is None else min(limit, counts[name]) for name in emotions)

    def _plan(self) -> list[float]:
        """The pictures that each stage trains on, in order, should every emotion be held; all emotions of mean size."""
        config, emotions = self.config, self.setting.dataset.emotions
        order, count = config.given_order(emotions), len(emotions)
        mean = self._size(emotions) / count
        stages = [] if self.prior is not None else [(count, config.warmup_epochs)]
        stages += [(2, config.pair_epochs)] * (count * (count - 1) // 2) + [(2, config.stage_epochs)]
        for wide in range(3, len(order or emotions) + 1):
            left = count - wide + 1
            if order is None and config.choose == "trial" and left > 1:
                stages += [(wide, config.trial_epochs)] * left
            stages.append((wide, config.stage_epochs))
        return [wide * mean * epochs for wide, epochs in stages]

    def save(self) -> None:
        """Write ``curriculum.json`` as far as it goes."""
        write_text(self.setting.out / CURRICULUM_FILE, self.record.text(self.config, self.setting.request))


__all__ = ["Curriculum", "CurriculumObserver"]
