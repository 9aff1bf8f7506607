"""What a class does to the others: the same test with and without, say, *neutral* among references and questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.intervals import Bootstrap
from eval.metrics import MEASURES, Scores, score
from eval.score_intervals import Interval, change_intervals, plain, resampled_scores
from galleries.class_means import vote_of_means
from galleries.errors import DataError
from galleries.gallery import Gallery
from galleries.vectors import usable
from galleries.vocabulary import canonical_list
from galleries.voting import MEAN, decide, vote


@dataclass(frozen=True)
class ClassStudy:
    """A test with and without some classes.

    Attributes:
        left_out: The classes.
        with_them: The whole gallery on all queries.
        same_queries: The whole gallery on the queries of the other classes.
        without: The rest of the gallery on the queries of the other classes.
        accuracy_change: Interval of ``without`` minus ``with_them``, in accuracy.
        same_change: Interval of ``without`` minus ``same_queries``: what the references alone do.
        class_changes: For each other class the intervals of the change of precision, recall and f1.
    """

    left_out: tuple[str, ...]
    with_them: Scores
    same_queries: Scores
    without: Scores
    accuracy_change: Interval
    same_change: Interval
    class_changes: dict[str, dict[str, Interval]]

    def rows(self) -> list[tuple[str, str, float, float, Interval]]:
        """Each other class and measure: with the classes, without them, and the interval of the change."""
        before = {entry.emotion: entry for entry in self.with_them.classes}
        return [
            (entry.emotion, measure, getattr(before[entry.emotion], measure), getattr(entry, measure), bounds)
            for entry in self.without.classes
            for measure, bounds in self.class_changes[entry.emotion].items()
        ]

    def to_json(self) -> dict[str, Any]:
        """The study as a plain dict."""
        return {
            "left_out": list(self.left_out),
            "with_them": self.with_them.to_json(),
            "same_queries": self.same_queries.to_json(),
            "without": self.without.to_json(),
            "accuracy_change_95": plain(self.accuracy_change),
            "same_queries_change_95": plain(self.same_change),
            "classes": [
                {"emotion": e, "measure": m, "with": a, "without": b, "change": b - a, "change_95": plain(bounds)}
                for e, m, a, b, bounds in self.rows()
            ],
        }


def study_without(
    gallery: Gallery,
    vectors: NDArray[np.float32],
    truth: Sequence[str],
    left_out: Sequence[str],
    n_neighbors: int,
    draws: Bootstrap,
    weights: Optional[str] = None,
) -> ClassStudy:
    """Leave classes out of the references and the queries; before and after, all references count as they are.

    Args:
        gallery: The references.
        vectors: float32 (Q, D).
        truth: Q emotions.
        left_out: Names of classes, in any spelling.
        n_neighbors: How many vote, with the classes and without.
        draws: Of the Q queries.
        weights: Of the vote; None for the gallery's own.

    Raises:
        DataError: A class is not in the gallery, or fewer than two others are left, or no question.
    """
    names = canonical_list(left_out)
    others = [emotion for emotion in gallery.emotions if emotion not in names]
    strangers = [name for name in names if name not in gallery.emotions]
    kept = np.array([emotion in others for emotion in truth])
    if strangers or len(others) < 2 or not kept.any():
        raise DataError(
            f"{', '.join(names)} was to be left out of a gallery of {', '.join(gallery.emotions)}; choose from these, "
            "and leave two or more that are asked about."
        )
    if gallery.way(weights) == MEAN:
        answers = vote_of_means(gallery.distances_to_means(vectors, emphasis={}))[1]
    else:
        answers = gallery.winners(*gallery.kneighbors(vectors, n_neighbors, emphasis={}), gallery.way(weights))
    before = [gallery.emotions[winner] for winner in answers]
    k = min(n_neighbors, int(np.isin(gallery.labels, [gallery.emotions.index(name) for name in others]).sum()))
    winners = rest_votes(gallery, vectors[kept], others, k, weights)[2]
    after = [others[int(winner)] for winner in winners]
    asked = [emotion for emotion, is_kept in zip(truth, kept) if is_kept]
    same = [said for said, is_kept in zip(before, kept) if is_kept]
    every = list(gallery.emotions)
    rest = Bootstrap(draws.member[kept], draws.counts, draws.by)
    samples = resampled_scores(truth, before, every, draws)
    fewer = resampled_scores(asked, after, others, rest)
    places = [every.index(emotion) for emotion in others]
    paired = {name: values if values.ndim == 1 else values[:, places] for name, values in samples.items()}
    changes = change_intervals(paired, fewer, draws)
    alone = fewer["accuracy"] - resampled_scores(asked, same, every, rest)["accuracy"]
    return ClassStudy(
        tuple(names),
        score(truth, before, every),
        score(asked, same, every),
        score(asked, after, others),
        changes["accuracy"][0],
        draws.interval(alone),
        {
            emotion: {measure: changes[f"class_{measure}"][place] for measure in MEASURES}
            for place, emotion in enumerate(others)
        },
    )


def rest_votes(
    gallery: Gallery,
    vectors: NDArray[np.float32],
    others: Sequence[str],
    n_neighbors: int,
    weights: Optional[str] = None,
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.int64]]:
    """What the references of some emotions alone say, compared one by one, none counting as nearer.

    Args:
        gallery: The references.
        vectors: float32 (Q, D).
        others: The emotions that stay, each held by the gallery. What references vote for beside them goes to them.
        n_neighbors: How many vote, at most all that stay.
        weights: Of the vote; None for the gallery's own.

    Returns:
        Distances float32 (Q, k), shares of the vote float64 (Q, C) and winners int64 (Q,), both by place in ``others``.
    """
    code = {emotion: place for place, emotion in enumerate(others)}
    held = np.array([code.get(emotion, -1) for emotion in gallery.emotions], np.int64)[gallery.labels]
    kept = np.flatnonzero(held >= 0)
    part = gallery.part(kept)
    distances, found = part.search(vectors, n_neighbors)
    divided = gallery.references.take(kept).shares(others, held[kept])
    labels, cast = held[kept][found], None if divided is None else divided[found]
    way = gallery.way(weights)
    if way == MEAN:
        means = part.class_means(held[kept], divided, len(others))
        return distances, *vote_of_means(means.distances(usable(vectors, gallery.metric)))
    shares = vote(distances, labels, len(others), way, cast)
    return distances, shares, decide(shares, distances, labels)
