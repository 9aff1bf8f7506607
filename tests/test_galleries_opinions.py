"""References that vote for several emotions: against slow sums, through every change, to the disk and back, damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_galleries import AXES, CARD, same, scattered, small

from galleries.condensing import sound_references
from galleries.errors import DataError, GalleryError
from galleries.gallery import Gallery
from galleries.hygiene import check_gallery
from galleries.layout import decode_references, encode_references
from galleries.opinions import Opinions, checked_votes, votes_of
from galleries.separation import left_out_answers

EMOTIONS = ("anger", "boredom", "fear")
VOTES: List[Optional[Dict[str, float]]] = [
    {"anger": 0.6, "fear": 0.4},
    None,
    {"Miedo": 3, "boredom": 1},
    None,
    {"surprise": 1.0},
    {"fear": 0.5, "surprise": 0.25, "anger": 0.25},
]
SHARES = np.array([[0.6, 0, 0.4], [1, 0, 0], [0, 0.25, 0.75], [0, 0, 1], [0, 1, 0], [1 / 3, 0, 2 / 3]])
"""What they come to in a gallery of anger, boredom and fear: surprise is nobody's emotion there."""


def divided(**options: Any) -> Gallery:
    return small(votes=VOTES, **options)


def slow_scores(gallery: Gallery, query: np.ndarray, k: int) -> List[float]:
    """The vote by its definition: near references, each with its shares."""
    distances, places = gallery.kneighbors(query[None], k)
    mean = float(distances.mean())
    scores = dict.fromkeys(gallery.emotions, 0.0)
    for far, place in zip(distances[0].tolist(), places[0].tolist()):
        weight = 1 / (far + 0.1 * mean)
        known = gallery.references[place]
        cast = {name: share for name, share in (known.votes or {}).items() if name in scores} or {known.label: 1.0}
        for name, share in cast.items():
            scores[name] += weight * share / sum(cast.values())
    total = sum(scores.values())
    return [score / total for score in scores.values()]


def test_shares_are_of_the_emotions_that_are_there() -> None:
    gallery = divided()
    assert gallery.emotions == EMOTIONS
    np.testing.assert_allclose(gallery.shares, SHARES, atol=1e-6)
    assert gallery.references[2].votes == {"fear": 0.75, "boredom": 0.25}
    assert gallery.references[1].votes is None
    assert gallery.info()["divided"] == 4
    assert small().shares is None
    assert "divided" not in small().info()


@pytest.mark.parametrize("k", [1, 3, 6])
def test_the_vote_is_the_weighted_mean_of_shares(k: int) -> None:
    gallery = divided()
    queries = np.random.default_rng(k).random((8, 4)).astype(np.float32)
    expected = np.array([slow_scores(gallery, query, k) for query in queries])
    np.testing.assert_allclose(gallery.predict_proba(queries, k), expected, atol=1e-6)
    together = gallery.classify(queries, k)
    for query, row, said in zip(queries, expected, together):
        alone = gallery.classify(query[None], k)[0]
        assert alone.to_json() == said.to_json()
        assert list(alone.scores.values()) == pytest.approx(row.tolist(), abs=1e-6)
        assert alone.emotion == EMOTIONS[int(row.argmax())] == gallery.predict(query[None], k)[0]
    seen = {near.source: near.votes for said in gallery.classify(queries, 6) for near in said.neighbours}
    assert seen["reference:0"] == {"anger": 0.6, "fear": 0.4}
    assert seen["reference:3"] is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4))
