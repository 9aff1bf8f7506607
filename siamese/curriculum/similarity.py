"""How alike two emotions are: measured on a tower, or told by a file; and pairs ranked by it, in three bands."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError
from galleries.index import VectorIndex
from galleries.left_out import nearest_outside
from galleries.voting import decide, vote
from siamese.pair_order import BANDS, PairName, pairs_of, read_pair

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MEASURES = ("confusion", "means")
"""``confusion``: how often a warm-up tower's neighbours take one for the other; ``means``: how near their means are."""


@dataclass(frozen=True)
class RankedPair:
    """Two emotions and how alike they are.

    Attributes:
        emotions: Their names, in alphabetical order.
        similarity: The higher, the more alike; None where a file ranked them.
        band: A name of :data:`siamese.pair_order.BANDS`.
    """

    emotions: PairName
    similarity: Optional[float]
    band: str

    @property
    def name(self) -> str:
        """``"anger+fear"``."""
        return "+".join(self.emotions)

    def to_json(self) -> dict[str, Any]:
        """The pair as a plain dict."""
        return {**asdict(self), "emotions": list(self.emotions)}


@dataclass(frozen=True)
class Ranking:
    """Every pair of some emotions, the most similar first.

    Attributes:
        pairs: The ranking.
        in_thirds: Whether the bands are thirds of it; those of fewer emotions are then thirds of their own pairs.
    """

    pairs: tuple[RankedPair, ...] = ()
    in_thirds: bool = True

    def bands(self, emotions: Sequence[str]) -> tuple[tuple[PairName, ...], ...]:
        """The pairs of these emotions in three bands, as a training configuration takes them."""
        some = [pair for pair in self.pairs if set(pair.emotions) <= set(emotions)]
        names = _thirds(len(some)) if self.in_thirds else [pair.band for pair in some]
        return tuple(tuple(pair.emotions for pair, own in zip(some, names) if own == band) for band in BANDS)


