from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx_towers import write_tower
from tiny_faces import tiny_dataset, tiny_split

from eval.held_out import answer, held_out
from galleries.encoder import OnnxEncoder
from galleries.errors import DataError
from siamese.datasets.base import PixelStore
from siamese.enrolling import enrol


@pytest.fixture
def encoder(tmp_path: Path) -> OnnxEncoder:
    return OnnxEncoder(write_tower(tmp_path / "tower.onnx"))


def test_what_the_gallery_has_not_seen_is_not_seen(encoder: OnnxEncoder) -> None:
    dataset = tiny_dataset()
    split = tiny_split(dataset)
    gallery = enrol(dataset, split.train, encoder)
    queries = held_out(gallery, encoder, dataset, split.test)
    assert not queries.leaking
    assert queries.people is None
    found = answer(gallery, queries, 3)
    said = gallery.predict(queries.vectors, 3)
    assert found.knn.accuracy == np.mean([a == b for a, b in zip(said, queries.truth)])
    assert found.without_leaks is None


@pytest.mark.parametrize("thumbnails", [True, False])
def test_references_that_are_asked_about_are_found(encoder: OnnxEncoder, thumbnails: bool) -> None:
    dataset = tiny_dataset()
    split = tiny_split(dataset)
    gallery = enrol(dataset, split.train, encoder, thumbnails=thumbnails)
    rows = np.concatenate([split.test, split.train[:4]])
    queries = held_out(gallery, encoder, dataset, rows)
    assert queries.seen.tolist() == [False] * len(split.test) + [True] * 4
    found = answer(gallery, queries, 3)
    assert found.knn.n == len(rows)
    assert found.without_leaks.n == len(split.test)
    assert "4 of 13 pictures asked about stand in the gallery" in queries.sentences()[0]


def test_copies_under_another_name_are_found_by_their_thumbnails(encoder: OnnxEncoder) -> None:
    dataset = tiny_dataset()
    split = tiny_split(dataset)
    renamed = replace(dataset, ids=tuple(f"elsewhere/{face_id}" for face_id in dataset.ids))
    assert held_out(enrol(dataset, split.train, encoder), encoder, renamed, split.train).seen.all()
    blind = enrol(dataset, split.train, encoder, thumbnails=False)
    assert not held_out(blind, encoder, renamed, split.train).seen.any()


def test_people_on_both_sides_are_named(encoder: OnnxEncoder) -> None:
    plain = tiny_dataset()
    split = tiny_split(plain)
    dataset = replace(plain, subjects=tuple(f"S{row % 4}" for row in range(len(plain))))
    gallery = enrol(dataset, split.train, encoder)
    queries = held_out(gallery, encoder, dataset, split.test)
    assert queries.people
    assert queries.leaking
    assert any("stand in the gallery and in the test" in sentence for sentence in queries.sentences())
    assert queries.leaks.all()
    assert not queries.seen.any()
    assert answer(gallery, queries, 3).without_leaks is None
    strangers = replace(plain, subjects=("T",) * len(plain))
    clean = held_out(gallery, encoder, strangers, split.test)
    assert clean.people == ()
    assert not clean.leaking


def test_what_the_tower_has_learned_from_is_known_though_the_gallery_lacks_it(encoder: OnnxEncoder) -> None:
    plain = tiny_dataset()
    split = tiny_split(plain)
    pixels = np.stack([plain.image(row) for row in range(len(plain))])
    pixels[split.test[0]] = pixels[split.train[0]]  # a copy of what only the tower has seen
    dataset = replace(plain, store=PixelStore.from_array(pixels))
    rows = np.concatenate([split.test, split.train[:2]])
    expected = [True] + [False] * (len(split.test) - 1) + [True] * 2
    for thumbnails in (False, True):
        gallery = enrol(dataset, split.train[20:], encoder, thumbnails=thumbnails)
        assert not held_out(gallery, encoder, dataset, rows).leaking
        queries = held_out(gallery, encoder, dataset, rows, learned=(dataset, split.train))
        assert queries.leaks.tolist() == queries.seen.tolist() == expected
        assert "has learned from 3 of the 11 pictures, or from exact copies" in queries.sentences()[-1]
        assert answer(gallery, queries, 3).without_leaks.n == len(split.test) - 1


def test_people_whom_the_tower_has_learned_from_are_known(encoder: OnnxEncoder) -> None:
    plain = tiny_dataset()
    split = tiny_split(plain)
    dataset = replace(plain, subjects=tuple(f"S{row % 7}" for row in range(len(plain))))
    gallery = enrol(plain, split.train, encoder, thumbnails=False)  # names nobody
    queries = held_out(gallery, encoder, dataset, split.test, learned=(dataset, split.train))
    trained = {row % 7 for row in split.train.tolist()}
    assert queries.leaks.tolist() == [row % 7 in trained for row in split.test.tolist()]
    assert "other pictures of the people on" in queries.sentences()[-1]


def test_what_the_gallery_shows_is_not_looked_up_twice(encoder: OnnxEncoder) -> None:
    dataset = tiny_dataset()
    split = tiny_split(dataset)
    gallery = enrol(dataset, split.train, encoder)
    assert held_out(gallery, encoder, dataset, split.test, learned=(dataset, split.train)).learned is None
    assert held_out(gallery, encoder, dataset, split.test, learned=(dataset, split.val)).learned is not None


def test_an_empty_part_is_refused(encoder: OnnxEncoder) -> None:
    dataset = tiny_dataset()
    gallery = enrol(dataset, np.arange(10), encoder)
    with pytest.raises(DataError, match="holds no picture"):
        held_out(gallery, encoder, dataset, np.zeros(0, np.int64))
