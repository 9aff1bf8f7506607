"""Every kind of index after random changes, against an oracle that compares everything; and which kind is for whom."""

from __future__ import annotations

from functools import partial
from typing import Dict, List, Tuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries import native
from galleries.index import VectorIndex
from galleries.kinds import CHOICES, KINDS, kind_for
from galleries.rows import read_rows
from galleries.vectors import METRICS


def reopened(index: VectorIndex) -> VectorIndex:
    apart = index.vectors_content()
    rows = None if apart is None else partial(read_rows, apart.whole())
    return VectorIndex.from_bytes(index.to_bytes(), metric=index.metric, kind=index.kind, vectors=rows)


def check(index: VectorIndex, held: Dict[int, np.ndarray], queries: np.ndarray, k: int) -> None:
    """The guarantees: what is held, true distances in order, no one twice, ties by position, and flat is exact."""
    numbers = sorted(held)
    assert index.numbers.tolist() == numbers
    plain = np.array([held[number] for number in numbers])
    if index.metric == "cosine":
        plain = plain / np.linalg.norm(plain, axis=1, keepdims=True)
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    np.testing.assert_allclose(index.vectors(), plain, atol=1e-6)
    gaps = ((queries[:, None].astype(float) - plain[None]) ** 2).sum(-1)
    true = gaps / 2 if index.metric == "cosine" else np.sqrt(gaps)
    k = min(k, len(numbers))
    for asked in (k, len(numbers)):
        distances, found = index.search(queries.astype(np.float32), asked)
        assert distances.shape == found.shape == (len(queries), asked)
        np.testing.assert_allclose(distances, np.take_along_axis(true, found, axis=1), atol=2e-5)
        assert (np.diff(distances, axis=1) >= 0).all()
        assert all(len(set(row)) == asked for row in found.tolist())
        equal = np.diff(distances, axis=1) == 0
        assert (np.diff(found, axis=1)[equal] > 0).all()
        if index.kind == "flat" or asked == len(numbers):
            np.testing.assert_allclose(distances, np.sort(true, axis=1)[:, :asked], atol=2e-5)
    np.testing.assert_allclose(index.exact(queries.astype(np.float32), k), np.sort(true, axis=1)[:, :k], atol=2e-5)
    radius = float(np.median(true[0]))
    near, places = index.within(queries[0], radius)
    assert set(places.tolist()) >= set(np.flatnonzero(true[0] < radius - 1e-4).tolist())
    assert set(places.tolist()) <= set(np.flatnonzero(true[0] < radius + 1e-4).tolist())
    assert (np.diff(near) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "reopen"]), st.integers(1, 40)), max_size=6),
       st.sampled_from(METRICS), st.integers(0, 10_000))  # fmt: skip
@settings(max_examples=12)
def test_after_random_changes_the_guarantees_hold(
    kind: str, steps: List[Tuple[str, int]], metric: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    first = np.round(rng.standard_normal((60, 8)) * 2).astype(np.float32) + 0.25  # coarse, so that there are copies
    held, after = dict(enumerate(first)), 60
    queries = np.concatenate([first[:3], rng.standard_normal((4, 8))]).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_SMALL_GRAPH", 10)  # so that small graphs keep their dead
        index = VectorIndex.build(first, np.arange(60), metric=metric, kind=kind)
        for what, count in steps:
            if what == "add":
                more = np.round(rng.standard_normal((count, 8)) * 2).astype(np.float32) + 0.25
                numbers = np.arange(after, after + count)
                index.add(more, numbers)
                held.update(zip(numbers.tolist(), more))
                after += count
            elif what == "remove":
                places = rng.permutation(len(index))[: min(count, len(index) - 1)]
                for number in index.numbers[places].tolist():
                    del held[number]
                index.remove(places)
            else:
                index = reopened(index)
            check(index, held, queries, 5)
        check(reopened(index), held, queries, 5)


def test_the_kind_follows_the_number() -> None:
    chosen = [kind_for("auto", n) for n in (1, 100_000, 100_001, 300_000, 300_001, 600_001, 10**7)]
    assert chosen == ["flat", "flat", "hnsw", "hnsw", "ivf", "ivfpq", "ivfpq"]
    assert [kind_for(kind, 7) for kind in KINDS] == list(KINDS)
    assert ("auto", *KINDS) == CHOICES
