"""N-way K-shot episodes: small classification tasks drawn from a data set, whose shots and queries share nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError, DataError
from siamese.datasets.base import FaceDataset
from siamese.grouping import Groups

TRIES = 1000
"""Ways to divide the people that are tried for one episode, before it is said that there is none."""


def inseparable(dataset: FaceDataset) -> NDArray[np.int64]:
    """Which pictures must stay on one side: those of one person or one film, where known, and exact copies.

    Args:
        dataset: The faces.

    Returns:
        int64 (N,), group numbers. Groups that share a picture are one group.
    """
    groups = Groups(len(dataset))
    groups.join_equal(dataset.digests())
    for known in (dataset.subjects, dataset.sequences):
        if known is not None:
            groups.join_equal(known)
    return groups.numbers()


@dataclass(frozen=True)
class Pool:
    """Pictures that episodes are drawn from.

    Attributes:
        rows: int64 (P,), rows of the data set.
        labels: int64 (P,), values 0 … len(emotions) - 1.
        groups: int64 (P,), 0 … G - 1: pictures of one group never stand on both sides of an episode.
        emotions: Names of the labels; not all need occur.
        unit: What a group is, for the person: ``"people"``, ``"sequences"`` or ``"distinct pictures"``.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    emotions: tuple[str, ...]
    unit: str

    @classmethod
    def of(
        cls,
        dataset: FaceDataset,
        emotions: Optional[Sequence[str]] = None,
        touched: Optional[NDArray[np.int64]] = None,
    ) -> Pool:
        """Take pictures of a data set; groups are those of the whole data set.

        Args:
            dataset: The faces.
            emotions: Canonical names of those wanted; None for all.
            touched: int64 rows that a tower was trained on: they are left out, and whatever is inseparable from one
                of them. None leaves out nothing.
        """
        groups = inseparable(dataset)
        taken = np.ones(len(dataset), np.bool_)
        if emotions is not None:
            taken = np.isin(dataset.labels, [dataset.emotions.index(e) for e in emotions if e in dataset.emotions])
        if touched is not None:
            taken &= ~np.isin(groups, np.unique(groups[touched]))
        rows = np.flatnonzero(taken)
        unit = "distinct pictures" if dataset.sequences is None else "sequences"
        if dataset.subjects is not None:
            unit = "people"
        _, numbers = np.unique(groups[rows], return_inverse=True)
        return cls(rows, dataset.labels[rows], numbers.astype(np.int64), dataset.emotions, unit)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def classes(self) -> NDArray[np.int64]:
        """The labels that occur, int64, rising."""
        return np.unique(self.labels)

    def size(self, label: int) -> tuple[int, int]:
        """Pictures of an emotion, and the groups they come from."""
        own = self.labels == label
        return int(own.sum()), len(np.unique(self.groups[own]))

    def describe(self, label: int) -> str:
        """An emotion with its counts: ``contempt (54 pictures of 18 people)``."""
        pictures, groups = self.size(label)
        noun = self.unit if groups != 1 else {"people": "person"}.get(self.unit, self.unit[:-1])
        return f"{self.emotions[label]} ({pictures} pictures of {groups} {noun})"


@dataclass(frozen=True)
class Episodes:
    """Drawn tasks; E of them, each with N classes, K shots and Q queries of every class.

    Attributes:
        classes: int64 (E, N), labels of the pool, rising in each episode.
        support: int64 (E, N, K), places in the pool: the shots.
        queries: int64 (E, N, Q), places in the pool.
    """

    classes: NDArray[np.int64]
    support: NDArray[np.int64]
    queries: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def places(self) -> NDArray[np.int64]:
        """Every place of the pool that takes part, int64, rising."""
        return np.unique(np.concatenate([self.support.ravel(), self.queries.ravel()]))

    @property
    def n_way(self) -> int:
        """Classes of an episode."""
        return int(self.classes.shape[1])

    @property
    def n_shot(self) -> int:
        """Shots of each class."""
        return int(self.support.shape[2])

    @property
    def n_query(self) -> int:
        """Queries of each class."""
        return int(self.queries.shape[2])


