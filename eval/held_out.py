"""Pictures that a gallery is asked about in a test: their vectors, what they show, and which of them it has seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.crossing import Crossing, as_asked, cross, of_gallery
from eval.leakage import crossing_sentences
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
    """

    vectors: NDArray[np.float32]
    truth: tuple[str, ...]
    crossing: Crossing
    people: Optional[tuple[str, ...]]
    films: Optional[tuple[str, ...]]
    subjects: Optional[tuple[str, ...]]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """bool (Q,): the picture itself, or a copy, exact or near, stands in the gallery."""
        return self.crossing.copies | self.crossing.near

    @property
    def leaks(self) -> NDArray[np.bool_]:
        """bool (Q,): the gallery knows the picture, a copy, its person or its film."""
        return self.crossing.rows

    @property
    def leaking(self) -> bool:
        """Whether the gallery knows anything of what it is asked about."""
        return bool(self.leaks.any())

    def sentences(self) -> list[str]:
        """What leaks, in words; what cannot be known is said too."""
        return crossing_sentences(self.crossing, self.people, self.films)


def held_out(
    gallery: Gallery,
    encoder: OnnxEncoder,
    dataset: FaceDataset,
    rows: NDArray[np.int64],
    progress: Optional[Callable[[int, int], None]] = None,
) -> HeldOut:
    """Encode the queries of a test and find out which of them the gallery knows.

    Copies are found by the references' thumbnails, where the gallery has them; else only by the name of their source.

    Args:
        gallery: The references.
        encoder: Its tower.
        dataset: Where the queries come from; its emotions all stand in the gallery.
        rows: int64 (Q,), which, at least one.
        progress: Called with (done, total).

    Raises:
        DataError: There are no queries.
    """
    if not len(rows):
        raise DataError(f"The part asked for holds no picture of {dataset.name}; choose another --split or --split-by.")
    asked = as_asked(gallery, dataset, rows)
    with ThreadPoolExecutor(1) as beside:
        crossing = beside.submit(cross, of_gallery(gallery), asked)
        vectors = encode_rows(dataset, rows, encoder, progress)
        found = crossing.result()
    return HeldOut(
        vectors,
        tuple(asked.emotions),
        found,
        _shared(asked.people, found.people),
        _shared(asked.films, found.films),
        None if asked.people is None else tuple(str(name) for name in asked.people),
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
