from __future__ import annotations

from typing import List

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.condensing import WAYS, condense, condensed, herding, k_centres, typical
from galleries.errors import ConfigError, GalleryError
from galleries.gallery import Gallery
from galleries.hygiene import Fix, apply_fixes, check_gallery, neighbours_of_each
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 6)
NAMES = ("anger", "fear", "sadness")


def scene(size: int = 240, spread: float = 0.25, seed: int = 0, **columns: object) -> Gallery:
    rng = np.random.default_rng(seed)
    labels = np.arange(size) % 3
    vectors = (np.eye(3, 6)[labels] + rng.normal(0, spread, (size, 6))).astype(np.float32)
    return Gallery.build(vectors, [NAMES[label] for label in labels], tower=CARD, **columns)  # type: ignore[arg-type]


def test_planted_mislabels_come_first() -> None:
    gallery = scene()
    planted = [7, 50, 101, 160, 233]
    for number in planted:
        gallery.relabel([number], NAMES[(number + 1) % 3])
    found = check_gallery(gallery)
    assert {suspect.number for suspect in found.suspects[:5]} == set(planted)
    for suspect in found.suspects[:5]:
        assert suspect.suggested == NAMES[suspect.number % 3]
        assert suspect.emotion == NAMES[(suspect.number + 1) % 3]
        assert len(suspect.neighbours) == 15
        assert suspect.number not in suspect.neighbours
    scores = [suspect.suspicion for suspect in found.suspects]
    assert scores == sorted(scores, reverse=True)
    assert 0.9 < found.agreement < 1


def test_neighbours_against_plain_loops() -> None:
    """Neither a reference nor a copy of it is its own neighbour."""
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(40, 6)).astype(np.float32)
    vectors[30:] = vectors[:10]
    gallery = Gallery.build(vectors, ["fear", "anger"] * 20, tower=CARD)
    distances, found = neighbours_of_each(gallery, 5)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for own in range(40):
        others = [i for i in range(40) if not np.allclose(vectors[i], vectors[own])]
        expected = sorted((1 - float(unit[own] @ unit[i]), i) for i in others)[:5]
        assert distances[own] == pytest.approx([gap for gap, _ in expected], abs=1e-5)
        assert found.shape == (40, 5)
        assert not set(found[own]) & (set(range(40)) - set(others))


def test_however_many_copies_there_are_none_has_a_vote() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(200, 6)).astype(np.float32)
    vectors[80:] = vectors[0]
    gallery = Gallery.build(vectors, ["fear", "anger"] * 100, tower=CARD)
    _, found = neighbours_of_each(gallery, 5)
    copies = [0, *range(80, 200)]
    assert not np.isin(found[copies], copies).any()
    assert (found[copies] == found[0]).all()


def test_a_gallery_of_copies_is_still_answered() -> None:
    gallery = Gallery.build(np.ones((9, 6), np.float32), ["fear", "anger", "anger"] * 3, tower=CARD)
    found = check_gallery(gallery)
    assert found.size == 9
    assert len(found.duplicates) == 1
    assert found.duplicates[0].conflicting
    assert found.imbalance == 2
    with pytest.raises(GalleryError, match="one reference"):
        check_gallery(Gallery.build(np.ones((1, 6), np.float32), ["fear"], tower=CARD))


def test_duplicates_by_vector_and_by_picture() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(10, 6)).astype(np.float32)
    vectors[7] = vectors[2]
    pictures = rng.integers(0, 256, (10, 4, 4)).astype(np.uint8)
    pictures[9] = pictures[4]
    names = ["fear"] * 5 + ["anger"] * 5
    found = check_gallery(Gallery.build(vectors, names, tower=CARD, thumbnails=pictures))
    assert [(group.numbers, group.conflicting) for group in found.duplicates] == [((2, 7), True), ((4, 9), True)]
    assert found.to_json()["duplicates"][0]["conflicting"]


def test_people_who_are_missing_and_emotions_of_one() -> None:
    subjects = [f"S{i % 8}" for i in range(240)]
    labels = [NAMES[i % 3] for i in range(240)]
    for i in range(240):
        if labels[i] == "fear":
            subjects[i] = "S0"
        if labels[i] == "anger" and subjects[i] == "S3":
            subjects[i] = "S4"
    found = check_gallery(scene(subjects=subjects))
    assert found.one_person == ("fear",)
    assert found.missing == (("S3", "anger"),)
    assert check_gallery(scene()).one_person == ()


def test_a_reference_far_from_its_own_is_lonely() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 2
    vectors = (np.eye(2, 6)[labels] * 4 + rng.normal(0, 0.2, (300, 6))).astype(np.float32)
    vectors[10] += np.array([0, 0, 0, 0, 0, 3], np.float32)
    gallery = Gallery.build(vectors, [NAMES[label] for label in labels], tower=CARD, metric="euclidean")
    assert 10 in check_gallery(gallery).lonely
    assert check_gallery(scene(60)).lonely == ()  # too few to say


