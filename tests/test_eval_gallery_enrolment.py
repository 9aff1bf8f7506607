"""New emotions added to a gallery that stands, episode by episode, against galleries built one by one."""

from __future__ import annotations

import numpy as np
import pytest
from small_pools import NAMES, gaussian

from eval.episodes import draw_episodes
from eval.gallery_enrolment import WAYS, score_enrolled
from galleries.emphasis import fit_emphasis
from galleries.errors import DataError, GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab", InputSpec(8, 8, 1), 6)


def standing(size: int = 90, emotions: int = 3, metric: str = "euclidean") -> Gallery:
    """A gallery of the first emotions, from the same centres as the pool of the same seed."""
    pool, vectors = gaussian(4, 4 * size, 0.8)
    known = np.flatnonzero(pool.labels < emotions)[:size]
    return Gallery.build(
        vectors[known], [NAMES[label] for label in pool.labels[known]], tower=CARD, metric=metric, sources=None
    )


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("n_way", [4, 2])
def test_against_galleries_built_one_by_one(metric: str, n_way: int) -> None:
    gallery = standing(metric=metric)
    pool, vectors = gaussian(4, 160, 0.8, seed=0)
    episodes = draw_episodes(pool, n_way, 3, 5, 12)
    calls: list[tuple[int, int]] = []
    found = score_enrolled(gallery, pool, vectors, episodes, 5, 0.1, lambda done, total: calls.append((done, total)))
    recall: dict[str, list[float]] = {way: [] for way in WAYS}
    known: dict[str, list[float]] = {way: [] for way in ("before", *WAYS)}
    drawn: dict[str, list[float]] = {way: [] for way in WAYS}
    factors = []
    for classes, shots, asked in zip(episodes.classes, episodes.support, episodes.queries):
        if 3 not in classes:
            continue
        place = classes.tolist().index(3)
        fuller = Gallery.build(
            np.concatenate([gallery.vectors, vectors[shots[place]]]),
            [*(known.label for known in gallery.references), *(["sadness"] * 3)],
            tower=CARD,
            metric=metric,
        )
        factor = fit_emphasis(fuller, "sadness", 5, 0.1).factor
        factors.append(factor)
        others = [i for i in range(n_way) if i != place]
        for way, one in (("before", gallery), ("plain", fuller), ("means", fuller), ("emphasised", fuller)):
            if way == "emphasised":
                fuller.emphasise("sadness", factor)
            weights = "mean" if way == "means" else "distance"
            said = [np.array(one.predict(vectors[asked[i]], 5, weights)) for i in range(n_way)]
            known[way].append(np.mean([(said[i] == NAMES[classes[i]]).mean() for i in others]))
            if way != "before":
                recall[way].append((said[place] == "sadness").mean())
                drawn[way].append(np.mean([(said[i] == "sadness").mean() for i in others]))
    assert calls[-1] == (len(factors), len(factors))
    assert found.factor.mean == pytest.approx(np.mean(factors))
    assert found.new == ("sadness",)
    assert (found.n_shot, found.n_references, found.n_neighbors, found.chance) == (3, 90, 5, 0.25)
    assert found.known is not None
    assert found.drawn is not None
    for way in WAYS:
        assert found.recall[way].mean == pytest.approx(np.mean(recall[way]))
        assert found.drawn[way].mean == pytest.approx(np.mean(drawn[way]))
        assert found.recalls["sadness"][way].mean == pytest.approx(np.mean(recall[way]))
    for way, values in known.items():
        assert found.known[way].mean == pytest.approx(np.mean(values))
    # what it is for: the new emotion is heard, and the others pay less than they could
    assert found.recall["emphasised"].mean > found.recall["plain"].mean + 0.2
    assert found.known["emphasised"].mean > found.known["before"].mean - 0.15
    assert len(gallery) == 90
    assert gallery.emphasis == {}
    plain = found.to_json()
    assert plain["new"] == ["sadness"]
    assert plain["recall"]["plain"]["mean"] == found.recall["plain"].mean


def test_an_emotion_with_as_many_references_is_not_emphasised() -> None:
    gallery = standing(12)
    pool, vectors = gaussian(4, 160, 0.8)
    found = score_enrolled(gallery, pool, vectors, draw_episodes(pool, 4, 4, 5, 4))
    assert found.factor.mean == 1
    assert found.recall["plain"] == found.recall["emphasised"]


def test_only_new_emotions() -> None:
    gallery = standing(60, 2)
    pool, vectors = gaussian(4, 160, 0.8)
    taken = np.flatnonzero(pool.labels >= 2)
    pool = type(pool)(taken, pool.labels[taken], np.arange(len(taken)), pool.emotions, pool.unit)
    found = score_enrolled(gallery, pool, vectors[taken], draw_episodes(pool, 2, 3, 5, 4))
    assert found.new == ("fear", "sadness")
    assert found.known is None
    assert found.drawn is None
    assert found.to_json()["known"] is None


def test_nothing_new_or_too_few_references_is_refused() -> None:
    pool, vectors = gaussian(3, 120, 0.8)
    episodes = draw_episodes(pool, 3, 3, 5, 4)
    with pytest.raises(DataError, match="Nothing is new to a gallery of anger, contempt, fear"):
        score_enrolled(standing(), pool, vectors, episodes)
    with pytest.raises(GalleryError):
        score_enrolled(standing(30, 2), pool, vectors, episodes, 1000)
