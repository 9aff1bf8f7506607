"""Which pictures stand together in a batch: shuffled, P emotions x K pictures, or balanced pairs."""

from __future__ import annotations

from typing import Iterator

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError, unknown_name

SAMPLERS = ("shuffle", "pk", "pairs")


def epoch_batches(
    sampler: str, labels: NDArray[np.int64], batch_size: int, rng: np.random.Generator, p: int | None = None
) -> list[NDArray[np.int64]]:
    """The batches of one epoch.

    Args:
        sampler: ``"shuffle"``: every picture once. ``"pk"``: P emotions with K = batch_size / P pictures each.
            ``"pairs"``: rows 0-1, 2-3 … of a batch are pairs, half of the same emotion and half of two emotions.
        labels: int64 (N,) of the training pictures.
        batch_size: Pictures in a batch, 2 or more; ``pairs`` makes an odd one even by leaving one picture out.
        rng: The epoch's own random state.
        p: Emotions in a ``pk`` batch; all of them by default.

    Returns:
        About N / batch_size arrays of positions in ``labels``, each int64 (batch_size,); a ``shuffle`` epoch's last one
        may be shorter, and is dropped where it would hold one picture, which batch norm cannot take.

    Raises:
        ConfigError: The sampler is unknown, or the batch is too small for it.
    """
    if batch_size < 2:
        raise ConfigError(f"A batch of {batch_size} pictures was asked for; metric learning needs 2 or more.")
    if sampler == "shuffle":
        return list(shuffled_batches(len(labels), batch_size, rng))
    n_batches = max(1, round(len(labels) / batch_size))
    if sampler == "pk":
        return list(class_balanced_batches(labels, batch_size, n_batches, rng, p))
    if sampler == "pairs":
        return list(pair_batches(labels, batch_size, n_batches, rng))
    raise unknown_name("sampler", sampler, SAMPLERS)


def shuffled_batches(size: int, batch_size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Every position 0 … size - 1 once, in random order, cut into batches."""
    order = rng.permutation(size)
    for start in range(0, size, batch_size):
        batch = order[start : start + batch_size]
        if len(batch) > 1 or size == 1:
            yield batch


def class_balanced_batches(
    labels: NDArray[np.int64], batch_size: int, n_batches: int, rng: np.random.Generator, p: int | None = None
) -> Iterator[NDArray[np.int64]]:
    """P x K batches (Hermans, Beyer and Leibe, "In Defense of the Triplet Loss", 2017): P emotions, K pictures each.

    A class is walked through in random order and begun anew when it is used up, so each of its pictures is seen
    equally often; only a class with fewer than K pictures repeats some within a batch.
    """
    classes = np.unique(labels)
    p = len(classes) if p is None else min(p, len(classes))
    if p < 1 or batch_size < 2 * p:
        raise ConfigError(f"A batch of {batch_size} cannot hold {p} emotions x 2 pictures; raise --batch-size.")
    decks = {int(c): _Deck(np.flatnonzero(labels == c), rng) for c in classes}
    for _ in range(n_batches):
        chosen = classes if p == len(classes) else rng.choice(classes, p, replace=False)
        share = np.full(p, batch_size // p)
        share[rng.permutation(p)[: batch_size % p]] += 1
        yield np.concatenate([decks[int(c)].draw(int(k)) for c, k in zip(chosen, share)])


def pair_batches(
    labels: NDArray[np.int64], batch_size: int, n_batches: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Batches of pairs, as the siamese paper trains: half of the pairs show one emotion, half two.

    The emotions of a pair are drawn uniformly, so that rare ones count as much as frequent ones.
    """
    classes = np.unique(labels)
    decks = {int(c): _Deck(np.flatnonzero(labels == c), rng) for c in classes}
    for _ in range(n_batches):
        rows: list[NDArray[np.int64]] = []
        for pair in range(batch_size // 2):
            if pair % 2 == 0 or len(classes) == 1:
                rows.append(decks[int(rng.choice(classes))].draw(2))
            else:
                first, second = rng.choice(classes, 2, replace=False)
                rows.append(np.concatenate([decks[int(first)].draw(1), decks[int(second)].draw(1)]))
        yield np.concatenate(rows)


class _Deck:
    """The pictures of one class, dealt in random order and shuffled again when used up.

    A draw holds no picture twice unless it asks for more than there are.
    """

    def __init__(self, cards: NDArray[np.int64], rng: np.random.Generator) -> None:
        self.cards = rng.permutation(cards)
        self.rng = rng
        self.next = 0

    def draw(self, count: int) -> NDArray[np.int64]:
        drawn = self.cards[:0]
        while len(drawn) < count:
            if self.next == len(self.cards):
                fresh = self.rng.permutation(self.cards)
                held = np.isin(fresh, drawn)  # those of this draw come last
                self.cards, self.next = np.concatenate([fresh[~held], fresh[held]]), 0
            taken = self.cards[self.next : self.next + count - len(drawn)]
            self.next += len(taken)
            drawn = np.concatenate([drawn, taken])
        return drawn
