from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.errors import ConfigError
from siamese.sampling import SAMPLERS, epoch_batches

LABELS = st.lists(st.integers(0, 4), min_size=4, max_size=60).filter(lambda x: len(set(x)) > 1)


def plan(sampler: str, labels: np.ndarray, size: int, seed: int = 0, p: int | None = None) -> list[np.ndarray]:
    return epoch_batches(sampler, labels, size, np.random.default_rng(seed), p)


@given(LABELS, st.integers(2, 20), st.integers(0, 99))
def test_a_shuffled_epoch_shows_every_picture_once(labels: list[int], size: int, seed: int) -> None:
    batches = plan("shuffle", np.array(labels), size, seed)
    shown = np.concatenate(batches)
    left_out = len(labels) % size == 1
    assert len(shown) == len(labels) - left_out
    assert len(np.unique(shown)) == len(shown)
    assert all(len(batch) == size for batch in batches[:-1])
    assert len(batches[-1]) > 1


@settings(max_examples=60)
@given(LABELS, st.integers(1, 5), st.integers(2, 6), st.integers(0, 9))
def test_a_pk_batch_holds_p_emotions_k_times(labels: list[int], p: int, k: int, seed: int) -> None:
    column = np.array(labels)
    p = min(p, len(set(labels)))
    for batch in plan("pk", column, p * k, seed, p):
        emotions, counts = np.unique(column[batch], return_counts=True)
        assert len(emotions) == p
        assert (counts == k).all()
        for emotion in emotions:
            own = batch[column[batch] == emotion]
            assert len(np.unique(own)) == min(k, (column == emotion).sum())


def test_a_pk_batch_that_does_not_divide_is_filled_evenly() -> None:
    labels = np.arange(40) % 3
    for batch in plan("pk", labels, 8):
        counts = np.bincount(labels[batch])
        assert len(batch) == 8
        assert sorted(counts.tolist()) == [2, 3, 3]


@pytest.mark.parametrize("sampler", ["pk", "pairs"])
def test_pictures_of_an_emotion_are_seen_equally_often(sampler: str) -> None:
    labels = np.array([0] * 30 + [1] * 7 + [2] * 3)
    seen = np.bincount(np.concatenate(plan(sampler, labels, 8)), minlength=len(labels))
    assert seen.sum() == 40
    for emotion in range(3):
        own = seen[labels == emotion]
        assert own.max() - own.min() <= 1


def test_emotions_are_all_dealt_when_p_is_smaller() -> None:
    labels = np.arange(200) % 5
    chosen = [frozenset(labels[batch]) for batch in plan("pk", labels, 8, 3, 2)]
    assert all(len(pair) == 2 for pair in chosen)
    assert set().union(*chosen) == set(range(5))
    assert len(set(chosen)) > 4


@settings(max_examples=60)
@given(LABELS, st.integers(2, 21), st.integers(0, 9))
def test_half_of_the_pairs_show_one_emotion(labels: list[int], size: int, seed: int) -> None:
    column = np.array(labels)
    for batch in plan("pairs", column, size, seed):
        first, second = batch[0::2], batch[1::2]
        alike = column[first] == column[second]
        assert len(first) == len(second) == size // 2
        assert alike.sum() == (size // 2 + 1) // 2
        for one, other in zip(first[alike], second[alike]):
            assert one != other or (column == column[one]).sum() == 1


def test_rare_emotions_stand_in_as_many_pairs() -> None:
    labels = np.array([0] * 900 + [1] * 50 + [2] * 50)
    counts = np.bincount(labels[np.concatenate(plan("pairs", labels, 100))])
    assert counts.min() > 0.25 * counts.sum()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_seed_decides(sampler: str) -> None:
    labels = np.arange(50) % 4
    one, same, other = (plan(sampler, labels, 8, seed) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(one, same))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other))
    assert len(one) == {"shuffle": 7, "pk": 6, "pairs": 6}[sampler]
    assert all(batch.dtype == np.int64 for batch in one)


def test_batches_that_cannot_be_made() -> None:
    labels = np.arange(20) % 4
    with pytest.raises(ConfigError, match="4 emotions x 2"):
        plan("pk", labels, 7)
    with pytest.raises(ConfigError, match="2 or more"):
        plan("shuffle", labels, 1)
    with pytest.raises(ConfigError, match="'pairs'"):
        plan("pair", labels, 8)


def test_pairs_of_two_emotions_follow_their_weights() -> None:
    labels = np.repeat([0, 1, 2], 50)
    weights = np.array([[0, 0.7, 0.2], [0.7, 0, 0.1], [0.2, 0.1, 0]])
    batches = epoch_batches("pairs", labels, 600, np.random.default_rng(0), pair_weights=lambda _: weights)
    drawn = labels[np.concatenate(batches)].reshape(-1, 2)
    assert (drawn[::2, 0] == drawn[::2, 1]).all()  # every second pair shows one emotion
    counts: dict[tuple[int, int], int] = {}
    for first, second in np.sort(drawn[1::2], axis=1).tolist():
        counts[first, second] = counts.get((first, second), 0) + 1
    many = epoch_batches("pairs", np.tile(labels, 40), 600, np.random.default_rng(1), pair_weights=lambda _: weights)
    mixed = np.sort(np.tile(labels, 40)[np.concatenate(many)].reshape(-1, 2)[1::2], axis=1)
    shares = {(a, b): ((mixed == (a, b)).all(axis=1)).mean() for a, b in ((0, 1), (0, 2), (1, 2))}
    assert set(counts) <= set(shares)
    assert shares[0, 1] == pytest.approx(0.7, abs=0.03)
    assert shares[0, 2] == pytest.approx(0.2, abs=0.03)
    assert shares[1, 2] == pytest.approx(0.1, abs=0.03)


def test_weights_may_change_within_an_epoch() -> None:
    labels = np.repeat([0, 1, 2], 400)
    early = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 0]])
    late = np.array([[0.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    plan = epoch_batches(
        "pairs", labels, 40, np.random.default_rng(0), pair_weights=lambda done: early if done < 0.5 else late
    )
    for place, batch in enumerate(plan):
        pairs = np.sort(labels[batch].reshape(-1, 2)[1::2], axis=1)
        assert (pairs == ([0, 1] if place < len(plan) / 2 else [1, 2])).all()


def test_a_pk_batch_holds_related_emotions() -> None:
    labels = np.repeat(np.arange(4), 100)
    weights = np.zeros((4, 4))
    weights[0, 1] = weights[1, 0] = weights[2, 3] = weights[3, 2] = 1.0
    plan = epoch_batches("pk", labels, 20, np.random.default_rng(0), 2, lambda _: weights)
    met = {tuple(np.unique(labels[batch]).tolist()) for batch in plan}
    assert met == {(0, 1), (2, 3)}


def test_a_shuffled_epoch_has_no_order_of_pairs() -> None:
    with pytest.raises(ConfigError, match="'shuffle' has no order of pairs"):
        epoch_batches("shuffle", np.array([0, 1]), 2, np.random.default_rng(0), pair_weights=lambda _: np.ones((2, 2)))
