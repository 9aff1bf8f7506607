"""How well a gallery's vote holds where light and cameras are worse than in the test's pictures.

The kinds are a choice of those of D. Hendrycks and T. Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations", 2019, at one strength each, at the size that the tower sees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Optional

import cv2
import numpy as np
from numpy.typing import NDArray

from eval.held_out import HeldOut, pick
from eval.intervals import Bootstrap
from eval.metrics import Scores, score
from galleries.encoder import OnnxEncoder
from galleries.gallery import Gallery
from siamese.datasets.base import FaceDataset

Picture = NDArray[np.uint8]
_BATCH = 256


def _power(picture: Picture, exponent: float) -> NDArray[np.floating[Any]]:
    return 255 * (picture / np.float32(255)) ** np.float32(exponent)


def _from_a_side(picture: Picture, rng: np.random.Generator) -> NDArray[np.floating[Any]]:
    side = rng.choice([-1.0, 1.0])
    ramp = np.linspace(-side, side, picture.shape[1], dtype=np.float32) * 70
    return picture + ramp.reshape(1, -1, *[1] * (picture.ndim - 2))


def _soft(picture: Picture) -> NDArray[np.uint8]:
    deviation = 1.2 * picture.shape[0] / 48
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _moving(picture: Picture, rng: np.random.Generator) -> NDArray[np.uint8]:
    length = max(3, 2 * round(2.5 * picture.shape[0] / 48) + 1)
    angle = rng.uniform(0, math.pi)
    reach = length / 2 - 0.5
    kernel = np.zeros((length, length), np.float32)
    for step in np.linspace(-reach, reach, 4 * length):
        kernel[round(reach + step * math.sin(angle)), round(reach + step * math.cos(angle))] += 1
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)


def _coarse(picture: Picture) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    sides = max(1, round(width * 0.4)), max(1, round(height * 0.4))
    small = cv2.resize(picture, sides, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _compressed(picture: Picture) -> NDArray[np.uint8]:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 15])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)


KINDS: dict[str, tuple[str, Callable[[Picture, np.random.Generator], NDArray[Any]]]] = {
    "dark": ("gamma 2", lambda picture, rng: _power(picture, 2.0)),
    "pale": ("gamma 0.5", lambda picture, rng: _power(picture, 0.5)),
    "side light": ("from +70 to -70 grey values across", _from_a_side),
    "soft": ("blurred by 2.5 % of the side", lambda picture, rng: _soft(picture)),
    "moving": ("smeared over 15 % of the side", _moving),
    "noisy": ("deviation of 15 grey values", lambda picture, rng: picture + rng.normal(0, 15, picture.shape)),
    "few pixels": ("40 % of the side, enlarged", lambda picture, rng: _coarse(picture)),
    "compressed": ("JPEG, quality 15", lambda picture, rng: _compressed(picture)),
}
"""Name of each disturbance, how strong it is in words, and what it does to uint8 (H, W) or (H, W, 3)."""


def disturbed(pixels: NDArray[np.uint8], kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Pictures as a worse camera, or one in worse light, would give them.

    Args:
        pixels: uint8 (B, C, H, W), as a tower takes them.
        kind: A key of :data:`KINDS`.
        rng: Of what is random about it.

    Returns:
        uint8 (B, C, H, W).
    """
    change = KINDS[kind][1]
    out = np.empty_like(pixels)
    for row, picture in enumerate(pixels):
        flat = picture[0] if (picture == picture[:1]).all() else np.ascontiguousarray(picture.transpose(1, 2, 0))
        seen = np.clip(np.rint(change(flat, rng)), 0, 255).astype(np.uint8)
        out[row] = seen if seen.ndim == 2 else seen.transpose(2, 0, 1)
    return out


