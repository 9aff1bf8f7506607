"""The few-shot task of a comparison: the same episodes for every tower, on test pictures of people never trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from eval.episodes import Episodes, Pool, draw_episodes
from eval.few_shot import Mean, score_episodes
from galleries.errors import ConfigError, DataError
from siamese.datasets.base import FaceDataset
from siamese.split_file import Split

HEADS = ("knn", "prototype")
"""What answers from the shots; see :mod:`eval.heads`."""

_QUERIES = (15, 10, 5, 2, 1)  # of each emotion; the most that the test's people give


@dataclass(frozen=True)
class FewShotTask:
    """Episodes on the test pictures of a split.

    Attributes:
        places: int64 (P,), places in the test part of the pictures that take part.
        pool: These pictures.
        episodes: Of the pool.
        new_people: Whether nobody on them, and no copy, stands in training; else the split has too few such pictures.
    """

    places: NDArray[np.int64]
    pool: Pool
    episodes: Episodes
    new_people: bool

    def facts(self) -> dict[str, Any]:
        """What the episodes are, as a plain dict."""
        drawn = self.episodes
        return {
            "ways": drawn.n_way,
            "shots": drawn.n_shot,
            "queries": drawn.n_query,
            "episodes": len(drawn),
            "pictures": len(self.pool),
            "unit": self.pool.unit,
            "new_people": self.new_people,
            "chance": 1 / drawn.n_way,
        }

    def answer(self, vectors: NDArray[np.float32], metric: str) -> dict[str, Mean]:
        """Accuracy of the :data:`HEADS`, by name, over the episodes.

        Args:
            vectors: float32 (T, D) of all test pictures.
            metric: The tower's.
        """
        scores = score_episodes(self.pool, vectors[self.places], self.episodes, metric, HEADS)
        return {name: head.accuracy for name, head in scores.heads.items()}


def few_shot_task(
    dataset: FaceDataset, split: Split, shots: int, ways: int = 5, episodes: int = 600, seed: int = 0
) -> Optional[FewShotTask]:
    """Draw the episodes.

    Args:
        dataset: The faces.
        split: The shots and queries of an episode are test pictures, of different people.
        shots: Of each emotion.
        ways: Emotions of an episode, if there are so many.
        episodes: How many.
        seed: Of the drawing.

    Returns:
        The task; None where the test part is too small for it.

    Raises:
        ConfigError: No shots or no episodes were asked for.
    """
    if shots < 1 or episodes < 1:
        raise ConfigError(f"{episodes} episodes of {shots} shots were asked for; give 1 or more of each.")
    others = np.setdiff1d(np.arange(len(dataset)), split.test)
    for rows, is_new in ((Pool.of(dataset, touched=others).rows, True), (split.test, False)):
        pool = Pool.of(dataset.subset(rows))
        drawn = _draw(pool, shots, min(ways, len(pool.classes)), episodes, seed)
        if drawn is not None:
            return FewShotTask(np.searchsorted(split.test, rows), pool, drawn, is_new)
    return None


def _draw(pool: Pool, shots: int, ways: int, episodes: int, seed: int) -> Optional[Episodes]:
    for queries in _QUERIES:
        try:
            return draw_episodes(pool, ways, shots, queries, episodes, seed)
        except (DataError, ConfigError):  # too few pictures, people or emotions
            continue
    return None
