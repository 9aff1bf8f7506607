from __future__ import annotations

from typing import List

import numpy as np
import pytest
from made_galleries import WIDE as CARD
from made_galleries import scattered

from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.separation import left_out_answers, separation


@pytest.mark.parametrize("k", [1, 5])
def test_against_a_gallery_without_the_one_asked_about(k: int) -> None:
    gallery = scattered()
    answers = left_out_answers(gallery, np.arange(len(gallery)), k)
    expected: List[str] = []
    for own, number in enumerate(gallery.numbers):
        rest = scattered()
        rest.remove([int(number)])
        expected += rest.predict(gallery.vectors[own : own + 1], k)
    assert [gallery.emotions[answer] for answer in answers] == expected


def test_an_emotion_s_own_references_are_counted() -> None:
    gallery = scattered()
    whole = left_out_answers(gallery, np.arange(len(gallery)))
    for label, emotion in enumerate(gallery.emotions):
        found = separation(gallery, emotion)
        own = gallery.labels == label
        assert found.references == own.sum()
        assert found.right == (whole[own] == label).sum()
        assert sum(count for _, count in found.collisions) == found.references - found.right
        counts = [count for _, count in found.collisions]
        assert counts == sorted(counts, reverse=True)
        assert found.people == 3
        assert found.to_json()["accuracy"] == found.right / found.references


def test_what_to_be_careful_about_is_said() -> None:
    rng = np.random.default_rng(1)
    vectors = np.concatenate([np.eye(1, 6).repeat(20, 0), np.eye(1, 6).repeat(3, 0)]) + rng.normal(0, 0.01, (23, 6))
    names = ["neutral"] * 20 + ["boredom"] * 3
    gallery = Gallery.build(vectors.astype(np.float32), names, tower=CARD, subjects=[None] * 20 + ["Ana"] * 3)
    told = " ".join(separation(gallery, "boredom").warnings())
    assert "only 3 references" in told
    assert "show one person" in told
    assert "3 of 3 references would be called something else, neutral (3)" in told
    assert separation(gallery, "neutral").warnings() == []


def test_what_cannot_be_asked() -> None:
    with pytest.raises(GalleryError, match="holds no joy; it holds anger, fear, sadness"):
        separation(scattered(), "joy")
    with pytest.raises(GalleryError, match="one reference"):
        separation(Gallery.build(np.ones((1, 6), np.float32), ["fear"], tower=CARD), "fear")


def test_many_copies_are_no_trouble() -> None:
    gallery = Gallery.build(np.ones((30, 6), np.float32), ["fear", "anger"] * 15, tower=CARD)
    assert separation(gallery, "fear", 3).references == 15
