"""A gallery's evaluation: all numbers of a test with their intervals and floors, as is and without what leaks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from eval.held_out import HeldOut, answer, pick
from eval.intervals import Bootstrap
from eval.metrics import OneVsRest, Scores, one_vs_rest, score
from eval.neighbor_sweep import NeighborSweep, sweep_neighbors
from eval.retrieval import Retrieval, RetrievalScores, retrieve
from eval.score_intervals import ScoreIntervals, score_intervals
from eval.without_class import ClassStudy, study_without
from galleries.gallery import Gallery
from galleries.identity import predict_without
from galleries.voting import MEAN


@dataclass(frozen=True)
class Judged:
    """The numbers of some queries.

    Attributes:
        scores: Of the vote.
        intervals: Their 95 % bootstrap intervals.
        retrieval: Of the order of the references.
    """

    scores: Scores
    intervals: ScoreIntervals
    retrieval: RetrievalScores

    @property
    def one_vs_rest(self) -> OneVsRest:
        """The siamese paper's table of the vote."""
        return one_vs_rest(self.scores)

    def to_json(self) -> dict[str, Any]:
        """All numbers as a plain dict."""
        return {
            **self.scores.to_json(),
            "intervals": self.intervals.to_json(),
            "one_vs_rest": self.one_vs_rest.to_json(),
            "retrieval": self.retrieval.to_json(),
        }


@dataclass(frozen=True)
class Evaluation:
    """A gallery's evaluation.

    Attributes:
        n_neighbors: How many voted; none of them by ``"mean"``.
        weights: How they were weighed, one of :data:`galleries.voting.WAYS`.
        whole: All queries.
        without_leaks: Those of which gallery and tower know nothing: no copy, person or film; None if all or none.
        leaking: Whether they know any.
        known: How many they know.
        leakage: What leaks, in words.
        by_others: The vote on all queries when each one's own person is left out of the references; None unless people
            stand on both sides.
    """

    n_neighbors: int
    weights: str
    whole: Judged
    without_leaks: Optional[Judged]
    leaking: bool
    known: int
    leakage: tuple[str, ...]
    by_others: Optional[Scores] = None

    @property
    def voters(self) -> str:
        """Who voted, in words."""
        if self.weights == MEAN:
            return "The mean of each emotion's references votes"
        return f"{self.n_neighbors} neighbours vote, weighed by {self.weights}"

    def to_json(self) -> dict[str, Any]:
        """All numbers as a plain dict."""
        return {
            "n_neighbors": self.n_neighbors,
            "weights": self.weights,
            "leaking": self.leaking,
            "known": self.known,
            "leakage": list(self.leakage),
            "knn": self.whole.to_json(),
            "knn_without_leaks": None if self.without_leaks is None else self.without_leaks.to_json(),
            "knn_by_others": None if self.by_others is None else self.by_others.to_json(),
        }


def evaluate(
    gallery: Gallery, queries: HeldOut, n_neighbors: int, weights: Optional[str] = None, seed: int = 0
) -> Evaluation:
    """Ask a gallery about queries, and judge its vote and its order of references.

    Args:
        gallery: The references.
        queries: From :func:`eval.held_out.held_out`.
        n_neighbors: k of the vote.
        weights: Of the vote; None for the gallery's own.
        seed: Of the bootstrap.
    """
    ranked = retrieve(gallery, queries.vectors, queries.truth, n_neighbors)
    found = answer(gallery, queries, n_neighbors, weights, ranked.nearest)
    emotions = list(found.emotions)

    def judged(scores: Scores, places: NDArray[np.int64]) -> Judged:
        people = None if queries.subjects is None else pick(queries.subjects, places)
        draws = Bootstrap.draw(len(places), people, seed)
        intervals = score_intervals(pick(queries.truth, places), pick(found.said, places), emotions, draws)
        return Judged(scores, intervals, _summary(ranked, draws, places, len(queries.truth)))

    with ThreadPoolExecutor(1) as beside:
        without_leaks = None
        if found.without_leaks is not None:
            without_leaks = beside.submit(judged, found.without_leaks, np.flatnonzero(~queries.leaks))
        whole = judged(found.knn, np.arange(len(queries.truth)))
    return Evaluation(
        n_neighbors,
        gallery.way(weights),
        whole,
        None if without_leaks is None else without_leaks.result(),
        queries.leaking,
        int(queries.leaks.sum()),
        tuple(queries.sentences()),
        _by_others(gallery, queries, n_neighbors, weights, emotions),
    )


def _by_others(
    gallery: Gallery, queries: HeldOut, n_neighbors: int, weights: Optional[str], emotions: list[str]
) -> Optional[Scores]:
    """What other people's references say of each query, where some of its own person stand among them."""
    if not queries.people or queries.subjects is None or len(set(gallery.references.subjects())) < 2:
        return None
    said = predict_without(gallery, queries.vectors, queries.subjects, n_neighbors, weights)
    return score(queries.truth, said, emotions)


def _summary(ranked: Retrieval, draws: Bootstrap, places: NDArray[np.int64], size: int) -> RetrievalScores:
    kept = np.zeros(size, bool)
    kept[places] = True
    return ranked.summary(draws, kept)


def choose_neighbors(gallery: Gallery, validation: HeldOut, weights: Optional[str] = None) -> NeighborSweep:
    """Choose how many neighbours vote on validation pictures of which the gallery knows nothing.

    Where it knows all their people or films, those that it does not know themselves are asked about.

    Raises:
        DataError: It knows every validation picture.
    """
    fresh = np.flatnonzero(~validation.leaks)
    if not len(fresh):
        fresh = np.flatnonzero(~validation.seen)
    return sweep_neighbors(gallery, validation.vectors[fresh], pick(validation.truth, fresh), weights)


def evaluate_without(
    gallery: Gallery,
    queries: HeldOut,
    left_out: list[str],
    n_neighbors: int,
    weights: Optional[str] = None,
    seed: int = 0,
) -> ClassStudy:
    """The test with and without some classes, on the queries of which the gallery knows nothing (if there are any)."""
    fresh = np.flatnonzero(~queries.leaks)
    if not len(fresh):
        fresh = np.arange(len(queries.truth))
    people = None if queries.subjects is None else pick(queries.subjects, fresh)
    draws = Bootstrap.draw(len(fresh), people, seed)
    truth = pick(queries.truth, fresh)
    return study_without(gallery, queries.vectors[fresh], truth, left_out, n_neighbors, draws, weights)
