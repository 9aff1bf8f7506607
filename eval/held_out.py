"""Pictures that a gallery is asked about in a test: their vectors, what they show, and which of them it has seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.crossing import Crossing, as_asked, cross, of_dataset, of_gallery
from eval.leakage import crossing_sentences, learned_sentences
from eval.metrics import Scores, score
from galleries.encoder import OnnxEncoder
from galleries.errors import DataError
from galleries.gallery import Gallery
from siamese.datasets.base import FaceDataset
from siamese.enrolling import encode_rows


@dataclass(frozen=True)
class HeldOut:
    """Queries of a test.

    Attributes:
        vectors: float32 (Q, D).
        truth: Q emotions.
        crossing: Which of them the gallery knows, and by what.
        people: People that stand in the gallery and among the queries, sorted; None where either does not name them.
        films: Films or bursts on both sides, sorted; None where unknown.
        subjects: Q people, or None.
        learned: Which of them the tower has learned from, and by what; None where that is not known, or where the
            gallery holds all that it has learned from.
    """

    vectors: NDArray[np.float32]
    truth: tuple[str, ...]
    crossing: Crossing
    people: Optional[tuple[str, ...]]
    films: Optional[tuple[str, ...]]
    subjects: Optional[tuple[str, ...]]
    learned: Optional[Crossing] = None

    @property
    def seen(self) -> NDArray[np.bool_]:
        """bool (Q,): the gallery holds the picture or a copy, exact or near, or the tower has learned from one."""
        found = self.crossing.copies | self.crossing.near
        return found if self.learned is None else found | self.learned.copies | self.learned.near

    @property
    def leaks(self) -> NDArray[np.bool_]:
        """bool (Q,): gallery or tower know the picture, a copy, its person or its film."""
        return self.crossing.rows if self.learned is None else self.crossing.rows | self.learned.rows

    @property
    def leaking(self) -> bool:
        """Whether the gallery or its tower knows anything of what is asked about."""
        return bool(self.leaks.any())

    def sentences(self) -> list[str]:
        """What leaks, in words; what cannot be known is said too."""
        said = crossing_sentences(self.crossing, self.people, self.films)
        return said if self.learned is None else [*said, *learned_sentences(self.learned)]


Learned = tuple[FaceDataset, NDArray[np.int64]]
"""A data set, and int64 rows of it that a tower was trained on."""


def held_out(
    gallery: Gallery,
    encoder: OnnxEncoder,
    dataset: FaceDataset,
    rows: NDArray[np.int64],
    progress: Optional[Callable[[int, int], None]] = None,
    learned: Optional[Learned] = None,
) -> HeldOut:
    """Encode the queries of a test and find out which of them the gallery knows, or its tower has learned from.

    Copies are found by the references' thumbnails, where the gallery has them; else only by the name of their source.

    Args:
        gallery: The references.
        encoder: Its tower.
        dataset: Where the queries come from; its emotions all stand in the gallery.
        rows: int64 (Q,), which, at least one.
        progress: Called with (done, total).
        learned: What the tower was trained on, as far as it is known. References with a thumbnail need not be among it,
            and are not looked at twice.

    Raises:
        DataError: There are no queries.
    """
    if not len(rows):
        raise DataError(f"The part asked for holds no picture of {dataset.name}; choose another --split or --split-by.")
    asked = as_asked(gallery, dataset, rows)
    with ThreadPoolExecutor(1) as beside:
        crossing = beside.submit(cross, of_gallery(gallery), asked)
        lessons = beside.submit(_learned, gallery, dataset, rows, learned)
        vectors = encode_rows(dataset, rows, encoder, progress)
        found, of_tower = crossing.result(), lessons.result()
    return HeldOut(
        vectors,
        tuple(asked.emotions),
        found,
        _shared(asked.people, found.people),
        _shared(asked.films, found.films),
        None if asked.people is None else tuple(str(name) for name in asked.people),
        of_tower,
    )


def _learned(
    gallery: Gallery, dataset: FaceDataset, rows: NDArray[np.int64], learned: Optional[Learned]
) -> Optional[Crossing]:
    """The queries looked up among what the tower was trained on but the gallery does not show; None if that is all."""
    if learned is None:
        return None
    source, taught = learned
    shown = set() if gallery.thumbnails is None else set(gallery.references.sources())
    taught = np.array([row for row in taught.tolist() if source.ids[row] not in shown], np.int64)
    if not len(taught):
        return None
    return cross(
        of_dataset(source, taught, source.digests(), near=True), of_dataset(dataset, rows, dataset.digests(), near=True)
    )


def _shared(names: Optional[Sequence[Optional[str]]], known: Optional[NDArray[np.bool_]]) -> Optional[tuple[str, ...]]:
    if names is None or known is None:
        return None
    return tuple(sorted({str(names[int(place)]) for place in np.flatnonzero(known)}))


@dataclass(frozen=True)
class Answer:
    """What a gallery's vote says of the queries.

    Attributes:
        said: Q emotions.
        emotions: Every name that may occur, sorted.
        knn: The scores of all queries.
        without_leaks: Of those of which the gallery knows nothing; None where that is all of them, or none.
    """

    said: tuple[str, ...]
    emotions: tuple[str, ...]
    knn: Scores
    without_leaks: Optional[Scores]


def answer(
    gallery: Gallery,
    queries: HeldOut,
    n_neighbors: int,
    weights: Optional[str] = None,
    nearest: Optional[tuple[NDArray[np.float32], NDArray[np.int64]]] = None,
) -> Answer:
    """Let the gallery vote on the queries.

    Args:
        gallery: The references.
        queries: What it is asked about.
        n_neighbors: k of the vote.
        weights: Of the vote; None for the gallery's own.
        nearest: Distances and indices (Q, k or more) of ``gallery.kneighbors``, if they are known already.
    """
    k = n_neighbors
    distances, indices = gallery.kneighbors(queries.vectors, k) if nearest is None else nearest
    winners = gallery.answers(queries.vectors, distances[:, :k], indices[:, :k], weights)[1]
    said = [gallery.emotions[winner] for winner in winners]
    emotions = sorted(set(gallery.emotions) | set(queries.truth))
    whole = score(queries.truth, said, emotions)
    fresh = np.flatnonzero(~queries.leaks)
    without: Optional[Scores] = None
    if 0 < len(fresh) < len(said):
        without = score(pick(queries.truth, fresh), pick(said, fresh), emotions)
    return Answer(tuple(said), tuple(emotions), whole, without)


def pick(values: Sequence[Any], places: NDArray[np.int64]) -> list[Any]:
    """Values at some places of a sequence."""
    return [values[int(place)] for place in places]
