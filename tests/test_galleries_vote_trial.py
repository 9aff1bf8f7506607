"""Ways of voting tried on a gallery's own references, against asking one after the other."""

from __future__ import annotations

from typing import List, Optional

import numpy as np
import pytest

from galleries.errors import ConfigError, GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard
from galleries.vote_trial import try_votes
from galleries.voting import WAYS

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 3)
NAMES = ("anger", "fear", "sadness")


def made(subjects: Optional[List[str]] = None, films: Optional[List[str]] = None, size: int = 40) -> Gallery:
    rng = np.random.default_rng(1)
    labels = rng.choice(3, size, p=[0.6, 0.3, 0.1])
    vectors = (np.eye(3)[labels] + rng.normal(0, 0.6, (size, 3))).astype(np.float32)
    return Gallery.build(vectors, [NAMES[n] for n in labels], tower=CARD, subjects=subjects, sequences=films)


@pytest.mark.parametrize("by", ["person", "film", "reference"])
def test_each_is_asked_without_its_own_group(by: str) -> None:
    names = [f"S{n}" for n in np.random.default_rng(2).integers(0, 6, 40)]
    gallery = made(names if by == "person" else None, names if by == "film" else None)
    found = try_votes(gallery, 3)
    assert (found.left_out, found.n_neighbors, found.asked) == (by, 3, 40)
    groups = list(range(40)) if by == "reference" else names
    truth = np.array([reference.label for reference in gallery.references])
    for way in WAYS:
        said = []
        for row in range(40):
            rest = [i for i in range(40) if groups[i] != groups[row]]
            other = Gallery.build(gallery.vectors[rest], truth[rest].tolist(), tower=CARD)
            said += other.predict(gallery.vectors[[row]], 3, way)
        right = np.array(said) == truth
        assert found.accuracy[way] == right.mean()
        assert found.recalls[way] == {name: right[truth == name].mean() for name in NAMES}
        assert found.balanced[way] == pytest.approx(np.mean([right[truth == name].mean() for name in NAMES]))
    assert found.balanced[found.best] == max(found.balanced.values())
    assert found.to_json()["best"] == found.best


def test_those_whose_emotion_has_no_others_are_not_asked() -> None:
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2, 2]]
    gallery = Gallery.build(vectors, [NAMES[n] for n in (0, 0, 1, 1, 2, 2)], tower=CARD, subjects=list("ABABCC"))
    found = try_votes(gallery, 3)
    assert found.asked == 4  # the third emotion is one person's
    assert found.accuracy["mean"] == 1.0
    assert try_votes(gallery, 500).n_neighbors == 6


def test_many_are_drawn() -> None:
    gallery = made(size=6000)
    found = try_votes(gallery, 3)
    assert found.asked == 5000
    assert found == try_votes(gallery, 3)
    assert found.accuracy != try_votes(gallery, 3, seed=1).accuracy


def test_what_cannot_be_tried() -> None:
    one = Gallery.build(np.eye(3, dtype=np.float32), ["anger"] * 3, tower=CARD)
    with pytest.raises(GalleryError, match="add references of more people"):
        try_votes(one)
    alone = Gallery.build(np.eye(3, dtype=np.float32), list(NAMES), tower=CARD)
    with pytest.raises(GalleryError, match="add references of more people"):
        try_votes(alone)
    with pytest.raises(ConfigError, match="0 neighbours"):
        try_votes(made(), 0)
