"""Which pictures belong together in a split."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from small_datasets import dataset_of

from siamese.datasets.base import PixelStore
from siamese.grouping import Groups, difference_hashes, group_rows, near_pairs
from siamese.splits import make_split


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=20))
def test_groups_are_connected_components(pairs: list[tuple[int, int]]) -> None:
    groups = Groups(15)
    reach = np.eye(15, dtype=bool)
    for a, b in pairs:
        groups.join(a, b)
        reach[a, b] = reach[b, a] = True
    for _ in range(15):
        reach = reach @ reach
    numbers = groups.numbers()
    assert np.array_equal(numbers[:, None] == numbers, reach)
    assert list(dict.fromkeys(numbers.tolist())) == list(range(len(set(numbers.tolist()))))


def test_near_pairs_equal_counting_bits_one_by_one() -> None:
    hashes = np.random.default_rng(0).random((60, 64)) < 0.5
    hashes[30:] = hashes[:30]
    for row in range(30, 60):
        hashes[row, : row - 30] ^= True
    for most in (0, 3, 12):
        expected = {
            (a, b) for a, b in combinations(range(60), 2) if sum(x != y for x, y in zip(hashes[a], hashes[b])) <= most
        }
        assert set(near_pairs(hashes, most)) == expected
        assert len(expected) >= most + 1


def test_near_copies_stay_together_when_asked() -> None:
    rng = np.random.default_rng(0)
    smooth = [np.kron(rng.integers(20, 200, (6, 6)), np.ones((8, 8))).astype(np.uint8) for _ in range(8)]
    brighter = [np.clip(face.astype(int) + 9, 0, 255).astype(np.uint8)[:, :47] for face in smooth]
    dataset = replace(dataset_of([0, 1] * 8), store=PixelStore.from_images([*smooth, *brighter]))
    assert len(set(group_rows(dataset, "duplicate").tolist())) == 16
    near = group_rows(dataset, "duplicate", near=8)
    assert np.array_equal(near[:8], near[8:])
    assert len(set(near.tolist())) == 8
    cells = difference_hashes(dataset)
    assert cells.shape == (16, 64)
    split = make_split(dataset, "duplicate", near=8)
    assert all({int(row) % 8 for row in a}.isdisjoint({int(row) % 8 for row in b})
               for a, b in combinations(split.parts().values(), 2))  # fmt: skip
