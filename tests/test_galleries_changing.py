from __future__ import annotations

import numpy as np
import pytest
from made_galleries import AXES, WIDE, full, same, scattered, small

from galleries.errors import EncoderMismatch, GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard


@pytest.mark.parametrize("index", ["flat", "ivf", "hnsw"])
def test_add_remove_relabel(index: str) -> None:
    gallery = small(index=index)
    numbers = gallery.add(np.array([[0, 0.1, 0, 0.9]], np.float32), ["joy"], sources=["new.png"])
    assert numbers.tolist() == [6]
    assert gallery.emotions == ("anger", "boredom", "fear", "happiness")
    assert gallery.predict(AXES[5:], 1) == ["fear"]
    gallery.remove([5, 0])
    assert gallery.numbers.tolist() == [1, 2, 3, 4, 6]
    assert gallery.predict(AXES[5:], 1) == ["happiness"]
    assert gallery.classify(AXES[5:], 1)[0].neighbours[0].source == "new.png"
    gallery.relabel([6], "Triste")
    assert gallery.predict(AXES[5:], 1) == ["sadness"]
    gallery.remove([6])
    assert gallery.emotions == ("anger", "boredom", "fear")
    assert gallery.add(AXES[5:], ["fear"]).tolist() == [7]  # a number is never given twice


def test_refused_changes_change_nothing() -> None:
    gallery = full()
    before = full()
    nan = np.full((1, 4), np.nan, np.float32)
    picture = np.zeros((1, 3, 4), np.uint8)
    for wrong in (
        lambda: gallery.add(nan, ["fear"], thumbnails=picture),
        lambda: gallery.add(AXES[:1], ["fear"]),
        lambda: gallery.add(AXES[:1], ["fear"], thumbnails=np.zeros((1, 4, 4), np.uint8)),
        lambda: gallery.add(AXES[:1], [], thumbnails=picture),
        lambda: gallery.remove([0, 99]),
        lambda: gallery.remove(range(6)),
        lambda: gallery.relabel([99], "fear"),
    ):
        with pytest.raises(GalleryError):
            wrong()
        assert same(gallery, before)
    with pytest.raises(GalleryError, match="keeps none"):
        small().add(AXES[:1], ["fear"], thumbnails=picture)
    with pytest.raises(GalleryError, match="no reference with number 99"):
        gallery.remove([99])


def test_thumbnails_follow_their_references() -> None:
    gallery = full()
    gallery.remove([1])
    gallery.add(AXES[:1], ["fear"], thumbnails=np.full((1, 3, 4), 250, np.uint8))
    assert gallery.thumbnails is not None
    assert gallery.thumbnails[:, 0, 0].tolist() == [0, 24, 36, 48, 60, 250]


def test_merging_adds_what_is_not_there_yet() -> None:
    one, two = scattered(0, 30), scattered(1, 20)
    two_alone = two.vectors
    numbers = one.merge(two)
    assert numbers.tolist() == list(range(30, 50))
    assert np.allclose(one.vectors[30:], two_alone, atol=1e-6)
    assert [known.label for known in one.references[30:]] == [known.label for known in two.references]
    assert one.merge(two).tolist() == []  # nothing twice
    assert len(one) == 50


def test_what_cannot_be_merged() -> None:
    card = TowerCard("o", "cd" * 16, InputSpec(8, 8, 1), 6)
    other = Gallery.build(np.eye(6, dtype=np.float32), ["fear"] * 6, tower=card)
    with pytest.raises(EncoderMismatch, match="'o'"):
        scattered().merge(other)
    far = Gallery.build(np.eye(6, dtype=np.float32), ["fear"] * 6, tower=WIDE, metric="euclidean")
    with pytest.raises(GalleryError, match="these are cosine and euclidean"):
        scattered().merge(far)
    pictures = np.zeros((6, 4, 4), np.uint8)
    seen = Gallery.build(np.eye(6, dtype=np.float32), ["fear"] * 6, tower=WIDE, thumbnails=pictures)
    with pytest.raises(GalleryError, match="this gallery keeps none"):
        scattered().merge(seen)
