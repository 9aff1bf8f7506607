from __future__ import annotations

from typing import List, Optional

import numpy as np
import pytest

from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.identity import predict_without, probe_identity, probe_own_person
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 12)
NAMES = ("anger", "fear", "sadness")


def scene(person: float, films: bool = False, size: int = 180) -> Gallery:
    """Vectors of an emotion plus so much of the person: three emotions, six people."""
    rng = np.random.default_rng(0)
    emotion, who = np.arange(size) % 3, (np.arange(size) // 3) % 6
    vectors = np.eye(3, 12)[emotion] + person * np.eye(6, 12, 4)[who] + rng.normal(0, 0.15, (size, 12))
    return Gallery.build(
        vectors.astype(np.float32),
        [NAMES[e] for e in emotion],
        tower=CARD,
        subjects=[f"S{w}" for w in who],
        sequences=[f"S{w}-{i // 36}" for i, w in enumerate(who)] if films else None,
    )


def test_people_are_recovered_where_vectors_tell_them_apart() -> None:
    told, silent = probe_identity(scene(1.0)), probe_identity(scene(0.0))
    assert told is not None
    assert silent is not None
    assert told.recovered > 0.95
    assert silent.recovered < 0.3
    assert silent.chance == pytest.approx(29 / 179)
    assert (told.people, told.references) == (6, 180)
    assert told.same_emotion is not None


@pytest.mark.parametrize("films", [True, False])
def test_against_plain_loops(films: bool) -> None:
    gallery = scene(0.3, films, 60)
    found = probe_identity(gallery)
    vectors, known = gallery.vectors.astype(np.float64), gallery.references
    hits: List[bool] = []
    within: List[bool] = []
    for own, reference in enumerate(known):
        for same_emotion, out in ((False, hits), (True, within)):
            others = [
                i
                for i, other in enumerate(known)
                if i != own
                and (not films or other.sequence != reference.sequence)
                and (not same_emotion or other.label == reference.label)
            ]
            if any(known[i].subject == reference.subject for i in others):
                nearest = min(others, key=lambda i: float(np.linalg.norm(vectors[i] - vectors[own])))
                out.append(known[nearest].subject == reference.subject)
    assert found is not None
    assert found.recovered == pytest.approx(np.mean(hits))
    assert found.same_emotion == pytest.approx(np.mean(within))


def test_nothing_can_be_said_of_unknown_or_single_people() -> None:
    vectors = np.eye(6, 12, dtype=np.float32)
    unknown: List[List[Optional[str]]] = [[None] * 6, ["A"] * 6, list("ABCDEF")]
    for subjects in unknown:
        assert probe_identity(Gallery.build(vectors, ["fear"] * 6, tower=CARD, subjects=subjects)) is None


def test_votes_of_other_people_against_a_gallery_without_the_person() -> None:
    gallery = scene(0.8)
    rng = np.random.default_rng(3)
    queries = gallery.vectors[rng.permutation(180)[:40]]
    people: List[Optional[str]] = [f"S{i}" for i in rng.integers(0, 6, 40)]
    people[5] = None
    said = predict_without(gallery, queries, people, 7)
    for query, person, answer in zip(queries, people, said):
        rest = scene(0.8)
        if person is not None:
            rest.remove([int(n) for n, r in zip(rest.numbers, rest.references) if r.subject == person])
        assert rest.predict(query[None], 7) == [answer]


def test_each_query_gets_the_same_answer_alone_and_among_others() -> None:
    """One whose person owns nearly all of the gallery does not take voters from the others."""
    vectors = np.random.default_rng(1).normal(size=(20, 12)).astype(np.float32)
    people = ["A"] * 17 + ["B", "C", "D"]
    gallery = Gallery.build(vectors, ["fear", "anger"] * 10, tower=CARD, subjects=people)
    together = predict_without(gallery, vectors, people, 7)
    assert together == [predict_without(gallery, vectors[i : i + 1], [people[i]], 7)[0] for i in range(20)]
    rest = Gallery.build(vectors, ["fear", "anger"] * 10, tower=CARD, subjects=people)
    rest.remove(range(17))
    assert together[0] == rest.predict(vectors[:1], 3)[0]


@pytest.mark.parametrize("k", [1, 7])
def test_what_knowing_the_person_is_worth_against_galleries_without_them(k: int) -> None:
    gallery, right, without = scene(0.8, size=60), 0, 0
    found = probe_own_person(gallery, k)
    for number, known in zip(gallery.numbers.tolist(), gallery.references):
        query = gallery.vectors[number : number + 1]
        own = [n for n, other in zip(gallery.numbers.tolist(), gallery.references) if other.subject == known.subject]
        for gone in ([number], own):
            rest = scene(0.8, size=60)
            rest.remove(gone)
            is_right = rest.predict(query, k) == [known.label]
            right, without = (right + is_right, without) if gone == [number] else (right, without + is_right)
    assert found is not None
    assert (found.references, found.people, found.n_neighbors) == (60, 6, k)
    assert (found.accuracy, found.accuracy_without) == pytest.approx((right / 60, without / 60))
    assert found.to_json()["people"] == 6


def test_people_that_are_not_named_do_not_count() -> None:
    vectors = np.eye(6, 12, dtype=np.float32)
    unknown: List[List[Optional[str]]] = [[None] * 6, ["A"] * 6, ["A", None, None, "A", None, None]]
    for subjects in unknown:
        assert probe_own_person(Gallery.build(vectors, ["fear"] * 6, tower=CARD, subjects=subjects)) is None
    some = probe_own_person(Gallery.build(vectors, ["fear"] * 6, tower=CARD, subjects=["A", "B", *[None] * 4]))
    assert some is not None
    assert (some.references, some.people, some.accuracy_without) == (2, 2, 1.0)


def test_a_person_alone_in_the_gallery() -> None:
    gallery = Gallery.build(np.eye(4, 12, dtype=np.float32), ["fear"] * 4, tower=CARD, subjects=["A"] * 4)
    with pytest.raises(GalleryError, match="person asked about alone"):
        predict_without(gallery, gallery.vectors, ["A"] * 4)
    with pytest.raises(GalleryError, match="give one for each"):
        predict_without(gallery, gallery.vectors, ["A"])
