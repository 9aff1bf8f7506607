"""Leaving a class out, and choosing the number of neighbours, against the plain way to do it."""

from __future__ import annotations

import numpy as np
import pytest

from eval.intervals import Bootstrap
from eval.neighbor_sweep import sweep_neighbors
from eval.open_set import open_set
from eval.without_class import study_without
from galleries.errors import DataError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

NAMES = np.array(["anger", "fear", "neutral", "sadness"])
CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 4)


def scene() -> tuple[Gallery, np.ndarray, list[str]]:
    rng = np.random.default_rng(2)
    centres = rng.normal(size=(4, 4))
    labels = rng.integers(0, 4, 400)
    vectors = (centres[labels] + rng.normal(0, 0.8, (400, 4))).astype(np.float32)
    names = NAMES[labels].tolist()
    return Gallery.build(vectors[:250], names[:250], tower=CARD), vectors[250:], names[250:]


def test_without_a_class_is_a_gallery_that_never_had_it() -> None:
    gallery, vectors, truth = scene()
    found = study_without(gallery, vectors, truth, ["Neutral"], 7, Bootstrap.draw(len(truth)))
    rest = Gallery.build(gallery.vectors, [r.label for r in gallery.references], tower=CARD)
    rest.remove([i for i, reference in enumerate(rest.references) if reference.label == "neutral"])
    kept = [place for place, emotion in enumerate(truth) if emotion != "neutral"]
    said = rest.predict(vectors[kept], 7)
    assert found.without.accuracy == np.mean([said[i] == truth[place] for i, place in enumerate(kept)])
    whole = gallery.predict(vectors, 7)
    assert found.with_them.accuracy == np.mean([a == b for a, b in zip(whole, truth)])
    assert found.same_queries.accuracy == np.mean([whole[place] == truth[place] for place in kept])
    assert found.without.chance == pytest.approx(1 / 3)
    low, high = found.same_change
    assert low <= found.without.accuracy - found.same_queries.accuracy <= high
    plain = found.to_json()
    assert {row["emotion"] for row in plain["classes"]} == {"anger", "fear", "sadness"}
    for row in plain["classes"]:
        assert row["change_95"][0] <= row["change"] <= row["change_95"][1]


@pytest.mark.parametrize("left_out", [["joy"], ["anger", "fear", "neutral"]])
def test_what_cannot_be_left_out(left_out: list[str]) -> None:
    gallery, vectors, truth = scene()
    with pytest.raises(DataError, match="was to be left out of a gallery of"):
        study_without(gallery, vectors, truth, left_out, 3, Bootstrap.draw(len(truth)))


@pytest.mark.parametrize("weights", ["distance", "majority"])
def test_the_sweep_asks_as_the_gallery_would(weights: str) -> None:
    gallery, vectors, truth = scene()
    found = sweep_neighbors(gallery, vectors, truth, weights)
    assert found.tried == tuple(range(1, 52, 2))
    for k in (1, 9, 51):
        said = gallery.predict(vectors, k, weights)
        assert found.accuracies[found.tried.index(k)] == np.mean([a == b for a, b in zip(said, truth)])
    assert found.best == max(found.accuracies)
    assert all(accuracy < found.best for k, accuracy in zip(found.tried, found.accuracies) if k < found.chosen)
    assert found.to_json()["chosen"] == found.chosen


def test_a_small_gallery_and_no_validation() -> None:
    gallery = Gallery.build(np.eye(4, dtype=np.float32), NAMES.tolist(), tower=CARD)
    assert sweep_neighbors(gallery, np.eye(4, dtype=np.float32), NAMES.tolist()).tried == (1, 3)
    with pytest.raises(DataError, match="No validation picture"):
        sweep_neighbors(gallery, np.zeros((0, 4), np.float32), [])


def test_without_an_emotion_its_share_of_a_vote_goes_to_the_others() -> None:
    names = ["anger", "boredom", "fear"]
    cast = [None, None, {"fear": 0.4, "boredom": 0.6}]
    gallery = Gallery.build(np.eye(3, 4, dtype=np.float32), names, tower=CARD, votes=cast)
    queries, truth = np.eye(3, 4, dtype=np.float32), ["anger", "boredom", "fear"]
    assert gallery.predict(queries, 1) == ["anger", "boredom", "boredom"]
    told = open_set(gallery, queries, truth, ["boredom"], n_neighbors=1)
    assert told.accuracy == 1.0  # the third gives all to fear once boredom is out
    study = study_without(gallery, queries, truth, ["boredom"], 1, Bootstrap.draw(3))
    assert (study.with_them.accuracy, study.without.accuracy) == (pytest.approx(2 / 3), 1.0)


def test_where_means_vote_a_class_left_out_is_one_that_never_was() -> None:
    gallery, vectors, truth = scene()
    votes = [None if place % 3 else {"fear": 0.5, "neutral": 0.3, "sadness": 0.2} for place in range(len(gallery))]
    names = [reference.label for reference in gallery.references]
    gallery = Gallery.build(gallery.vectors, names, tower=CARD, votes=votes)
    gallery.emphasise("fear", 2.0)
    gallery.vote_by("mean")
    found = study_without(gallery, vectors, truth, ["neutral"], 7, Bootstrap.draw(len(truth)))
    kept = [place for place, name in enumerate(names) if name != "neutral"]
    rest = Gallery.build(
        gallery.vectors[kept],
        [names[place] for place in kept],
        tower=CARD,
        votes=[None if place % 3 else {"fear": 0.5, "sadness": 0.2} for place in kept],
    )
    asked = [place for place, emotion in enumerate(truth) if emotion != "neutral"]
    said = rest.predict(vectors[asked], weights="mean")
    assert found.without.accuracy == np.mean([said[i] == truth[place] for i, place in enumerate(asked)])
    gallery.emphasise("fear", 1.0)
    whole = gallery.predict(vectors)
    assert found.with_them.accuracy == np.mean([a == b for a, b in zip(whole, truth)])
    unknown = open_set(gallery, vectors, truth, ["neutral"], 7)
    assert unknown.accuracy == found.without.accuracy
