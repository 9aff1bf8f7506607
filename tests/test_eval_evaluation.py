"""A gallery's evaluation: what other people's references say of somebody the gallery knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx_towers import write_tower
from tiny_faces import tiny_dataset, tiny_split

from eval.evaluation import evaluate
from eval.held_out import held_out
from galleries.encoder import OnnxEncoder
from galleries.gallery import Gallery
from siamese.enrolling import enrol

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra [eval])")
K = 3


@pytest.fixture
def encoder(tmp_path: Path) -> OnnxEncoder:
    return OnnxEncoder(write_tower(tmp_path / "tower.onnx"))


def smaller(gallery: Gallery, person: str) -> Gallery:
    """The gallery without a person's references."""
    gone = [n for n, known in zip(gallery.numbers.tolist(), gallery.references) if known.subject == person]
    kept = Gallery.build(
        gallery.vectors,
        [known.label for known in gallery.references],
        tower=gallery.tower,
        subjects=[known.subject for known in gallery.references],
    )
    kept.remove(gone)
    return kept


def test_each_query_is_asked_of_a_gallery_without_its_person(encoder: OnnxEncoder) -> None:
    plain = tiny_dataset()
    split = tiny_split(plain)
    dataset = replace(plain, subjects=tuple(f"S{row % 4}" for row in range(len(plain))))
    gallery = enrol(dataset, split.train, encoder)
    queries = held_out(gallery, encoder, dataset, split.test)
    found = evaluate(gallery, queries, K)
    assert queries.subjects is not None
    said = [
        smaller(gallery, person).predict(queries.vectors[place : place + 1], K)[0]
        for place, person in enumerate(queries.subjects)
    ]
    assert found.by_others is not None
    assert found.by_others.accuracy == np.mean([a == b for a, b in zip(said, queries.truth)])
    assert found.by_others.n == len(split.test)
    assert found.to_json()["knn_by_others"]["accuracy"] == found.by_others.accuracy


@pytest.mark.parametrize("known", ["nobody is named", "strangers", "one person alone"])
def test_without_people_on_both_sides_there_is_no_such_number(encoder: OnnxEncoder, known: str) -> None:
    plain = tiny_dataset()
    split = tiny_split(plain)
    names = {"nobody is named": None, "one person alone": ("S",) * len(plain)}
    strangers = tuple("T" if row in split.test else "S" for row in range(len(plain)))
    dataset = replace(plain, subjects=names.get(known, strangers))
    gallery = enrol(dataset, split.train, encoder)
    found = evaluate(gallery, held_out(gallery, encoder, dataset, split.test), K)
    assert found.by_others is None
    assert found.to_json()["knn_by_others"] is None
