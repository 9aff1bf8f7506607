"""When to say "unknown", or "one of these": thresholds fitted on held-out faces, with a guarantee.

Split conformal prediction (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005), one threshold
an emotion, with the nearest-neighbour score of Papadopoulos, Vovk and Gammerman ("Regression Conformal Prediction with
Nearest Neighbours", 2011): how far the emotion's references are, against those of the nearest other emotion. Of faces
drawn like those it was fitted on, at most the share ``error`` of each emotion gets a set that lacks it. Where means
vote (:mod:`galleries.class_means`) the distances are those to the emotions' means.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError, GalleryError
from galleries.evidence import Decision
from galleries.records import parse_json, read_record
from galleries.reliability import calibration_error, isotonic
from galleries.voting import MEAN, WAYS, voters_of

if TYPE_CHECKING:
    from galleries.gallery import Gallery

NEAREST = 5
"""References of each emotion whose mean distance counts."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted on held-out faces.

    Attributes:
        error: Share of each emotion's faces whose set may lack it, and of all faces that may be called unknown for
            their distance; 0-1.
        thresholds: Emotion to its largest accepted score, 0-1.
        distance: Largest accepted mean distance to the nearest references, or to the nearest mean, in the gallery's
            metric.
        n_neighbors: k of the vote whose winner's probability is told.
        weights: How that vote is weighed, one of :data:`galleries.voting.WAYS`.
        knots: (``confidence_by``, probability of being right), both rising, 0-1.
        faces: Faces it was fitted on.
        size: References the gallery held.
        ece_before: Expected calibration error of the vote share on these faces, 0-1.
        ece_after: The same of the calibrated confidence, by cross-fitting.
        confidence_by: ``"distances"``: 1 less the winner's conformal score; ``"vote"``, as formerly: its vote share.
    """

    error: float
    thresholds: Mapping[str, float]
    distance: float
    n_neighbors: int
    weights: str
    knots: Tuple[Tuple[float, float], ...]
    faces: int
    size: int
    ece_before: float
    ece_after: float
    confidence_by: str

    def vote_of(self, size: int) -> Tuple[int, str]:
        """Neighbours and weights of the vote that was calibrated, in a gallery of so many references."""
        return min(self.n_neighbors, size), self.weights

    def confidence(self, shares: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """How probably the winners of votes (N, C) with these :func:`conformal_scores` (N, C) are right, 0-1: (N,)."""
        seen = shares.max(axis=1) if self.confidence_by == "vote" else _clearness(shares, scores)
        probability: NDArray[np.float64] = np.interp(seen, *self._curve)
        return probability

    @cached_property
    def _curve(self) -> NDArray[np.float64]:
        """The knots as an array (2, N)."""
        return np.array(self.knots).T

    def to_json(self) -> Dict[str, Any]:
        """The calibration as a plain dict."""
        return {**asdict(self), "thresholds": dict(self.thresholds), "knots": [list(knot) for knot in self.knots]}

    def encode(self) -> bytes:
        """The calibration as JSON."""
        return (json.dumps(self.to_json(), indent=1) + "\n").encode()

    @classmethod
    def decode(cls, data: bytes, voters: Optional[str] = None) -> Calibration:
        """Read :meth:`encode` back, checked; ``voters`` is who must vote in it, as ``voting.voters_of`` says.

        Raises:
            GalleryError: It is no calibration.
        """
        try:
            told = parse_json(data)
            made = read_record(cls, {"confidence_by": "vote", **told} if isinstance(told, dict) else told)
            knots = np.array(made.knots)
            in_range = (
                0 < made.error < 1
                and all(0 <= threshold <= 1 for threshold in made.thresholds.values())
                and min(made.distance, made.ece_before, made.ece_after, made.faces, made.size, knots.min()) >= 0
                and (np.diff(knots, axis=0) >= 0).all()
                and made.n_neighbors >= 1
                and made.weights in WAYS
                and voters in (None, voters_of(made.weights))
                and made.confidence_by in ("distances", "vote")
            )
            if not (made.thresholds and in_range):
                raise ValueError("a value is out of range")
        except (DataError, ValueError, OverflowError, RecursionError) as error:
            why = str(error).rstrip(".")
            raise GalleryError(f"calibration.json is no calibration ({why}); calibrate the gallery anew.") from error
        return made


def conformal_scores(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """How little each emotion fits: its distance against that of the nearest other one.

    Args:
        distances: float64 (B, C) of :meth:`galleries.gallery.Gallery.mean_distances` or ``distances_to_means``, C ≥ 2.

    Returns:
        float64 (B, C), 0-1: below one half for the nearest emotion, above for all others.
    """
    order = np.sort(distances, axis=1)
    other = np.where(distances == order[:, :1], order[:, 1:2], order[:, :1])  # (B, C): the nearest other emotion
    scores: NDArray[np.float64] = (distances + 1e-12) / (distances + other + 2e-12)
    return scores


def _clearness(shares: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much nearer than others votes' winners are, (N,), 0-1: it tells more of their being right than votes do."""
    clear: NDArray[np.float64] = 1.0 - scores[np.arange(len(scores)), shares.argmax(axis=1)]
    return clear


