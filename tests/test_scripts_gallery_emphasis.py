"""When means come to vote, and when references count as nearer instead."""

from __future__ import annotations

import numpy as np

from emotions_cli.gallery_emphasis import emphasise_rare, let_means_vote
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 2)
BEFORE = ("anger", "fear")


def made(centres: dict[str, list[tuple[float, float]]], rare: int = 3) -> Gallery:
    """Clouds around the centres of each emotion, of 60 references, and few of boredom."""
    rng = np.random.default_rng(0)
    vectors, names = [], []
    for name, places in centres.items():
        count = rare if name == "boredom" else 60
        vectors.append(rng.normal(0, 0.3, (count, 2)) + np.resize(np.array(places), (count, 2)))
        names += [name] * count
    return Gallery.build(np.concatenate(vectors).astype(np.float32), names, tower=CARD, metric="euclidean")


def test_means_vote_where_they_are_right() -> None:
    gallery = made({"anger": [(0, 0)], "fear": [(4, 0)], "boredom": [(2, 2)]})
    assert let_means_vote(gallery, ["boredom"], BEFORE, 5)
    assert gallery.weights == "mean"
    assert not let_means_vote(gallery, ["boredom"], BEFORE, 5)  # they do already


def test_means_do_not_vote_where_an_emotion_has_several_faces() -> None:
    """Anger left and right of fear: their means are one place, their neighbours are not."""
    gallery = made({"anger": [(-4, 0), (4, 0)], "fear": [(0, 0)], "boredom": [(0, 4)]})
    assert not let_means_vote(gallery, ["boredom"], BEFORE, 5)
    assert gallery.weights == "distance"
    (fitted,) = emphasise_rare(gallery, ["boredom"], BEFORE, 5, None)
    assert gallery.emphasis == {"boredom": fitted.factor}


def test_means_do_not_vote_where_nothing_is_rare_new_or_to_be_tried() -> None:
    many = made({"anger": [(0, 0)], "fear": [(4, 0)], "boredom": [(2, 2)]}, 40)
    assert not let_means_vote(many, ["boredom"], BEFORE, 5)
    known = made({"anger": [(0, 0)], "fear": [(4, 0)], "boredom": [(2, 2)]})
    assert not let_means_vote(known, ["boredom"], (*BEFORE, "boredom"), 5)
    known.emphasise("boredom", 2.0)
    assert not let_means_vote(known, ["boredom"], BEFORE, 5)
    alone = Gallery.build(
        np.eye(2, dtype=np.float32)[[0] * 9 + [1]],
        ["anger"] * 9 + ["boredom"],
        tower=CARD,
        subjects=["Ana"] * 10,
    )
    assert not let_means_vote(alone, ["boredom"], ("anger",), 1)