def draw_episodes(
    pool: Pool, n_way: int = 5, n_shot: int = 5, n_query: int = 15, n_episodes: int = 600, seed: int = 0
) -> Episodes:
    """Draw episodes as in Vinyals et al., "Matching Networks for One Shot Learning", 2016.

    For every episode the classes are drawn, then the groups (people, or what is known of who belongs together) are
    divided anew by chance into those that give shots and those that give queries; divisions that leave a class too few
    pictures on a side are drawn again. No group, so no person, film or copied picture, stands on both sides, also not
    under two emotions.

    Args:
        pool: Where to draw from.
        n_way: Classes of an episode, 2 … those that occur.
        n_shot: Shots of each class, 1 or more.
        n_query: Queries of each class, 1 or more.
        n_episodes: How many, 1 or more.
        seed: Of all draws.

    Raises:
        ConfigError: A number that is too small, or more ways than classes.
        DataError: A class has too few pictures or groups; it is named with its counts.
    """
    check_episodes(pool, n_way, n_shot, n_query, n_episodes)
    rng = np.random.default_rng([seed, n_way, n_shot])
    members = {int(label): np.flatnonzero(pool.labels == label) for label in pool.classes}
    groups = {label: pool.groups[rows] for label, rows in members.items()}
    classes = np.empty((n_episodes, n_way), np.int64)
    support = np.empty((n_episodes, n_way, n_shot), np.int64)
    queries = np.empty((n_episodes, n_way, n_query), np.int64)
    n_groups = int(pool.groups.max()) + 1
    for episode in range(n_episodes):
        classes[episode] = np.sort(rng.choice(pool.classes, n_way, replace=False))
        drawn = classes[episode].tolist()
        gives = _divide([groups[label] for label in drawn], n_groups, n_shot, n_query, rng)
        if isinstance(gives, int):
            raise DataError(
                f"No way was found to give each of {n_way} emotions {n_shot} shots and {n_query} queries of other "
                f"{pool.unit}: {pool.describe(drawn[gives])} stands in the way most often; ask for fewer shots or "
                "queries, or leave it out."
            )
        for place, label in enumerate(drawn):
            rows = members[label]
            support[episode, place] = rng.choice(rows[gives[place]], n_shot, replace=False)
            queries[episode, place] = rng.choice(rows[~gives[place]], n_query, replace=False)
    return Episodes(classes, support, queries)


def check_episodes(pool: Pool, n_way: int, n_shot: int, n_query: int, n_episodes: int) -> None:
    """Refuse episodes that cannot be drawn, where that is seen without drawing; errors as :func:`draw_episodes`."""
    for what, number in (("shots", n_shot), ("queries", n_query), ("episodes", n_episodes)):
        if number < 1:
            raise ConfigError(f"{number} {what} were asked for; give 1 or more.")
    if not 2 <= n_way <= len(pool.classes):
        names = ", ".join(pool.emotions[label] for label in pool.classes) or "none"
        raise ConfigError(
            f"{n_way} ways were asked for and {len(pool.classes)} emotions are there ({names}); an episode needs 2 or "
            "more of those that are there."
        )
    small = []
    for label in pool.classes:
        pictures, groups = pool.size(label)
        if pictures < n_shot + n_query or groups < 2:
            small.append(pool.describe(label))
    if small:
        raise DataError(
            f"Too few pictures for {n_shot} shots and {n_query} queries of other {pool.unit}: {', '.join(small)}; "
            "ask for fewer shots or queries, or leave these emotions out."
        )


def _divide(
    groups: Sequence[NDArray[np.int64]], n_groups: int, n_shot: int, n_query: int, rng: np.random.Generator
) -> list[NDArray[np.bool_]] | int:
    """For each class which of its pictures may be shots; or, if there is no way, the class that prevents it."""
    fewest = min(len(own) for own in groups)
    share = 0.5 + (n_shot - n_query) / (2 * fewest)  # as many to spare on both sides
    failed = np.zeros(len(groups), np.int64)
    for _ in range(TRIES):
        is_shot = rng.random(n_groups) < share
        sides = [is_shot[own] for own in groups]
        short = [not n_shot <= int(side.sum()) <= len(side) - n_query for side in sides]
        if not any(short):
            return sides
        failed += short
    return int(failed.argmax())