def confusion_similarity(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of the rates at which each of two emotions is taken for the other.

    Args:
        confusion: int64 (C, C): rows are true emotions, columns answers.

    Returns:
        float64 (C, C), symmetric, 0-1, the diagonal 0.
    """
    rates = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    similarity: NDArray[np.float64] = (rates + rates.T) / 2
    np.fill_diagonal(similarity, 0.0)
    return similarity


def mean_similarity(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], n_classes: int, metric: str
) -> NDArray[np.float64]:
    """Minus the distance of two emotions' mean vectors.

    Args:
        vectors: float32 (N, D).
        labels: int64 (N,), every one of 0 … n_classes - 1 at least once.
        n_classes: Number of emotions.
        metric: ``"cosine"`` (1 - cosine of the means) or ``"euclidean"``.

    Returns:
        float64 (C, C), symmetric, at most 0, the diagonal 0.
    """
    means = np.stack([vectors[labels == label].astype(np.float64).mean(axis=0) for label in range(n_classes)])  # (C, D)
    if metric == "cosine":
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        distances = np.maximum(1 - means @ means.T, 0.0)
    else:
        distances = np.linalg.norm(means[:, None] - means[None, :], axis=2)
    similarity: NDArray[np.float64] = -distances
    np.fill_diagonal(similarity, 0.0)
    return similarity


def confusion_within(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], n_classes: int, metric: str, n_neighbors: int
) -> NDArray[np.int64]:
    """Which emotion each vector's nearest others vote for: every vector is asked about and left out of its own vote.

    Args:
        vectors: float32 (N, D), at least two.
        labels: int64 (N,).
        n_classes: Number of emotions.
        metric: ``"cosine"`` or ``"euclidean"``.
        n_neighbors: How many others vote, at most N - 1.

    Returns:
        int64 (C, C): rows are true emotions, columns answers.
    """
    k = min(n_neighbors, len(vectors) - 1)
    index = VectorIndex.build(vectors, np.arange(len(vectors)), metric=metric)
    distances, found = nearest_outside(index.search, vectors, index.numbers, index.numbers, k)
    answers = decide(vote(distances, labels[found], n_classes), distances, labels[found])
    confusion = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(confusion, (labels, answers), 1)
    return confusion


def rank_pairs(
    emotions: Sequence[str], similarity: NDArray[np.float64], bounds: Optional[tuple[float, float]] = None
) -> Ranking:
    """Every pair, the most similar first, in three bands.

    Args:
        emotions: Names of the C rows.
        similarity: float64 (C, C), symmetric.
        bounds: A pair is similar from the first value on, moderate from the second on, distinct below; None cuts the
            ranking in thirds. Of pairs that are equally similar the alphabetically first comes first.

    Raises:
        ConfigError: The second bound is above the first.
    """
    place = {emotion: row for row, emotion in enumerate(emotions)}
    pairs = [(float(similarity[place[a], place[b]]), (a, b)) for a, b in pairs_of(emotions)]
    pairs.sort(key=lambda entry: (-entry[0], entry[1]))
    if bounds is None:
        bands = _thirds(len(pairs))
    else:
        if not bounds[0] >= bounds[1]:
            raise ConfigError(f"The bounds {bounds[0]:g} and {bounds[1]:g} were given; give the higher one first.")
        bands = [BANDS[int(value < bounds[0]) + int(value < bounds[1])] for value, _ in pairs]
    ranked = (RankedPair(pair, value, band) for (value, pair), band in zip(pairs, bands))
    return Ranking(tuple(ranked), bounds is None)


def _thirds(count: int) -> list[str]:
    return [BANDS[place * len(BANDS) // count] for place in range(count)]


def load_prior(path: Path, emotions: Sequence[str]) -> Ranking:
    """Read a ranking made by a person.

    Args:
        path: A TOML file with either ``ranking = [["anger", "disgust"], …]``, the most similar pair first (bands are
            then its thirds), or the three lists ``similar``, ``moderate`` and ``distinct``.
        emotions: Those to be trained on; pairs of others are ignored.

    Raises:
        ConfigError: The file is missing or no such TOML, or a pair of the emotions is missing or named twice.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"The ranking {path} does not exist.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"The ranking {path} cannot be read as TOML ({error}).") from error
    if set(values) not in ({"ranking"}, set(BANDS)) or not all(isinstance(part, list) for part in values.values()):
        raise ConfigError(
            f"The ranking {path} holds {', '.join(sorted(values)) or 'nothing'}; give the list ranking, or the three "
            f"lists {', '.join(BANDS)}."
        )
    named = _read_lists(values, path)
    wanted = set(pairs_of(emotions))
    pairs = [entry for entry in named if entry[0] in wanted]
    listed = [pair for pair, _ in pairs]
    if len(set(listed)) != len(listed):
        twice = next(pair for pair in listed if listed.count(pair) > 1)
        raise ConfigError(f"The ranking {path} names the pair {'+'.join(twice)} twice.")
    if missing := sorted(wanted - set(listed)):
        shown = ", ".join("+".join(pair) for pair in missing[:3])
        raise ConfigError(f"The ranking {path} lacks {len(missing)} of {len(wanted)} pairs, such as {shown}.")
    in_thirds = "ranking" in values
    bands = _thirds(len(pairs)) if in_thirds else [band for _, band in pairs]
    return Ranking(tuple(RankedPair(pair, None, band) for pair, band in zip(listed, bands)), in_thirds)


def _read_lists(values: Mapping[str, Sequence[Any]], path: Path) -> list[tuple[PairName, str]]:
    order = [BANDS[0]] if set(values) == {"ranking"} else list(BANDS)
    try:
        return [(read_pair(pair), band) for band in order for pair in values.get(band, values.get("ranking", ()))]
    except ConfigError as error:
        raise ConfigError(f"In the ranking {path}: {error}") from error
