"""What a new emotion is worth in a gallery that stands: its shots added to all that is there, other people asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from eval.episodes import Episodes, Pool
from eval.few_shot import Mean
from galleries.emphasis import fit_emphasis, is_rare, usual_share
from galleries.errors import DataError
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery
from galleries.voting import MEAN

WAYS = ("plain", "emphasised", "means")
"""Every reference counts as it is, or the new emotion's as nearer (:mod:`galleries.emphasis`), or not neighbours vote
but the mean of each emotion, as it is (:mod:`galleries.class_means`)."""


@dataclass(frozen=True)
class EnrolledScores:
    """Results over episodes whose new emotions were added to a gallery, each a mean over the episodes that have it.

    Attributes:
        n_shot: References added of each new emotion.
        n_references: What the gallery held before.
        n_neighbors: How many vote.
        taken: Share of the others' references that a new emotion might take.
        new: Emotions that the gallery did not know.
        factor: How many times nearer they counted.
        recall: Way to the share of the new emotions' queries that are named so.
        drawn: Way to the share of the known emotions' queries that are called a new one; None without such queries.
        known: Way, and ``"before"``, to the accuracy on the known emotions' queries; None without such queries.
        recalls: Emotion to way to the share of its queries that are named so.
        chance: Of naming one of the emotions at random.
    """

    n_shot: int
    n_references: int
    n_neighbors: int
    taken: float
    new: tuple[str, ...]
    factor: Mean
    recall: dict[str, Mean]
    drawn: Optional[dict[str, Mean]]
    known: Optional[dict[str, Mean]]
    recalls: dict[str, dict[str, Mean]]
    chance: float

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""

        def plain(value: Any) -> Any:
            if isinstance(value, Mean):
                return value.to_json()
            return {key: plain(entry) for key, entry in value.items()} if isinstance(value, dict) else value

        return {key: plain(value) for key, value in {**vars(self), "new": list(self.new)}.items()}


def score_enrolled(
    gallery: Gallery,
    pool: Pool,
    vectors: NDArray[np.float32],
    episodes: Episodes,
    n_neighbors: int = DEFAULT_NEIGHBORS,
    taken: Optional[float] = None,
    progress: Optional[Callable[[int, int], None]] = None,
) -> EnrolledScores:
    """Add the shots of every episode's new emotions to a gallery, as ``emotions gallery add`` can, and ask it.

    Args:
        gallery: What stands; not changed, and searched exactly whatever its index.
        pool: What the episodes were drawn from.
        vectors: float32 (P, D) of the pool's pictures, by the gallery's tower.
        episodes: Of the pool. Shots of emotions that the gallery knows are not added; their queries are asked.
        n_neighbors: References that vote.
        taken: As for :func:`galleries.emphasis.fit_emphasis`.
        progress: Called with (done, total) episodes.

    Raises:
        DataError: No episode has an emotion that the gallery does not know.
        GalleryError: More neighbours than references.
    """
    names = np.array(pool.emotions)
    is_new = ~np.isin(names, gallery.emotions)  # (C,) by label of the pool
    with_new = np.flatnonzero(is_new[episodes.classes].any(axis=1))
    if not len(with_new):
        raise DataError(
            f"Nothing is new to a gallery of {', '.join(gallery.emotions)}; ask about an emotion that it does not hold."
        )
    held, taken = _copy(gallery), usual_share(gallery) if taken is None else taken
    said = {way: np.full(episodes.queries.shape, "", dtype=object) for way in ("before", *WAYS)}  # (E, N, Q)
    factors = np.full(len(episodes), np.nan)
    for done, episode in enumerate(with_new.tolist(), start=1):
        fresh, asked = is_new[episodes.classes[episode]], vectors[episodes.queries[episode].ravel()]
        shots, shape = episodes.support[episode][fresh].ravel(), episodes.queries[episode].shape
        said["before"][episode] = np.reshape(held.predict(asked, n_neighbors), shape)
        numbers = held.add(vectors[shots], names[pool.labels[shots]].tolist())
        said["plain"][episode] = np.reshape(held.predict(asked, n_neighbors), shape)
        said["means"][episode] = np.reshape(held.predict(asked, n_neighbors, MEAN), shape)
        found = []
        for name in names[episodes.classes[episode][fresh]].tolist():
            found.append(fit_emphasis(held, name, n_neighbors, taken).factor if is_rare(held, name) else 1.0)
            held.emphasise(name, found[-1])
        said["emphasised"][episode] = np.reshape(held.predict(asked, n_neighbors), shape)
        factors[episode] = np.mean(found)
        held.remove(numbers.tolist())
        if progress is not None:
            progress(done, len(with_new))
    return _scores(gallery, pool, episodes, with_new, said, factors, n_neighbors, taken)


def _copy(gallery: Gallery) -> Gallery:
    held = gallery.with_vectors(gallery.vectors, gallery.tower)
    held.thumbnails = None  # so that references can be added without
    held.typical = gallery.typical
    for name, factor in gallery.emphasis.items():
        held.emphasise(name, factor)
    return held


def _scores(
    gallery: Gallery,
    pool: Pool,
    episodes: Episodes,
    with_new: NDArray[np.int64],
    said: dict[str, NDArray[Any]],
    factors: NDArray[np.float64],
    n_neighbors: int,
    taken: float,
) -> EnrolledScores:
    names = np.array(pool.emotions, dtype=object)
    classes = episodes.classes[with_new]  # (E, N)
    fresh = ~np.isin(names[classes].astype(str), gallery.emotions)
    right = {way: (answers[with_new] == names[classes][..., None]).mean(axis=2) for way, answers in said.items()}
    strange = {way: _is_strange(said[way][with_new], gallery) for way in WAYS}
    new = tuple(sorted(set(names[classes][fresh].tolist())))

    def mean(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> Mean:
        count = counted.sum(axis=1)
        found = Mean.over(np.where(count > 0, (values * counted).sum(axis=1) / np.maximum(count, 1), np.nan))
        assert found is not None
        return found

    factor = Mean.over(factors)
    assert factor is not None
    return EnrolledScores(
        episodes.n_shot,
        len(gallery),
        n_neighbors,
        taken,
        new,
        factor,
        {way: mean(right[way], fresh) for way in WAYS},
        None if fresh.all() else {way: mean(strange[way], ~fresh) for way in WAYS},
        None if fresh.all() else {way: mean(values, ~fresh) for way, values in right.items()},
        {
            str(names[label]): {way: mean(values, classes == label) for way, values in right.items()}
            for label in np.unique(classes)
        },
        1 / (len(gallery.emotions) + len(new)),
    )


def _is_strange(answers: NDArray[Any], gallery: Gallery) -> NDArray[np.float64]:
    """Share of each class's answers (E, N, Q) that are none of the gallery's own emotions: float64 (E, N)."""
    share: NDArray[np.float64] = (~np.isin(answers.astype(str), gallery.emotions)).mean(axis=2)
    return share
