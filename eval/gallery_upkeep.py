"""What looking after a gallery is worth: planted wrong labels found, and smaller galleries' accuracy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Callable, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.condensing import condense, condensed, sound_references
from galleries.errors import ConfigError, GalleryError
from galleries.gallery import Gallery
from galleries.hygiene import check_gallery

Progress = Optional[Callable[[int, int], None]]


@dataclass(frozen=True)
class NoiseResult:
    """Wrong labels planted into a gallery, and what the mislabel finder makes of them.

    Attributes:
        share: Of the references that were given a wrong label, 0-1.
        planted: How many.
        suspects: References that their neighbours outvote.
        precision: Of as many of the most suspicious as were planted, the share planted.
        recall_of_all: Share of the planted that are among all suspects.
        precision_of_all: Of all suspects, the share planted; the others may be wrong in the data set itself.
        noisy: Accuracy of the gallery with the planted labels, 0-1.
        removed: The same with all suspects removed.
        relabelled: The same with all suspects relabelled as their neighbours say.
    """

    share: float
    planted: int
    suspects: int
    precision: float
    recall_of_all: float
    precision_of_all: float
    noisy: float
    removed: float
    relabelled: float

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return asdict(self)


def label_noise(
    load: Callable[[], Gallery],
    queries: NDArray[np.float32],
    truth: Sequence[str],
    share: float,
    n_neighbors: int = 15,
    seed: int = 0,
) -> NoiseResult:
    """Plant wrong labels at random, look for them, and clean.

    Args:
        load: Gives the gallery afresh, since it is changed.
        queries: float32 (Q, D) of faces that are not in it.
        truth: Q emotions.
        share: Of the references to be given another of the gallery's emotions, above 0, below 1.
        n_neighbors: k of the check and of the vote.
        seed: Of the planting.

    Raises:
        ConfigError: The share is out of range.
        GalleryError: The gallery holds one emotion only.
    """
    if not 0 < share < 1:
        raise ConfigError(f"A share of {share} wrong labels was asked for; give one between 0 and 1, such as 0.1.")
    rng = np.random.default_rng(seed)
    gallery = load()
    if len(gallery.emotions) < 2:
        raise GalleryError(f"The gallery holds {gallery.emotions[0]} alone, so no label can be made wrong; add others.")
    chosen = rng.choice(len(gallery), max(1, round(share * len(gallery))), replace=False)
    shift = rng.integers(1, len(gallery.emotions), len(chosen))
    wrong = (gallery.labels[chosen] + shift) % len(gallery.emotions)
    names, numbers = gallery.emotions, gallery.numbers[chosen]
    for label in np.unique(wrong):
        gallery.relabel(numbers[wrong == label].tolist(), names[int(label)])
    planted = set(numbers.tolist())
    found = check_gallery(gallery, n_neighbors).suspects
    first = {suspect.number for suspect in found[: len(planted)]}
    every = {suspect.number for suspect in found}
    noisy = accuracy_of(gallery, queries, truth, n_neighbors)
    by_emotion: dict[str, list[int]] = {}
    for suspect in found:
        by_emotion.setdefault(suspect.suggested, []).append(suspect.number)
    for emotion, some in by_emotion.items():
        gallery.relabel(some, emotion)
    relabelled = accuracy_of(gallery, queries, truth, n_neighbors)
    if every:
        gallery.remove(sorted(every))
    return NoiseResult(
        share,
        len(planted),
        len(every),
        len(first & planted) / max(1, len(first)),
        len(every & planted) / len(planted),
        len(every & planted) / max(1, len(every)),
        noisy,
        accuracy_of(gallery, queries, truth, n_neighbors),
        relabelled,
    )


@dataclass(frozen=True)
class CondensedResult:
    """A smaller gallery.

    Attributes:
        way: How its references were chosen.
        edited: Whether outvoted references were left out first.
        size: References it kept.
        accuracy: On the queries, 0-1.
    """

    way: str
    edited: bool
    size: int
    accuracy: float

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return asdict(self)


def condensing_table(
    load: Callable[[], Gallery],
    queries: NDArray[np.float32],
    truth: Sequence[str],
    shares: Sequence[float],
    ways: Sequence[tuple[str, bool]],
    n_neighbors: int = 15,
    progress: Progress = None,
    seed: int = 0,
    limited: bool = False,
) -> list[CondensedResult]:
    """How accurate smaller galleries are, by way and size.

    Args:
        load: Gives the gallery afresh.
        queries: float32 (Q, D) of faces that are not in it.
        truth: Q emotions.
        shares: Of the references to keep, above 0, at most 1.
        ways: (way, edited): names of ``galleries.condensing.WAYS``, or ``"condensed"``.
        n_neighbors: k of the vote, lowered for galleries that hold fewer.
        progress: Called with (done, total).
        seed: Of what is random.
        limited: Whether ``condensed`` is stopped at each share; else it takes its own size, once.
    """
    tasks: list[tuple[str, bool, Optional[float]]] = []
    for way, edited in ways:
        own_size = way == "condensed" and not limited
        tasks += [(way, edited, share) for share in ((None,) if own_size else shares)]
    whole = load()
    sound = sound_references(whole, n_neighbors) if any(edited for _, edited in ways) else None
    rows = []
    for done, (way, edited, share) in enumerate(tasks):
        size = None if share is None else max(len(whole.emotions), round(share * len(whole)))
        if way == "condensed":
            kept = condensed(whole, seed, size)
        else:
            assert size is not None
            kept = condense(whole, size, way, edited, n_neighbors, seed, sound)
        gallery = load()
        gone = np.setdiff1d(gallery.numbers, kept).tolist()
        if gone:
            gallery.remove(gone)
        rows.append(CondensedResult(way, edited, len(gallery), accuracy_of(gallery, queries, truth, n_neighbors)))
        if progress is not None:
            progress(done + 1, len(tasks))
    return rows


def accuracy_of(gallery: Gallery, queries: NDArray[np.float32], truth: Sequence[str], n_neighbors: int) -> float:
    """Share of the queries that the vote of k references, or of all of a smaller gallery, names rightly; 0-1."""
    said = gallery.predict(queries, min(n_neighbors, len(gallery)))
    return float(np.mean([answer == true for answer, true in zip(said, truth)]))
