"""Which pictures stand together in a batch: shuffled, P emotions x K pictures, or balanced pairs."""

from __future__ import annotations

from typing import Iterator

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError, unknown_name
from siamese.pair_order import PairWeights

SAMPLERS = ("shuffle", "pk", "pairs")


def epoch_batches(
    sampler: str,
    labels: NDArray[np.int64],
    batch_size: int,
    rng: np.random.Generator,
    p: int | None = None,
    pair_weights: PairWeights | None = None,
) -> list[NDArray[np.int64]]:
    """The batches of one epoch.

    Args:
        sampler: ``"shuffle"``: every picture once. ``"pk"``: P emotions with K = batch_size / P pictures each.
            ``"pairs"``: rows 0-1, 2-3 … of a batch are pairs, half of the same emotion and half of two emotions.
        labels: int64 (N,) of the training pictures.
        batch_size: Pictures in a batch, 2 or more; ``pairs`` makes an odd one even by leaving one picture out.
        rng: The epoch's own random state.
        p: Emotions in a ``pk`` batch; all of them by default.
        pair_weights: How often each two labels meet, by the share of the epoch that is done; alike by default.
            ``pairs`` draws its pairs of two emotions by it, ``pk`` the emotions of a batch.

    Returns:
        About N / batch_size arrays of positions in ``labels``, each int64 (batch_size,); a ``shuffle`` epoch's last one
        may be shorter, and is dropped where it would hold one picture, which batch norm cannot take.

    Raises:
        ConfigError: The sampler is unknown, the batch is too small for it, or it cannot weigh pairs.
    """
    if batch_size < 2:
        raise ConfigError(f"A batch of {batch_size} pictures was asked for; metric learning needs 2 or more.")
    if sampler == "shuffle":
        if pair_weights is not None:
            raise ConfigError("The sampler 'shuffle' has no order of pairs; use 'pairs', or 'pk' with few emotions.")
        return list(shuffled_batches(len(labels), batch_size, rng))
    n_batches = max(1, round(len(labels) / batch_size))
    if sampler == "pk":
        return list(class_balanced_batches(labels, batch_size, n_batches, rng, p, pair_weights))
    if sampler == "pairs":
        return list(pair_batches(labels, batch_size, n_batches, rng, pair_weights))
    raise unknown_name("sampler", sampler, SAMPLERS)


def shuffled_batches(size: int, batch_size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Every position 0 … size - 1 once, in random order, cut into batches."""
    order = rng.permutation(size)
    for start in range(0, size, batch_size):
        batch = order[start : start + batch_size]
        if len(batch) > 1 or size == 1:
            yield batch


def class_balanced_batches(
    labels: NDArray[np.int64],
    batch_size: int,
    n_batches: int,
    rng: np.random.Generator,
    p: int | None = None,
    pair_weights: PairWeights | None = None,
) -> Iterator[NDArray[np.int64]]:
    """P x K batches (Hermans, Beyer and Leibe, "In Defense of the Triplet Loss", 2017): P emotions, K pictures each.

    A class is walked through in random order and begun anew when it is used up, so each of its pictures is seen
    equally often; only a class with fewer than K pictures repeats some within a batch. With ``pair_weights`` the first
    two emotions of a batch are drawn as a pair, the others by their weights with those already drawn.
    """
    classes = np.unique(labels)
    p = len(classes) if p is None else min(p, len(classes))
    if p < 1 or batch_size < 2 * p:
        raise ConfigError(f"A batch of {batch_size} cannot hold {p} emotions x 2 pictures; raise --batch-size.")
    decks = {int(c): _Deck(np.flatnonzero(labels == c), rng) for c in classes}
    for batch in range(n_batches):
        if p == len(classes):
            chosen = classes
        elif pair_weights is None:
            chosen = rng.choice(classes, p, replace=False)
        else:
            chosen = _related_classes(classes, p, pair_weights(batch / n_batches), rng)
        share = np.full(p, batch_size // p)
        share[rng.permutation(p)[: batch_size % p]] += 1
        yield np.concatenate([decks[int(c)].draw(int(k)) for c, k in zip(chosen, share)])


def _related_classes(
    classes: NDArray[np.int64], p: int, weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """P labels: two as a pair by its weight, each further one by the sum of its weights with those before."""
    chosen = list(_draw_pair(classes, weights, rng))[:p]
    while len(chosen) < p:
        left = np.setdiff1d(classes, chosen)
        pull = weights[left][:, chosen].sum(axis=1)
        chosen.append(int(rng.choice(left, p=_shares(pull))))
    return np.array(chosen, np.int64)


def pair_batches(
    labels: NDArray[np.int64],
    batch_size: int,
    n_batches: int,
    rng: np.random.Generator,
    pair_weights: PairWeights | None = None,
) -> Iterator[NDArray[np.int64]]:
    """Batches of pairs, as the siamese paper trains: half of the pairs show one emotion, half two.

    The emotions of a pair are drawn uniformly, so that rare ones count as much as frequent ones; those of a pair of two
    emotions by ``pair_weights``, where they are given.
    """
    classes = np.unique(labels)
    decks = {int(c): _Deck(np.flatnonzero(labels == c), rng) for c in classes}
    for batch in range(n_batches):
        weights = None if pair_weights is None else pair_weights(batch / n_batches)
        rows: list[NDArray[np.int64]] = []
        for pair in range(batch_size // 2):
            if pair % 2 == 0 or len(classes) == 1:
                rows.append(decks[int(rng.choice(classes))].draw(2))
            else:
                first, second = _draw_pair(classes, weights, rng)
                rows.append(np.concatenate([decks[first].draw(1), decks[second].draw(1)]))
        yield np.concatenate(rows)


def _draw_pair(
    classes: NDArray[np.int64], weights: NDArray[np.float64] | None, rng: np.random.Generator
) -> tuple[int, int]:
    """Two of the labels, by the weights of their pairs, or all pairs alike; in random order."""
    if weights is None:
        first, second = rng.choice(classes, 2, replace=False)
    else:
        upper = np.triu_indices(len(classes), 1)
        drawn = rng.choice(len(upper[0]), p=_shares(weights[np.ix_(classes, classes)][upper]))
        first, second = rng.permutation([classes[upper[0][drawn]], classes[upper[1][drawn]]])
    return int(first), int(second)


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights as probabilities; all alike where none is above 0."""
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(weights), 1 / len(weights))


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
