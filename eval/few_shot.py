"""How well a few shots of each emotion do: heads compared on the same episodes, and beside a tower's own gallery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.episodes import Episodes, Pool
from eval.heads import HEADS
from eval.intervals import mean_interval
from galleries.errors import unknown_name
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery

Interval = Optional[tuple[float, float]]

UNSHARED = -2
"""In :func:`gallery_answers`: not asked, or the picture shows an emotion that the gallery does not know."""


@dataclass(frozen=True)
class Mean:
    """A mean over episodes.

    Attributes:
        mean: 0-1.
        interval: 95 % interval of the mean over episodes drawn from these pictures; None for a single one. It says
            nothing about other people's pictures.
    """

    mean: float
    interval: Interval

    @classmethod
    def over(cls, values: NDArray[np.float64]) -> Optional[Mean]:
        """Of float64 (E,), NaN where an episode has no value; None if none has one."""
        known = values[~np.isnan(values)]
        return cls(float(known.mean()), mean_interval(known.tolist())) if len(known) else None

    def to_json(self) -> dict[str, Any]:
        """The mean as a plain dict."""
        return {"mean": self.mean, "interval_95": None if self.interval is None else list(self.interval)}


@dataclass(frozen=True)
class HeadScore:
    """A head's result.

    Attributes:
        accuracy: Over all queries; every class has as many, so it is the balanced accuracy too.
        weighted: The same with each class as heavy as it is frequent among the pool's pictures: what a test that asks
            about every picture gives.
        recalls: Of each emotion's queries the share recognised, over the episodes it takes part in.
        shared: Accuracy on the queries whose emotion a gallery knows too; None without a gallery, or none shared.
    """

    accuracy: Mean
    weighted: Mean
    recalls: dict[str, Mean]
    shared: Optional[Mean]

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {
            "accuracy": self.accuracy.to_json(),
            "weighted": self.weighted.to_json(),
            "recalls": {emotion: recall.to_json() for emotion, recall in self.recalls.items()},
            "shared": None if self.shared is None else self.shared.to_json(),
        }


@dataclass(frozen=True)
class FewShotScores:
    """Every head's result on the same episodes.

    Attributes:
        n_way: Classes of an episode.
        n_shot: Shots of each.
        n_query: Queries of each.
        n_episodes: Episodes.
        n_neighbors: Shots that vote in the k-NN head.
        chance: Accuracy of naming one of the classes at random.
        heads: By name.
        gallery: Accuracy of the tower's own gallery on the queries whose emotion it knows; None if not asked.
    """

    n_way: int
    n_shot: int
    n_query: int
    n_episodes: int
    n_neighbors: int
    chance: float
    heads: dict[str, HeadScore]
    gallery: Optional[Mean]

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {
            **vars(self),
            "heads": {name: head.to_json() for name, head in self.heads.items()},
            "gallery": None if self.gallery is None else self.gallery.to_json(),
        }


def score_episodes(
    pool: Pool,
    vectors: NDArray[np.float32],
    episodes: Episodes,
    metric: str,
    heads: Sequence[str] = tuple(HEADS),
    n_neighbors: Optional[int] = None,
    gallery: Optional[NDArray[np.int64]] = None,
    progress: Optional[Callable[[int, int], None]] = None,
) -> FewShotScores:
    """Let every head answer every episode.

    Args:
        pool: What the episodes were drawn from.
        vectors: float32 (P, D) of the pool's pictures.
        episodes: Of the pool.
        metric: The tower's, ``"cosine"`` or ``"euclidean"``.
        heads: Names of :data:`eval.heads.HEADS`.
        n_neighbors: Shots that vote, at most all there are; None for as many as a class has shots, and 5 at most.
        gallery: int64 (P,) of :func:`gallery_answers`, or None.
        progress: Called with (done, total) episodes.

    Raises:
        ConfigError: An unknown head, or a number of neighbours below 1.
        GalleryError: More neighbours than shots, or vectors that cannot be used.
    """
    for name in heads:
        if name not in HEADS:
            raise unknown_name("few-shot head", name, HEADS)
    n_way, n_shot, n_query = episodes.n_way, episodes.n_shot, episodes.n_query
    k = min(n_shot, DEFAULT_NEIGHBORS) if n_neighbors is None else n_neighbors
    labels, truth = np.repeat(np.arange(n_way), n_shot), np.repeat(np.arange(n_way), n_query)
    hits = {name: np.empty((len(episodes), n_way)) for name in heads}
    for episode in range(len(episodes)):
        shots, asked = vectors[episodes.support[episode].ravel()], vectors[episodes.queries[episode].ravel()]
        for name in heads:
            right = HEADS[name](shots, labels, asked, metric, k) == truth
            hits[name][episode] = right.reshape(n_way, n_query).mean(axis=1)
        if progress is not None:
            progress(episode + 1, len(episodes))
    known = None if gallery is None else np.isin(episodes.classes, pool.labels[gallery != UNSHARED])
    return FewShotScores(
        n_way,
        n_shot,
        n_query,
        len(episodes),
        k,
        1 / n_way,
        {name: _head_score(pool, episodes, own, known) for name, own in hits.items()},
        None if gallery is None else _gallery_score(pool, episodes, gallery, known),
    )


def gallery_answers(
    gallery: Gallery, pool: Pool, vectors: NDArray[np.float32], places: NDArray[np.int64], n_neighbors: int
) -> NDArray[np.int64]:
    """What a tower's own gallery, of all it was trained on, answers to pictures of the pool.

    Args:
        gallery: The references.
        pool: The pictures.
        vectors: float32 (P, D), the pictures' vectors by the gallery's tower.
        places: int64, which of them to ask about.
        n_neighbors: References that vote.

    Returns:
        int64 (P,), labels of the pool; -1 for an emotion that is none of the pool's, and :data:`UNSHARED` where the
        picture was not asked about or shows an emotion the gallery does not know.

    Raises:
        GalleryError: More neighbours than references.
    """
    code = {emotion: label for label, emotion in enumerate(pool.emotions)}
    shared = [label for label, emotion in enumerate(pool.emotions) if emotion in gallery.emotions]
    asked = places[np.isin(pool.labels[places], shared)]
    answers = np.full(len(pool), UNSHARED, np.int64)
    answers[asked] = [code.get(name, -1) for name in gallery.predict(vectors[asked], n_neighbors)]
    return answers


def _head_score(
    pool: Pool, episodes: Episodes, hits: NDArray[np.float64], known: Optional[NDArray[np.bool_]]
) -> HeadScore:
    accuracy = Mean.over(hits.mean(axis=1))
    weighted = Mean.over(np.average(hits, axis=1, weights=np.bincount(pool.labels)[episodes.classes]))
    assert accuracy is not None
    assert weighted is not None
    recalls = {}
    for label in np.unique(episodes.classes):
        recall = Mean.over(hits[episodes.classes == label])
        assert recall is not None
        recalls[pool.emotions[label]] = recall
    return HeadScore(accuracy, weighted, recalls, None if known is None else Mean.over(_mean_of(hits, known)))


def _gallery_score(
    pool: Pool, episodes: Episodes, answers: NDArray[np.int64], known: Optional[NDArray[np.bool_]]
) -> Optional[Mean]:
    assert known is not None
    right = answers[episodes.queries] == pool.labels[episodes.queries]  # (E, N, Q)
    return Mean.over(_mean_of(right.mean(axis=2), known))


def _mean_of(hits: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Each episode's mean over the known classes: (E, N) -> (E,), NaN where it has none."""
    count = known.sum(axis=1)
    means: NDArray[np.float64] = np.where(count > 0, (hits * known).sum(axis=1) / np.maximum(count, 1), np.nan)
    return means
