"""Open set: an emotion is left out of the gallery; do its pictures look strange to the others' references?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.novelty import DetectionScore, score_detection
from eval.without_class import rest_votes
from galleries.errors import DataError
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery
from galleries.vocabulary import canonical_list

NOVELTY = ("nearest distance", "mean distance", "vote share")
"""What a face is judged by: the distance of the nearest reference, the mean distance of those that vote, and the share
of the vote that the winner lacks. The higher, the stranger."""


@dataclass(frozen=True)
class OpenSetScores:
    """How well pictures of emotions that the gallery lacks are told from those of emotions it holds.

    Attributes:
        left_out: Emotions taken out of the gallery.
        n_known: Queries of emotions still in the gallery.
        n_unknown: Queries of those left out.
        n_neighbors: References that vote.
        accuracy: Share of the known queries that the rest of the gallery names rightly.
        scores: For each of :data:`NOVELTY` how well it tells them apart.
    """

    left_out: tuple[str, ...]
    n_known: int
    n_unknown: int
    n_neighbors: int
    accuracy: float
    scores: dict[str, DetectionScore]

    def to_json(self) -> dict[str, Any]:
        """The result as a plain dict."""
        return {
            **vars(self),
            "left_out": list(self.left_out),
            "scores": {name: score.to_json() for name, score in self.scores.items()},
        }


def open_set(
    gallery: Gallery,
    queries: NDArray[np.float32],
    truth: Sequence[str],
    left_out: Sequence[str],
    n_neighbors: int = DEFAULT_NEIGHBORS,
    weights: Optional[str] = None,
    people: Optional[Sequence[str]] = None,
    seed: int = 0,
) -> OpenSetScores:
    """Ask a gallery without some emotions about pictures of all, and see which it finds strange.

    Scheirer et al., "Toward Open Set Recognition", 2013. The gallery itself is left as it is; the search among what
    remains is exact, and none counts as nearer.

    Args:
        gallery: The references.
        queries: float32 (Q, D), pictures that the gallery does not hold.
        truth: Q canonical names. Queries of an emotion that is neither in the gallery nor left out are not used.
        left_out: Emotions to take out of the gallery, any spelling; those it never held may be among them.
        n_neighbors: References that vote.
        weights: Of the vote; None for the gallery's own.
        people: Q names of who is on the queries, resampled whole for the intervals; None resamples pictures.
        seed: Of the resampling.

    Raises:
        DataError: Nothing is left out, no known or no unknown query is there, or lengths differ.
        GalleryError: Fewer references remain than neighbours, or vectors that cannot be used.
        ConfigError: Unknown ``weights``.
    """
    if len(truth) != len(queries) or (people is not None and len(people) != len(queries)):
        raise DataError(f"{len(queries)} queries, {len(truth)} emotions and their people differ in number; give all.")
    out = tuple(canonical_list(left_out))
    remaining = tuple(emotion for emotion in gallery.emotions if emotion not in out)
    true = np.array(truth)
    used = np.flatnonzero(np.isin(true, (*remaining, *out)))
    is_unknown = np.isin(true[used], out)
    _check(out, remaining, is_unknown)
    distances, shares, winners = rest_votes(gallery, queries[used], remaining, n_neighbors, weights)
    right = np.array(remaining)[winners] == true[used]
    novelty = (distances[:, 0], distances.mean(axis=1), 1 - shares.max(axis=1))
    groups = used if people is None else np.array(people)[used]
    return OpenSetScores(
        out,
        int((~is_unknown).sum()),
        int(is_unknown.sum()),
        n_neighbors,
        float(right[~is_unknown].mean()),
        {
            name: score_detection(values.astype(np.float64), is_unknown, right, groups, seed)
            for name, values in zip(NOVELTY, novelty)
        },
    )


def _check(out: tuple[str, ...], remaining: tuple[str, ...], is_unknown: NDArray[np.bool_]) -> None:
    names = ", ".join(out) or "no emotion"
    if not out or not remaining:
        raise DataError(f"{names} was to be left out, which leaves {len(remaining)} emotions; leave out some, not all.")
    if not is_unknown.any():
        raise DataError(f"{names} was left out, but no picture asked about shows it; leave out an emotion of the test.")
    if is_unknown.all():
        raise DataError(f"No picture asked about shows an emotion that is still in the gallery without {names}.")
