from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese.one_vs_rest import (
    balanced_accuracy,
    majority_share,
    multi_class_accuracy,
    one_vs_rest_counts,
    one_vs_rest_floor,
    one_vs_rest_mean,
)

CONFUSION = np.array([[5, 2, 1], [0, 6, 0], [3, 1, 2]])


def slow_counts(confusion: np.ndarray) -> list[list[int]]:
    """Every picture as a pair of true emotion and answer, counted one by one."""
    pictures = [(t, a) for t, row in enumerate(confusion) for a, count in enumerate(row) for _ in range(count)]
    return [
        [
            sum(t == own and a == own for t, a in pictures),
            sum(t != own and a != own for t, a in pictures),
            sum(t != own and a == own for t, a in pictures),
            sum(t == own and a != own for t, a in pictures),
        ]
        for own in range(len(confusion))
    ]


def test_a_table_worked_by_hand() -> None:
    assert one_vs_rest_counts(CONFUSION).tolist() == [[5, 9, 3, 3], [6, 11, 3, 0], [2, 13, 1, 4]]
    assert multi_class_accuracy(CONFUSION) == 13 / 20
    assert balanced_accuracy(CONFUSION) == pytest.approx((5 / 8 + 1 + 2 / 6) / 3)
    assert majority_share(CONFUSION) == 8 / 20
    assert one_vs_rest_mean(CONFUSION) == pytest.approx((14 + 17 + 15) / 60)


@given(st.integers(2, 5), st.randoms(use_true_random=False))
def test_counts_against_one_picture_at_a_time(size: int, random: object) -> None:
    rng = np.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    confusion = rng.integers(0, 6, (size, size))
    confusion[0, 0] += 1
    counts = one_vs_rest_counts(confusion)
    assert counts.tolist() == slow_counts(confusion)
    assert (counts.sum(axis=1) == confusion.sum()).all()
    shown = confusion.sum(axis=1) > 0
    recalls = [row[own] / row.sum() for own, row in enumerate(confusion) if shown[own]]
    assert balanced_accuracy(confusion) == pytest.approx(sum(recalls) / len(recalls))
    assert majority_share(confusion) == max(row.sum() for row in confusion) / confusion.sum()
    wrong = 1 - multi_class_accuracy(confusion)
    assert one_vs_rest_mean(confusion) == pytest.approx(1 - 2 * wrong / size)


def test_never_saying_yes_reaches_the_floor() -> None:
    """With five emotions 80 %, of which the paper's 85.93 % is little above."""
    assert one_vs_rest_floor(5) == 0.8
    mute = np.zeros((5, 6), np.int64)  # a sixth answer: none of the five
    mute[:, 5] = 40
    negatives = [(mute.sum() - mute[own].sum()) / mute.sum() for own in range(5)]
    assert np.mean(negatives) == pytest.approx(one_vs_rest_floor(5))


def test_the_papers_first_network() -> None:
    """Its published counts give its published mean."""
    table = np.array([[10, 158, 6, 35], [36, 169, 0, 4], [27, 156, 12, 14], [24, 165, 5, 15], [12, 141, 28, 28]])
    assert (table.sum(axis=1) == 209).all()
    assert table[:, :2].sum() / table.sum() == pytest.approx(0.8593, abs=5e-5)
    recall = table[:, 0] / (table[:, 0] + table[:, 3])
    assert table[:, 0].sum() / (table[:, 0] + table[:, 3]).sum() == pytest.approx(0.532, abs=5e-4)
    assert recall.min() < 0.25


def test_nothing_counted_is_nothing_right() -> None:
    assert multi_class_accuracy(np.zeros((3, 3), np.int64)) == 0
    assert one_vs_rest_mean(np.zeros((3, 3), np.int64)) == 0
