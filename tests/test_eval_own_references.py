from __future__ import annotations

from typing import Optional

import numpy as np
import pytest

from eval.own_references import WEIGHTS, own_references
from galleries.errors import ConfigError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 12)
NAMES = ("anger", "fear", "sadness")


def people(first: int, count: int, each: int = 6) -> tuple[np.ndarray, list[str], list[Optional[str]]]:
    """People who show emotions in their own ways: the emotion, plus what the person makes of it."""
    vectors, truth, subjects = [], [], []
    for person in range(first, first + count):
        rng = np.random.default_rng(person)
        own_way = rng.normal(0, 0.6, (3, 12))
        for label, name in enumerate(NAMES):
            vectors.append(np.eye(3, 12)[label] + own_way[label] + rng.normal(0, 0.4, (each, 12)))
            truth += [name] * each
            subjects += [f"S{person}"] * each
    return np.concatenate(vectors).astype(np.float32), truth, subjects


def load() -> Gallery:
    vectors, truth, subjects = people(0, 20)
    return Gallery.build(
        vectors, truth, tower=CARD, subjects=subjects, thumbnails=np.zeros((len(truth), 2, 2), np.uint8)
    )


def test_own_references_help_and_nearer_ones_more() -> None:
    told: list[tuple[int, int]] = []
    found = own_references(load, *people(20, 8), 2, progress=lambda done, total: told.append((done, total)))
    assert found is not None
    assert (found.people, found.faces, found.shots) == (8, 8 * 3 * 4, 2)
    by_weight = dict(found.by_weight)
    assert tuple(by_weight) == WEIGHTS
    assert by_weight[2.0] > by_weight[1.0] > found.without
    assert told[-1] == (8, 8)
    assert own_references(load, *people(20, 8), 2) == found
    assert found.to_json()["by_weight"][0] == [1.0, by_weight[1.0]]


def test_against_a_gallery_built_with_them() -> None:
    """One person with one face an emotion beyond the references: the same as building the gallery with these."""
    vectors, truth, subjects = people(30, 1, 3)
    found = own_references(load, vectors, truth, subjects, 2, seed=4)
    assert found is not None
    rng, own = np.random.default_rng(4), []
    for label in range(3):
        own += rng.permutation(np.arange(label * 3, label * 3 + 3))[:2].tolist()
    others = sorted(set(range(9)) - set(own))
    general, names, who = people(0, 20)
    whole = Gallery.build(
        np.concatenate([general, vectors[own]]),
        names + [truth[row] for row in own],
        tower=CARD,
        subjects=who + ["S30"] * 6,
    )
    for weight, accuracy in found.by_weight:
        said = whole.predict(vectors[others], subject="S30", personal_weight=weight)
        assert accuracy == pytest.approx(np.mean([a == truth[row] for a, row in zip(said, others)]))
    plain = load().predict(vectors[others])
    assert found.without == pytest.approx(np.mean([a == truth[row] for a, row in zip(plain, others)]))


def test_references_of_one_emotion_alone() -> None:
    found = own_references(load, *people(20, 4), 3, of_one=True)
    assert found is not None
    assert (found.of_one, found.faces) == (True, 4 * (18 - 3))


def test_people_who_cannot_be_asked_about() -> None:
    vectors, truth, subjects = people(0, 3)
    assert own_references(load, vectors, truth, subjects, 1) is None, "the gallery knows them"
    assert own_references(load, vectors, truth, [None] * len(truth), 1) is None
    vectors, truth, subjects = people(20, 2, 1)
    assert own_references(load, vectors, truth, subjects, 1) is None, "no face is left to be asked about"
    with pytest.raises(ConfigError, match="from 1"):
        own_references(load, vectors, truth, subjects, 0)