def calibrate(
    gallery: Gallery,
    vectors: NDArray[np.float32],
    truth: Sequence[str],
    error: float = 0.05,
    n_neighbors: int = 15,
    weights: Optional[str] = None,
) -> Calibration:
    """Fit thresholds and confidence on faces that are not in the gallery.

    Args:
        gallery: Two emotions or more.
        vectors: float32 (V, D).
        truth: V emotions, each held by the gallery.
        error: The share of errors asked for, 0-1.
        n_neighbors: k of the vote.
        weights: How it is weighed; None as the gallery does.

    Raises:
        GalleryError: Too few faces of an emotion for that error, an emotion that the gallery lacks, or one alone.
    """
    if len(gallery.emotions) < 2:
        raise GalleryError("A gallery of one emotion cannot be calibrated; add references of others.")
    if not 0 < error < 1:
        raise GalleryError(f"An error of {error} was asked for; give a share between 0 and 1, such as 0.05.")
    places = {name: label for label, name in enumerate(gallery.emotions)}
    strangers = sorted(set(truth) - set(places))
    if strangers:
        raise GalleryError(f"The gallery holds no {', '.join(strangers)}; calibrate on its emotions only.")
    labels = np.array([places[name] for name in truth])
    needed = int(np.ceil(1 / error)) - 1
    few = [f"{name} ({(labels == label).sum()})" for name, label in places.items() if (labels == label).sum() < needed]
    if few:
        raise GalleryError(
            f"Too few faces of {', '.join(few)}: an error of {error:g} needs {needed} of each emotion; give more faces "
            "or a larger error."
        )
    way = gallery.way(weights)
    distances = _distances(gallery, vectors, way)
    scores = conformal_scores(distances / _factors(gallery))
    own = scores[np.arange(len(labels)), labels]
    thresholds = {name: conformal_quantile(own[labels == label], error) for name, label in places.items()}
    shares = gallery.predict_proba(vectors, n_neighbors, way)
    right = shares.argmax(axis=1) == labels
    clear = _clearness(shares, scores)
    fitted = np.empty(len(clear))
    half = np.arange(len(clear)) % 2 == 0  # each half is judged by the curve of the other
    for part in (half, ~half):
        fitted[part] = np.interp(clear[part], *np.array(isotonic(clear[~part], right[~part])).T)
    return Calibration(
        error,
        thresholds,
        conformal_quantile(distances.min(axis=1), error),
        n_neighbors,
        way,
        isotonic(clear, right),
        len(labels),
        len(gallery),
        calibration_error(shares.max(axis=1), right),
        calibration_error(fitted, right),
        "distances",
    )


def conformal_quantile(scores: NDArray[np.float64], error: float) -> float:
    """The value that a further score exceeds with a probability of at most ``error``.

    Of n scores it is the ceil((n + 1)(1 - error))-th smallest.
    """
    place = int(np.ceil((len(scores) + 1) * (1 - error) - 1e-9))
    return float(np.sort(scores)[min(place, len(scores)) - 1])


def decisions(
    gallery: Gallery,
    vectors: NDArray[np.float32],
    shares: Optional[NDArray[np.float64]] = None,
    weights: Optional[str] = None,
) -> List[Decision]:
    """What may be said of faces, by the gallery's calibration.

    The emotions and the unknown rest on distances to the references of each emotion, so they are the same whatever
    neighbours vote beside them; the confidence is of the winner of the vote that was calibrated.

    Args:
        gallery: One with a calibration of that vote.
        vectors: float32 (B, D).
        shares: float64 (B, C), their vote, if it was taken as :meth:`Calibration.vote_of` says; None takes it.
        weights: The vote they stand beside; None for the gallery's own.

    Raises:
        GalleryError: The gallery is not calibrated.
    """
    fitted: Optional[Calibration] = gallery.calibration_of(weights)
    if fitted is None:
        raise GalleryError("The gallery is not calibrated; do so with: emotions gallery calibrate.")
    distances = _distances(gallery, vectors, fitted.weights)
    scores = conformal_scores(distances / _factors(gallery))
    loosest = max(fitted.thresholds.values())
    limits = np.array([fitted.thresholds.get(name, loosest) for name in gallery.emotions])
    if shares is None:
        shares = gallery.predict_proba(vectors, *fitted.vote_of(len(gallery)))
    confidence = fitted.confidence(shares, scores).tolist()
    winners = [gallery.emotions[label] for label in shares.argmax(axis=1).tolist()]
    found = []
    for i, (probability, winner) in enumerate(zip(confidence, winners)):
        kept, unknown, why = _decide(gallery.emotions, distances[i], scores[i], limits, fitted.distance)
        found.append(Decision(kept, unknown, probability, why, winner))
    return found


def _distances(gallery: Gallery, vectors: NDArray[np.float32], way: str) -> NDArray[np.float64]:
    """How far faces are from each emotion as they are, float64 (B, C): from its nearest references, or their mean."""
    if way == MEAN:
        return gallery.distances_to_means(vectors, emphasis={})
    return gallery.mean_distances(vectors, NEAREST)


def _factors(gallery: Gallery) -> NDArray[np.float64]:
    """How many times nearer each emotion counts, float64 (C,): :mod:`galleries.emphasis`."""
    return np.array([gallery.emphasis.get(name, 1.0) for name in gallery.emotions])


def _decide(
    emotions: Sequence[str],
    distances: NDArray[np.float64],
    scores: NDArray[np.float64],
    limits: NDArray[np.float64],
    far: float,
) -> Tuple[Tuple[str, ...], bool, str]:
    """The emotions that remain of a face, whether it is unknown, and why."""
    order = np.argsort(scores, kind="stable")
    kept = tuple(emotions[int(label)] for label in order if scores[label] <= limits[label])
    nearest = float(distances.min())
    if nearest > far:
        return kept, True, f"no reference is near: distance {nearest:.3f}, accepted up to {far:.3f}"
    if not kept:
        return kept, True, "every emotion is ruled out: the face lies between them"
    if len(kept) == 1:
        return kept, False, "all other emotions are ruled out"
    return kept, False, f"{len(kept)} emotions cannot be told apart here"