def test_a_column_keeps_its_rows(seed: int, size: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    names = ["anger", "fear", "sadness", "surprise"]
    votes: List[Optional[Dict[str, float]]] = [
        None if rng.random() < 0.3 else {name: float(share) for name, share in zip(names, rng.dirichlet(np.ones(4)))}
        for _ in range(size)
    ]
    known = checked_votes(votes, size)
    whole = Opinions.of(known)
    parts = Opinions.of(known[:cut]).joined(Opinions.of(known[cut:]))
    labels = rng.integers(0, 4, size)
    for column in (whole, parts, whole.take(np.arange(size))):
        assert len(column) == size
        assert column.count == sum(cast is not None for cast in known)
        shares = column.shares(names, labels)
        for row, cast, label in zip(shares, known, labels):
            expected = [float(name == names[label]) if cast is None else cast.get(name, 0.0) for name in names]
            np.testing.assert_allclose(row, np.array(expected) / sum(expected), atol=1e-6)
    assert whole.without(np.arange(size)).each() == [None] * size


def test_votes_stay_with_their_references() -> None:
    gallery = divided()
    gallery.remove([1])
    assert [known.votes for known in gallery.references] == [
        small(votes=VOTES).references[i].votes for i in (0, 2, 3, 4, 5)
    ]
    gallery.relabel([0], "fear")
    assert gallery.references[0].votes is None
    gallery.add(AXES[:2], ["surprise", "anger"], votes=[{"surprise": 0.5, "anger": 0.5}, None])
    assert gallery.emotions == ("anger", "boredom", "fear", "surprise")
    assert gallery.shares is not None
    np.testing.assert_allclose(gallery.shares[3], [0, 0, 0, 1])  # its surprise counts now
    np.testing.assert_allclose(gallery.shares[-2:], [[0.5, 0, 0, 0.5], [1, 0, 0, 0]])
    other = small(sources=[f"other {i}" for i in range(6)])
    other.merge(divided())
    assert [known.votes for known in other.references][6:] == [known.votes for known in divided().references]
    seen = divided().with_vectors(AXES[::-1].copy(), CARD)
    assert [known.votes for known in seen.references] == [known.votes for known in divided().references]


def test_to_the_disk_and_back(tmp_path: Path) -> None:
    gallery = divided()
    gallery.save(tmp_path / "g")
    assert json.loads((tmp_path / "g" / "gallery.json").read_text())["version"] == 5
    back = Gallery.load(tmp_path / "g")
    assert same(back, gallery)
    queries = np.random.default_rng(0).random((5, 4)).astype(np.float32)
    assert np.array_equal(back.predict_proba(queries, 3), gallery.predict_proba(queries, 3))
    small().save(tmp_path / "plain")
    assert json.loads((tmp_path / "plain" / "gallery.json").read_text())["version"] == 2
    assert "votes" not in (tmp_path / "plain" / "references.jsonl").read_text()


@pytest.mark.parametrize(
    "cast", [{}, {"fear": 0}, {"fear": -1}, {"fear": True}, {"fear": "1"}, {"fear": 1e400}, [1], 3, "x"]
)
def test_what_is_no_vote_is_refused(cast: Any) -> None:
    with pytest.raises(GalleryError, match=r"Reference 1 votes for .*such as fear: 0\.6"):
        small(votes=[None, cast, None, None, None, None])


@pytest.mark.parametrize("cast", ["3", "{}", '{"fear": -1}', '{"fear": "much"}', '{"!": 1}', "[0.5]", '{"fear": NaN}'])
def test_wrong_votes_in_a_file_are_refused(cast: str) -> None:
    lines = encode_references(divided().references, np.arange(6)).whole().splitlines()
    assert [known.votes for known in decode_references(b"\n".join(lines), np.arange(6))] == [
        known.votes for known in divided().references
    ]
    lines[0] = lines[0][: lines[0].index(b'"votes"')] + f'"votes": {cast}}}'.encode()
    with pytest.raises(GalleryError, match=r"references\.jsonl is not a list of references"):
        decode_references(b"\n".join(lines), np.arange(6))


def test_wrong_columns_and_names_are_refused() -> None:
    with pytest.raises(GalleryError, match="2 votes were given for 6 vectors"):
        small(votes=[None, None])
    with pytest.raises(DataError):
        small(votes=[{"!": 1.0}] * 6)


def test_rows_of_shares_become_votes() -> None:
    votes = votes_of(("anger", "fear", "joy"), np.array([[0.7, 0.297, 0.003], [0, 1, 0]]))
    assert votes == [{"anger": 0.7021, "fear": 0.2979}, {"fear": 1.0}]
    gallery = Gallery.build(AXES[:2], ["anger", "fear"], tower=CARD, votes=votes)
    assert gallery.info()["divided"] == 1


def test_votes_change_what_a_gallery_says_of_itself() -> None:
    """A reference whose neighbours are called its emotion but vote for another is seen by every leave-one-out."""
    plain = scattered()
    other = {"anger": "fear", "fear": "sadness", "sadness": "anger"}
    names = [known.label for known in plain.references]
    turned = Gallery.build(plain.vectors, names, tower=plain.tower, votes=[{other[name]: 1.0} for name in names])
    everyone = np.arange(len(plain))
    was, now = left_out_answers(plain, everyone), left_out_answers(turned, everyone)
    assert [turned.emotions[label] for label in now] == [other[plain.emotions[label]] for label in was]
    assert check_gallery(turned).agreement < 0.5 < check_gallery(plain).agreement
    assert sound_references(turned).mean() < 0.5 < sound_references(plain).mean()
