"""Galleries of other sizes: what they are made of, that recall is what it says, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from eval.gallery_sizes import check_sizes, repeat, time_sizes
from galleries.errors import ConfigError

REAL = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)


def test_repeated_vectors_stay_near_real_ones() -> None:
    made = repeat(REAL, 200, np.random.default_rng(1))
    assert (made.shape, made.dtype) == ((200, 8), np.float32)
    gaps = np.linalg.norm(made[:, None] - REAL[None], axis=2)
    own = np.linalg.norm(REAL[:, None] - REAL[None], axis=2)
    np.fill_diagonal(own, np.inf)
    usual = np.median(own.min(axis=1))
    assert 0.3 * usual < np.median(gaps.min(axis=1)) < 0.6 * usual
    assert len(set(gaps[:60].argmin(axis=1).tolist())) > 50, "every real vector takes its turn"
    assert len(np.unique(made, axis=0)) == 200
    assert np.array_equal(made, repeat(REAL, 200, np.random.default_rng(1)))


@pytest.mark.parametrize("real", [REAL[:1], np.zeros((5, 8), np.float32)], ids=["one", "copies"])
def test_few_or_equal_vectors_are_repeated_too(real: np.ndarray) -> None:
    made = repeat(real, 20, np.random.default_rng(1))
    assert np.isfinite(made).all()
    assert len(np.unique(made, axis=0)) == 20


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_sizes(metric: str) -> None:
    told = []
    found = time_sizes(REAL, metric, (50, 3000), seconds=0.02, progress=told.append)
    assert [(one.size, one.kind) for one in found] == [(n, k) for n in (50, 3000) for k in ("flat", "ivf", "hnsw")]
    assert told == [f"{n} vectors, {k}" for n in ("50", "3,000") for k in ("flat", "ivf", "hnsw")]
    for one in found:
        assert one.recall == 1 if one.kind == "flat" else 0.3 < one.recall <= 1
        assert one.ratios[0] <= one.ratio <= one.ratios[1]
        assert min(one.build, one.batch, one.bare, one.single.p50) > 0


def test_a_search_that_is_wrong_shows_in_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    from galleries.index import VectorIndex

    real = VectorIndex.search

    def worse(self: VectorIndex, queries: np.ndarray, k: int) -> object:
        distances, indices = real(self, queries, k)
        if self.kind == "hnsw":
            indices = np.concatenate([indices[:, : k - 2], np.full((len(indices), 2), -7)], axis=1)
        return distances, indices

    monkeypatch.setattr(VectorIndex, "search", worse)
    flat, hnsw = time_sizes(REAL, "cosine", (50,), ("flat", "hnsw"), seconds=0.02)
    assert (flat.recall, hnsw.recall) == (1.0, pytest.approx(0.6))


def test_what_is_refused() -> None:
    for size in (9, 0, -1, 10_000_001):
        with pytest.raises(ConfigError, match="give 10 to 10,000,000"):
            time_sizes(REAL, "cosine", (size,))
    with pytest.raises(ConfigError, match=r"1,000,000 vectors needs about 3.8 GiB here, and 1.0 GiB"):
        check_sizes((1000, 1_000_000), 128, 1 << 30)
    check_sizes((1_000_000,), 128, None)
    check_sizes((1_000_000,), 128, 8 << 30)