def test_fixes_are_carried_out_or_nothing_is() -> None:
    gallery = scene(30)
    apply_fixes(gallery, [Fix(3, "relabel", "happy"), Fix(4, "remove"), Fix(5, "relabel", "happy")])
    assert len(gallery) == 29
    assert gallery.labels_of([3, 5]) == ["happiness", "happiness"]
    bad: List[List[Fix]] = [
        [Fix(0, "remove"), Fix(999, "remove")],
        [Fix(0, "remove"), Fix(0, "relabel", "fear")],
        [Fix(0, "remove"), Fix(1, "relabel")],
        [Fix(0, "remove"), Fix(1, "praise")],
        [Fix(int(number), "remove") for number in gallery.numbers],
    ]
    before = gallery.references
    for fixes in bad:
        with pytest.raises(GalleryError):
            apply_fixes(gallery, fixes)
        assert gallery.references == before


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("size", [3, 12, 60, 240])
def test_every_emotion_keeps_its_share(way: str, size: int) -> None:
    gallery = scene()
    kept = condense(gallery, size, way)
    assert len(np.unique(kept)) == len(kept) == size
    labels = gallery.labels_of(kept.tolist())
    assert all(labels.count(name) == size // 3 for name in NAMES)


def test_a_condensed_gallery_votes_nearly_as_well_and_skips_mislabels() -> None:
    gallery = scene(600, 0.35)
    planted = list(range(0, 600, 10))
    for number in planted:
        gallery.relabel([number], NAMES[(number + 1) % 3])
    rng = np.random.default_rng(9)
    truth = np.arange(300) % 3
    queries = (np.eye(3, 6)[truth] + rng.normal(0, 0.35, (300, 6))).astype(np.float32)

    def accuracy(numbers: np.ndarray) -> float:
        small = scene(600, 0.35)
        for number in planted:
            small.relabel([number], NAMES[(number + 1) % 3])
        small.remove(np.setdiff1d(small.numbers, numbers).tolist())
        return float(np.mean([a == NAMES[t] for a, t in zip(small.predict(queries, 5), truth)]))

    kept = condense(gallery, 30)
    assert len(set(kept.tolist()) & set(planted)) <= 2
    assert accuracy(kept) >= accuracy(gallery.numbers) - 0.02
    assert accuracy(condense(gallery, 30, "random", edited=False)) <= accuracy(kept)


def test_typical_references_are_the_nearest_to_the_mean() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(90, 5)).astype(np.float32)
    mean = [sum(float(vector[axis]) for vector in vectors) / 90 for axis in range(5)]
    gaps = [sum((float(vector[axis]) - mean[axis]) ** 2 for axis in range(5)) for vector in vectors]
    assert typical(vectors, 12, rng).tolist() == sorted(range(90), key=gaps.__getitem__)[:12]
    assert typical(np.repeat(vectors[:1], 4, axis=0), 3, rng).tolist() == [0, 1, 2]


def test_typical_references_answer_as_the_nearest_mean() -> None:
    gallery = scene(900, 0.5)
    small = scene(900, 0.5)
    small.remove(np.setdiff1d(gallery.numbers, condense(gallery, 30, "typical", edited=False)).tolist())
    queries = (np.eye(3, 6)[np.arange(300) % 3] + np.random.default_rng(9).normal(0, 0.5, (300, 6))).astype(np.float32)
    means = np.stack([gallery.vectors[gallery.labels == label].mean(axis=0) for label in range(3)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    nearest = [gallery.emotions[label] for label in (queries @ means.T).argmax(axis=1)]
    agreed = np.mean(np.array(small.predict(queries, 5)) == nearest)
    drawn = scene(900, 0.5)
    drawn.remove(np.setdiff1d(gallery.numbers, condense(gallery, 30, "random", edited=False)).tolist())
    assert agreed > 0.92
    assert agreed > np.mean(np.array(drawn.predict(queries, 5)) == nearest) + 0.02


def test_herding_follows_the_mean_and_centres_cover() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(80, 5)).astype(np.float32)
    some = herding(vectors, 8, rng)
    means = [np.linalg.norm(vectors[rng.permutation(80)[:8]].mean(0) - vectors.mean(0)) for _ in range(50)]
    assert np.linalg.norm(vectors[some].mean(0) - vectors.mean(0)) < min(means)
    centres = k_centres(vectors, 8, rng)

    def reach(rows: np.ndarray) -> float:
        return float(np.linalg.norm(vectors[:, None] - vectors[rows][None], axis=2).min(axis=1).max())

    assert reach(centres) < np.quantile([reach(rng.permutation(80)[:8]) for _ in range(50)], 0.2)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.floats(0.05, 0.8))
def test_the_nearest_kept_one_is_right_for_all(seed: int, spread: float) -> None:
    gallery = scene(60, spread, seed)
    kept = condensed(gallery, seed)
    rows = np.flatnonzero(np.isin(gallery.numbers, kept))
    gaps = np.linalg.norm(gallery.vectors[:, None] - gallery.vectors[rows][None], axis=2)
    assert (gallery.labels[rows][gaps.argmin(axis=1)] == gallery.labels).all()
    assert len(condensed(gallery, seed, limit=5)) <= 5


def test_what_cannot_be_condensed() -> None:
    with pytest.raises(GalleryError, match="cannot be condensed to 2; give 3 to 240"):
        condense(scene(), 2)
    with pytest.raises(GalleryError, match="cannot be condensed to 241"):
        condense(scene(), 241)
    with pytest.raises(ConfigError, match="not a known way to condense"):
        condense(scene(), 30, "magic")
