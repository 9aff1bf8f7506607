"""What FAISS is brought to do: dead vectors in a graph, samples to train on, streams, and what plain FAISS answers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, List

import faiss
import numpy as np
import pytest

from galleries import native
from galleries.content import Pieces
from galleries.errors import GalleryError
from galleries.index import VectorIndex
from galleries.native import code_bytes, list_count, training_sample
from galleries.rows import Rows, read_rows

RNG = np.random.default_rng(11)
MANY = RNG.standard_normal((2600, 12)).astype(np.float32)
QUERIES = RNG.standard_normal((30, 12)).astype(np.float32)


def plain(index: VectorIndex, path: Path) -> faiss.Index:
    path.write_bytes(index.to_bytes())
    return faiss.read_index(str(path))


@pytest.fixture(scope="module")
def graph() -> bytes:
    return VectorIndex.build(MANY, np.arange(2600), metric="euclidean", kind="hnsw").to_bytes()


def read(data: bytes) -> VectorIndex:
    return VectorIndex.from_bytes(data, metric="euclidean", kind="hnsw")


def test_a_graph_answers_without_its_dead(graph: bytes, tmp_path: Path) -> None:
    index = read(graph)
    near = index.search(QUERIES, 9)[1]
    gone = np.unique(near[:, :5])  # the nearest of every query
    index.remove(gone)
    assert index.dead == len(gone) > 100
    assert len(index) == len(index.numbers) == 2600 - len(gone)
    assert index.dim == 12
    assert np.array_equal(index.vectors(), MANY[index.numbers])
    distances, found = index.search(QUERIES, 9)
    assert not np.isin(index.numbers[found], gone).any()
    assert np.allclose(distances, np.linalg.norm(MANY[index.numbers[found]] - QUERIES[:, None], axis=2), atol=1e-5)
    answers = plain(index, tmp_path / "index.faiss").search(QUERIES, 20)[1]
    assert (answers[:, :5] == -1).any(), "plain FAISS says none for the dead"
    assert not np.isin(answers, gone).any()


def test_a_graph_with_dead_is_added_to_saved_and_read(graph: bytes) -> None:
    index = read(graph)
    index.remove(np.arange(0, 2600, 9))
    index.add(MANY[:40] + 5, np.arange(2600, 2640))
    index.remove(np.array([1, 5]))
    dead = len(range(0, 2600, 9)) + 2
    assert index.dead == dead
    again = read(index.to_bytes())
    assert (again.dead, len(again)) == (dead, 2640 - dead)
    for one in (index, again):
        assert np.array_equal(one.numbers, index.numbers)
        assert np.array_equal(one.vectors(), np.concatenate([MANY, MANY[:40] + 5])[index.numbers])
        distances, found = one.search(MANY[:40] + 5, 1)
        assert (distances == 0).all()
        assert one.numbers[found[:, 0]].tolist() == list(range(2600, 2640))


def test_a_graph_more_than_a_quarter_dead_is_built_anew(graph: bytes) -> None:
    index = read(graph)
    index.remove(np.arange(650))
    assert index.dead == 650
    index.remove(np.arange(1))
    assert (index.dead, len(index)) == (0, 1949)
    assert np.array_equal(index.vectors(), MANY[651:])
    index.remove(np.arange(3))  # small by now
    assert (index.dead, len(index)) == (0, 1946)


def test_dead_at_the_border_never_leave_a_search_short(graph: bytes) -> None:
    index = read(graph)
    near = np.argsort(np.linalg.norm(MANY - QUERIES[0], axis=1))
    index.remove(near[:600])  # all that the walk ends among
    for k in (1, 5, 40):
        distances, found = index.search(QUERIES[:1], k)
        assert np.isfinite(distances).all()
        assert len(set(found[0].tolist())) == k
    assert index.numbers[index.search(QUERIES[:1], 5)[1][0]].tolist() == near[600:605].tolist()


def test_numbers_that_do_not_rise_are_refused(graph: bytes) -> None:
    native = faiss.deserialize_index(np.frombuffer(graph, np.uint8))
    ids = faiss.rev_swig_ptr(native.id_map.data(), 2600)
    ids[7] = 3
    with pytest.raises(GalleryError, match=r"gallery\.json describes"):
        read(faiss.serialize_index(native).tobytes())


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivfpq"])
def test_pieces_are_what_faiss_writes_in_one(kind: str) -> None:
    index = VectorIndex.build(MANY[:300], np.arange(300), kind=kind)
    whole = faiss.serialize_index(index._native.index).tobytes()
    pieces: List[int] = []
    Pieces(index._native.write).write(lambda piece: pieces.append(len(piece)))
    assert index.to_bytes() == whole
    assert sum(pieces) == len(whole)
    with pytest.raises(GalleryError, match="cannot be read"):
        VectorIndex.from_bytes(whole[:-7], metric="cosine", kind=kind)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_plain_faiss_opens_a_product_quantiser(metric: str, tmp_path: Path) -> None:
    index = VectorIndex.build(MANY, np.arange(100, 2700), metric=metric, kind="ivfpq")
    bare = plain(index, tmp_path / "index.faiss")
    assert isinstance(bare, faiss.IndexIVFPQ)
    assert bare.ntotal == 2600
    assert (bare.pq.M, bare.code_size) == (3, 3)
    exact = VectorIndex.build(MANY, np.arange(100, 2700), metric=metric)
    truth = exact.numbers[exact.search(QUERIES, 5)[1]]
    queries = QUERIES / np.linalg.norm(QUERIES, axis=1, keepdims=True) if metric == "cosine" else QUERIES
    rough = bare.search(np.ascontiguousarray(queries), 5)[1]
    own = index.numbers[index.search(QUERIES, 5)[1]]

    def recall(found: np.ndarray) -> float:
        return float(np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found.tolist(), truth.tolist())]))

    assert set(rough.ravel().tolist()) <= set(index.numbers.tolist())
    assert recall(own) > recall(rough), "candidates are put in order by their own vectors"
    assert recall(own) > 0.5


@pytest.mark.parametrize("kind", ["ivf", "ivfpq"])
def test_an_index_that_says_it_is_not_trained_is_refused(kind: str, tmp_path: Path) -> None:
    """FAISS would read it, and raise when it is asked."""
    native = plain(VectorIndex.build(MANY[:300], np.arange(300), kind=kind), tmp_path / "index.faiss")
    native.is_trained = False
    data = faiss.serialize_index(native).tobytes()
    with pytest.raises(GalleryError, match="cannot be read"):
        VectorIndex.from_bytes(data, metric="cosine", kind=kind)


def test_an_ivfpq_without_its_vectors_is_refused() -> None:
    data = VectorIndex.build(MANY[:50], np.arange(50), kind="ivfpq").to_bytes()
    with pytest.raises(GalleryError, match=r"vectors\.npy is missing"):
        VectorIndex.from_bytes(data, metric="cosine", kind="ivfpq")


def test_an_ivf_of_before_takes_its_vectors_from_faiss() -> None:
    index = VectorIndex.build(MANY[:300], np.arange(300), kind="ivf")
    apart = index.vectors_content()
    assert apart is not None
    old = VectorIndex.from_bytes(index.to_bytes(), metric="cosine", kind="ivf")
    new = VectorIndex.from_bytes(
        index.to_bytes(), metric="cosine", kind="ivf", vectors=partial(read_rows, apart.whole())
    )
    assert np.array_equal(old.vectors(), index.vectors())
    assert np.array_equal(new.vectors(), index.vectors())
    assert np.array_equal(old.search(QUERIES, 7)[1], new.search(QUERIES, 7)[1])


@pytest.mark.parametrize("size", [1, 2, 5, 255, 257])
@pytest.mark.parametrize("dim", [1, 4, 7, 12])
def test_few_vectors_of_any_length_make_a_quantiser(size: int, dim: int, capfd: pytest.CaptureFixture[str]) -> None:
    vectors = RNG.standard_normal((size, dim)).astype(np.float32) + 3
    for metric in ("cosine", "euclidean"):
        index = VectorIndex.build(vectors, np.arange(size), metric=metric, kind="ivfpq")
        distances, found = index.search(vectors[:3], 1)
        assert (distances == 0).all()
        if metric == "euclidean":
            assert found[:, 0].tolist() == list(range(min(3, size)))
    assert capfd.readouterr() == ("", "")


def test_a_sample_is_spread_and_bounded() -> None:
    assert [code_bytes(dim) for dim in (128, 6, 7, 1, 12)] == [32, 2, 7, 1, 3]
    assert np.array_equal(training_sample(Rows(MANY), list_count(2600), 1), MANY)
    few = training_sample(Rows(MANY[:10]), 1, 256)
    assert len(few) == 256
    assert np.array_equal(np.unique(few, axis=0), np.unique(MANY[:10], axis=0))
    steady = np.arange(1_000_000, dtype=np.float32)[:, None]
    sample = training_sample(Rows(steady), list_count(10**6), 256)[:, 0]
    assert len(sample) == 156_000
    assert set(np.diff(sample).tolist()) == {6.0, 7.0}
    assert sample[-1] > 999_990


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf"])
def test_few_queries_are_searched_for_by_one_thread(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    index = VectorIndex.build(MANY, np.arange(2600), metric="euclidean", kind=kind)
    before = faiss.omp_get_max_threads()
    asked: List[int] = []
    faiss.omp_set_num_threads(2)
    try:
        monkeypatch.setattr(native, "_ALONE", 0)
        parallel = index.search(QUERIES, 5)
        monkeypatch.undo()
        search = native.Native._nearest

        def watched(self: native.Native, *arguments: Any) -> Any:
            asked.append(faiss.omp_get_max_threads())
            return search(self, *arguments)

        monkeypatch.setattr(native.Native, "_nearest", watched)
        alone = index.search(QUERIES, 5)
        assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(before)
    assert set(asked) == {1}
    for one, other in zip(parallel, alone):
        assert np.array_equal(one, other)
