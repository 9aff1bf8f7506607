from __future__ import annotations

from functools import partial
from pathlib import Path

import faiss
import numpy as np
import pytest

from galleries.errors import GalleryError
from galleries.index import VectorIndex
from galleries.kinds import KINDS
from galleries.native import list_count
from galleries.rows import read_rows
from galleries.vectors import METRICS

RNG = np.random.default_rng(3)
MANY = RNG.standard_normal((900, 16)).astype(np.float32)
QUERIES = RNG.standard_normal((25, 16)).astype(np.float32)


def numbers(count: int, first: int = 0, step: int = 1) -> np.ndarray:
    return np.arange(first, first + count * step, step, dtype=np.int64)


def reopened(index: VectorIndex) -> VectorIndex:
    """The index as it comes back from its files."""
    apart = index.vectors_content()
    rows = None if apart is None else partial(read_rows, apart.whole())
    return VectorIndex.from_bytes(index.to_bytes(), metric=index.metric, kind=index.kind, vectors=rows)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_add_and_remove_equal_a_fresh_build(metric: str, kind: str) -> None:
    index = VectorIndex.build(MANY[:300], numbers(300), metric=metric, kind=kind)
    index.search(MANY[:3], 2)  # so that something is remembered that changes
    index.add(MANY[300:], numbers(600, 300))
    index.search(MANY[:3], 2)
    gone = np.arange(0, 900, 7)
    index.remove(gone)
    kept = np.setdiff1d(np.arange(900), gone)
    assert np.array_equal(index.numbers, kept)
    fresh = VectorIndex.build(MANY[kept], kept, metric=metric, kind=kind)
    assert np.array_equal(index.vectors(), fresh.vectors())
    everything = index.search(QUERIES, len(kept))
    assert np.array_equal(everything[1], fresh.search(QUERIES, len(kept))[1])
    again = reopened(index)
    assert np.array_equal(again.numbers, kept)
    assert np.array_equal(again.vectors(), fresh.vectors())


def test_an_ivf_that_outgrows_its_lists_is_clustered_anew() -> None:
    index = VectorIndex.build(MANY[:100], numbers(100), kind="ivf")
    index.add(MANY[100:], numbers(800, 100))
    fresh = VectorIndex.build(MANY, numbers(900), kind="ivf")
    assert np.array_equal(index.search(QUERIES, 3)[1], fresh.search(QUERIES, 3)[1])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])  # a product quantiser's own order is only roughly right
def test_plain_faiss_reads_it_and_answers_the_same(metric: str, kind: str, tmp_path: Path) -> None:
    index = VectorIndex.build(MANY, numbers(900, 1000, 2), metric=metric, kind=kind)
    path = tmp_path / "index.faiss"
    path.write_bytes(index.to_bytes())
    plain = faiss.read_index(str(path))
    queries = QUERIES.copy()
    if metric == "cosine":
        faiss.normalize_L2(queries)
    found = plain.search(queries, 13)[1]  # as many candidates as search() looks at
    assert np.array_equal(found[:, :5], index.numbers[index.search(QUERIES, 5)[1]])


def test_lists_suit_the_number_of_vectors(capfd: pytest.CaptureFixture[str]) -> None:
    assert [list_count(n) for n in (1, 38, 78, 28709, 10**6)] == [1, 1, 2, 678, 4000]
    VectorIndex.build(MANY[:3], numbers(3), kind="ivf")
    VectorIndex.build(MANY, numbers(900), kind="ivf")
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_of_another_index_are_refused(kind: str) -> None:
    data = {other: VectorIndex.build(MANY[:90], numbers(90), kind=other).to_bytes() for other in KINDS}
    for other in set(KINDS) - {kind}:
        with pytest.raises(GalleryError, match=f"cannot be read as a {kind} index"):
            VectorIndex.from_bytes(data[other], metric="cosine", kind=kind)
    with pytest.raises(GalleryError, match="not the euclidean index"):
        VectorIndex.from_bytes(data[kind], metric="euclidean", kind=kind)
    with pytest.raises(GalleryError, match="cannot be read"):
        VectorIndex.from_bytes(b"IxM2 but nothing else", metric="cosine", kind=kind)
