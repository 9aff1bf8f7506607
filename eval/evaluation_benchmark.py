"""How fast an evaluation is, as a ratio to the bare tower and the bare FAISS search over the same pictures."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

import faiss
import numpy as np
from numpy.typing import NDArray

from eval.evaluation import evaluate
from eval.held_out import answer, held_out
from galleries.encoder import BATCH, OnnxEncoder
from galleries.errors import ConfigError
from galleries.gallery import Gallery
from siamese.datasets.base import FaceDataset


@dataclass(frozen=True)
class EvaluationSpeed:
    """Seconds of each side, measured in turns.

    Attributes:
        bare: Median of the tower on prepared batches and a plain FAISS search.
        voting: Median of :func:`eval.held_out.held_out` and ``answer``: audit, tower, vote and scores.
        whole: Median of ``held_out`` and :func:`eval.evaluation.evaluate`: MAP@R and all intervals too.
        voting_ratios: voting / bare of each round.
        whole_ratios: whole / bare of each round.
        references: In the gallery.
        queries: Pictures asked about.
        n_neighbors: How many are searched for.
    """

    bare: float
    voting: float
    whole: float
    voting_ratios: tuple[float, ...]
    whole_ratios: tuple[float, ...]
    references: int
    queries: int
    n_neighbors: int

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {
            **vars(self),
            "voting_ratio": statistics.median(self.voting_ratios),
            "whole_ratio": statistics.median(self.whole_ratios),
        }


def benchmark_evaluation(
    gallery: Gallery,
    encoder: OnnxEncoder,
    dataset: FaceDataset,
    rows: NDArray[np.int64],
    n_neighbors: int = 15,
    rounds: int = 3,
    progress: Optional[Callable[[int, int], None]] = None,
) -> EvaluationSpeed:
    """Time the three in turns, so that a busy machine slows all of them.

    Args:
        gallery: The references.
        encoder: Its tower; the bare side runs the same session.
        dataset: Where the queries come from.
        rows: int64 (Q,), which.
        n_neighbors: k of the search.
        rounds: Measurements of each side.
        progress: Called with (done, total) rounds.

    Raises:
        ConfigError: No round was asked for.
    """
    if rounds < 1:
        raise ConfigError(f"{rounds} rounds were asked for; give 1 or more.")
    references = gallery.vectors
    plain = faiss.IndexFlatIP(references.shape[1])
    plain.add(references)
    starts = range(0, len(rows), BATCH)
    batches = [np.ascontiguousarray(dataset.batch(rows[s : s + BATCH], encoder.input_spec)) for s in starts]

    def bare() -> None:
        vectors = np.concatenate([encoder.encode(batch) for batch in batches])
        plain.search(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), n_neighbors)

    def voting() -> None:
        answer(gallery, held_out(gallery, encoder, dataset, rows), n_neighbors)

    def whole() -> None:
        evaluate(gallery, held_out(gallery, encoder, dataset, rows), n_neighbors)

    sides = (bare, voting, whole)
    encoder.encode(batches[0])
    evaluate(gallery, held_out(gallery, encoder, dataset, rows[:BATCH]), n_neighbors)
    measured: list[list[float]] = [[], [], []]
    for turn in range(rounds):
        for place in np.roll(np.arange(3), turn).tolist():
            began = time.perf_counter()
            sides[place]()
            measured[place].append(time.perf_counter() - began)
        if progress is not None:
            progress(turn + 1, rounds)
    bare_seconds, voting_seconds, whole_seconds = measured
    return EvaluationSpeed(
        bare=statistics.median(bare_seconds),
        voting=statistics.median(voting_seconds),
        whole=statistics.median(whole_seconds),
        voting_ratios=tuple(a / b for a, b in zip(voting_seconds, bare_seconds)),
        whole_ratios=tuple(a / b for a, b in zip(whole_seconds, bare_seconds)),
        references=len(gallery),
        queries=len(rows),
        n_neighbors=n_neighbors,
    )