@dataclass(frozen=True)
class Disturbed:
    """The vote on disturbed pictures.

    Attributes:
        kind: A key of :data:`KINDS`, or ``"as they are"``.
        scores: Of the vote.
        change: Accuracy less that of the pictures as they are.
        change_interval: Its 95 % interval, by a paired bootstrap over people, where they are known, or pictures.
    """

    kind: str
    scores: Scores
    change: float
    change_interval: tuple[float, float]

    @property
    def strength(self) -> str:
        """How much they are disturbed, in words; empty where they are not."""
        return KINDS[self.kind][0] if self.kind in KINDS else ""

    def to_json(self) -> dict[str, Any]:
        """The numbers as a plain dict."""
        return {
            "kind": self.kind,
            "strength": self.strength or None,
            "accuracy": self.scores.accuracy,
            "interval": list(self.scores.interval),
            "balanced_accuracy": self.scores.balanced_accuracy,
            "change": self.change,
            "change_interval": list(self.change_interval),
        }


@dataclass(frozen=True)
class DisturbedScores:
    """The vote on pictures as they are and disturbed in every way.

    Attributes:
        pictures: How many, none of which is known to leak (unless all are).
        rows: As they are first, then each of :data:`KINDS`.
    """

    pictures: int
    rows: tuple[Disturbed, ...]

    @property
    def mean(self) -> float:
        """Mean accuracy over the disturbances."""
        return float(np.mean([row.scores.accuracy for row in self.rows[1:]]))

    def to_json(self) -> dict[str, Any]:
        """The numbers as a plain dict."""
        return {"pictures": self.pictures, "mean": self.mean, "kinds": [row.to_json() for row in self.rows]}


def judge_disturbed(
    gallery: Gallery,
    encoder: OnnxEncoder,
    dataset: FaceDataset,
    rows: NDArray[np.int64],
    queries: HeldOut,
    n_neighbors: int,
    weights: Optional[str] = None,
    progress: Optional[Callable[[int, int], None]] = None,
    seed: int = 0,
) -> DisturbedScores:
    """Ask a gallery, whose references stay as they are, about a test's pictures as they are and disturbed.

    Args:
        gallery: The references.
        encoder: Its tower.
        dataset: Where the queries come from.
        rows: int64 (Q,), which of it.
        queries: The same, as :func:`eval.held_out.held_out` gives them.
        n_neighbors: k of the vote.
        weights: Of the vote; None for the gallery's own.
        progress: Called with (done, total).
        seed: Of noise and of the bootstrap.
    """
    fresh = np.flatnonzero(~queries.leaks)
    if not len(fresh):
        fresh = np.arange(len(rows))
    vectors = {kind: np.empty((len(fresh), encoder.embedding_dim), np.float32) for kind in KINDS}
    rngs = {kind: np.random.default_rng([seed, place]) for place, kind in enumerate(KINDS)}
    for start in range(0, len(fresh), _BATCH):
        pixels = dataset.batch(rows[fresh[start : start + _BATCH]], encoder.input_spec)
        for kind, found in vectors.items():
            found[start : start + len(pixels)] = encoder.encode(disturbed(pixels, kind, rngs[kind]))
        if progress is not None:
            progress(start + len(pixels), len(fresh))
    truth = np.array(pick(queries.truth, fresh))
    emotions = sorted(set(gallery.emotions) | set(truth.tolist()))
    people = None if queries.subjects is None else pick(queries.subjects, fresh)
    draws = Bootstrap.draw(len(fresh), people, seed)

    def said(asked: NDArray[np.float32]) -> NDArray[np.str_]:
        winners = gallery.answers(asked, *gallery.kneighbors(asked, n_neighbors), weights)[1]
        return np.array([gallery.emotions[winner] for winner in winners])

    clean = said(queries.vectors[fresh])

    def row(kind: str, answers: NDArray[np.str_]) -> Disturbed:
        change = (answers == truth).astype(np.float64) - (clean == truth)
        return Disturbed(
            kind, score(truth.tolist(), answers.tolist(), emotions), float(change.mean()), draws.mean(change)
        )

    told = [row("as they are", clean), *(row(kind, said(found)) for kind, found in vectors.items())]
    return DisturbedScores(len(fresh), tuple(told))


__all__ = ["KINDS", "Disturbed", "DisturbedScores", "disturbed", "judge_disturbed"]
