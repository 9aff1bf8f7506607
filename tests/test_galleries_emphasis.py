"""Emotions that count as nearer, against slow oracles; kept on the disk, undone, refused where they make no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.calibration import calibrate
from galleries.emphasis import LARGEST, TAKEN, TAKEN_OF_TYPICAL, fit_emphasis, is_rare
from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.header import header_checksum
from galleries.images import InputSpec
from galleries.separation import left_out_answers
from galleries.shipped import open_shipped
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 2)
NAMES = ("anger", "boredom", "fear", "sadness")


def grid(seed: int, size: int, metric: str = "euclidean", index: str = "flat") -> Gallery:
    """Vectors on a coarse grid, so that distances are often equal; every emotion occurs, some references are Ana's."""
    rng = np.random.default_rng(seed)
    labels = [*range(4), *rng.integers(0, 4, size - 4)]
    return Gallery.build(
        rng.integers(1, 5, (size, 2)).astype(np.float32),
        [NAMES[label] for label in labels],
        tower=CARD,
        metric=metric,
        index=index,
        subjects=["Ana", *([None, "Ana", "Ben"][n] for n in rng.integers(0, 3, size - 1))],
    )


def unequal(seed: int = 0, new: int = 3, others: int = 40) -> Gallery:
    """Three clouds of many references, and a fourth of few between them."""
    rng = np.random.default_rng(seed)
    centres = {"anger": (0, 0), "fear": (6, 0), "sadness": (0, 6), "boredom": (3, 3)}
    vectors, names = [], []
    for name, centre in centres.items():
        count = new if name == "boredom" else others
        vectors.append(rng.normal(centre, 1.6, (count, 2)))
        names += [name] * count
    return Gallery.build(np.concatenate(vectors).astype(np.float32), names, tower=CARD, metric="euclidean")


def slowly(
    gallery: Gallery, query: np.ndarray, k: int, factors: Dict[str, float], weight: float = 1.0
) -> Tuple[List[float], List[float], List[int]]:
    """Felt and true distances and places: every reference weighed, those that count as nearer first among equals."""
    distances, places = gallery.kneighbors(query[None], len(gallery), emphasis={})
    rows = []
    for gap, place in zip(distances[0], places[0].tolist()):
        known = gallery.references[place]
        is_own = weight > 1 and known.subject == "Ana"
        factor = np.float32(factors.get(known.label, 1.0)) * np.float32(weight if is_own else 1.0)
        is_louder = is_own or factors.get(known.label, 1.0) > 1
        rows.append((np.float32(gap / factor), not is_own, not is_louder, place, float(gap)))
    rows.sort()
    return [float(row[0]) for row in rows[:k]], [row[4] for row in rows[:k]], [row[3] for row in rows[:k]]


factor = st.sampled_from([1.0, 1.5, 2.0, 7.0])


@settings(max_examples=40)
@given(
    st.integers(0, 10_000),
    st.integers(5, 30),
    st.integers(1, 40),
    factor,
    factor,
    st.sampled_from(["euclidean", "cosine"]),
)
def test_neighbours_against_a_slow_oracle(
    seed: int, size: int, k: int, first: float, second: float, metric: str
) -> None:
    gallery = grid(seed, size, metric)
    factors = {"boredom": first, "fear": second}
    for emotion, value in factors.items():
        gallery.emphasise(emotion, value)
    queries = np.random.default_rng(seed + 1).integers(1, 5, (6, 2)).astype(np.float32)
    k = min(k, size)
    felt, places = gallery.kneighbors(queries, k)
    said = gallery.classify(queries, k)
    alone = [gallery.classify(query[None], k)[0] for query in queries]
    own = gallery.classify(queries, k, subject="Ana", personal_weight=2.0)
    for row, query in enumerate(queries):
        wanted, true, where = slowly(gallery, query, k, factors)
        assert felt[row] == pytest.approx(wanted, abs=1e-6)
        assert places[row].tolist() == where
        # the evidence has the distances as they are, in the order in which they count
        assert [near.distance for near in said[row].neighbours] == pytest.approx(true, abs=1e-5)
        assert [near.number for near in said[row].neighbours] == where
        assert alone[row].scores == pytest.approx(said[row].scores)
        wanted, true, where = slowly(gallery, query, k, factors, 2.0)
        assert [near.distance for near in own[row].neighbours] == pytest.approx(true, abs=1e-5)
        assert [near.number for near in own[row].neighbours] == where
    again = gallery.explain(queries, felt, places)
    assert [entry.scores for entry in again] == [entry.scores for entry in said]
    assert gallery.predict(queries, k) == [entry.emotion for entry in said]


@pytest.mark.parametrize("index", ["flat", "hnsw", "ivf"])
def test_a_factor_of_one_changes_nothing(index: str) -> None:
    gallery = grid(3, 60, index=index)
    queries = np.random.default_rng(0).normal(2, 1, (20, 2)).astype(np.float32)
    before = gallery.classify(queries, 7)
    gallery.emphasise("boredom", 3.0)
    assert [said.to_json() for said in gallery.classify(queries, 7)] != [said.to_json() for said in before]
    gallery.emphasise("boredom", 1.0)
    assert gallery.emphasis == {}
    assert [said.to_json() for said in gallery.classify(queries, 7)] == [said.to_json() for said in before]


def share_taken(gallery: Gallery, emotion: str, factor: float, k: int) -> float:
    """Each reference of the others asked of a gallery that is built without it."""
    names, vectors = [known.label for known in gallery.references], gallery.vectors
    gone = []
    for place, name in enumerate(names):
        if name != emotion:
            rest = Gallery.build(
                np.delete(vectors, place, axis=0), [*names[:place], *names[place + 1 :]], tower=CARD, metric="euclidean"
            )
            for other, value in {**gallery.emphasis, emotion: factor}.items():
                rest.emphasise(other, value)
            gone.append(rest.predict(vectors[place][None], k)[0] == emotion)
    return float(np.mean(gone))


@pytest.mark.parametrize(("seed", "k", "taken"), [(0, 5, 0.1), (1, 5, 0.05), (2, 3, 0.2), (3, 1, 0.1)])
def test_the_factor_is_the_largest_that_takes_no_more(seed: int, k: int, taken: float) -> None:
    gallery = unequal(seed)
    found = fit_emphasis(gallery, "boredom", k, taken)
    assert 1 < found.factor < LARGEST
    assert (found.references, found.asked, found.n_neighbors) == (3, 120, k)
    assert found.taken == pytest.approx(share_taken(gallery, "boredom", found.factor, k))
    assert found.taken <= taken < share_taken(gallery, "boredom", 1.02 * found.factor, k)
    assert gallery.emphasis == {}


def test_less_is_taken_of_typical_references() -> None:
    gallery = unequal()
    usual = fit_emphasis(gallery, "boredom", 5)
    assert usual == fit_emphasis(gallery, "boredom", 5, TAKEN)
    gallery.typical = True
    found = fit_emphasis(gallery, "boredom", 5)
    assert found == fit_emphasis(gallery, "boredom", 5, TAKEN_OF_TYPICAL)
    assert found.factor < usual.factor


def test_what_is_emphasised_already_stays_so_in_a_fit() -> None:
    gallery = unequal()
    gallery.emphasise("fear", 2.0)
    found = fit_emphasis(gallery, "boredom", 5)
    assert found.taken == pytest.approx(share_taken(gallery, "boredom", found.factor, 5))
    gallery.emphasise("boredom", found.factor)
    assert fit_emphasis(gallery, "boredom", 5) == found  # its own factor is not in the way
    assert gallery.emphasis == {"boredom": found.factor, "fear": 2.0}


def test_an_emotion_that_takes_too_much_as_it_is_stays_as_it_is() -> None:
    gallery = unequal(new=80, others=20)
    found = fit_emphasis(gallery, "boredom", 5, 0.02)
    assert found.factor == 1
    assert found.taken == pytest.approx(share_taken(gallery, "boredom", 1.0, 5))
    assert found.taken > 0.02


def test_an_emotion_that_nothing_is_near_to_gets_the_largest_factor() -> None:
    vectors = np.concatenate([np.random.default_rng(0).normal(0, 0.01, (50, 2)), np.full((2, 2), 5.0)])
    gallery = Gallery.build(
        vectors.astype(np.float32), ["anger"] * 25 + ["fear"] * 25 + ["boredom"] * 2, tower=CARD, metric="euclidean"
    )
    assert fit_emphasis(gallery, "boredom", 5) == fit_emphasis(gallery, "boredom", 5)
    assert fit_emphasis(gallery, "boredom", 5).factor == LARGEST


@pytest.mark.parametrize("share", [TAKEN, TAKEN_OF_TYPICAL])
def test_few_of_a_new_emotion_are_heard_in_the_gallery_that_comes_along(share: float) -> None:
    """Real vectors: five references of disgust under another name."""
    gallery = open_shipped().gallery
    numbers = [n for n, known in zip(gallery.numbers.tolist(), gallery.references) if known.label == "disgust"]
    gallery.relabel(numbers[:5], "boredom")
    gallery.remove(numbers[5:])
    assert is_rare(gallery, "boredom")
    assert not is_rare(gallery, "happiness")
    found = fit_emphasis(gallery, "boredom", 5, share)
    assert 1 < found.factor < LARGEST
    one = 1.01 / found.asked
    assert share - max(0.2 * share, one) < found.taken <= share
    everyone = np.arange(len(gallery))
    before = (left_out_answers(gallery, everyone) == gallery.emotions.index("boredom")).sum()
    gallery.emphasise("boredom", found.factor)
    answers = left_out_answers(gallery, everyone) == gallery.emotions.index("boredom")
    is_own = gallery.labels == gallery.emotions.index("boredom")
    assert before < 10
    assert answers[~is_own].sum() == round(found.taken * found.asked)
    assert answers[is_own].sum() == 5


def test_a_decision_hears_it_too() -> None:
    gallery = unequal(new=4)
    rng = np.random.default_rng(5)
    held_out = np.concatenate([rng.normal(c, 1.6, (60, 2)) for c in ((0, 0), (6, 0), (0, 6), (3, 3))])
    truth = [name for name in ("anger", "fear", "sadness", "boredom") for _ in range(60)]
    vectors = held_out.astype(np.float32)
    gallery.emphasise("boredom", fit_emphasis(gallery, "boredom", 5, 0.1).factor)
    gallery.set_calibration(calibrate(gallery, vectors, truth, 0.1))
    named = [name in said.decision.emotions for name, said in zip(truth, gallery.classify(vectors)) if said.decision]
    assert np.mean(named) > 0.89
    middle = np.array([[3.0, 3.0]], np.float32)
    loud = gallery.classify(middle)[0].decision
    gallery.emphasise("boredom", 1.0)
    quiet = gallery.classify(middle)[0].decision
    assert loud is not None
    assert quiet is not None
    assert loud.emotions[0] == "boredom"
    assert "boredom" not in quiet.emotions[:1] or len(quiet.emotions) > len(loud.emotions)


def test_it_is_kept_undone_and_told(tmp_path: Path) -> None:
    gallery = unequal()
    gallery.save(tmp_path / "g")
    assert json.loads((tmp_path / "g/gallery.json").read_text())["version"] == 2
    gallery.emphasise("boredom", 3.5)
    gallery.save(tmp_path / "g")
    header = json.loads((tmp_path / "g/gallery.json").read_text())
    assert header["version"] == 4  # a toolkit that does not know of it would answer otherwise
    assert header["emphasis"] == {"boredom": 3.5}
    read = Gallery.load(tmp_path / "g")
    assert read.emphasis == {"boredom": 3.5}
    assert read.info()["emphasis"] == {"boredom": 3.5}
    queries = np.random.default_rng(0).normal(3, 2, (30, 2)).astype(np.float32)
    assert read.predict(queries) == gallery.predict(queries)
    assert read.log[-1].sentence() == "emphasise boredom (3), 3.5 times nearer"
    assert Gallery.undo(tmp_path / "g").emphasis == {}


def test_it_goes_with_its_emotion() -> None:
    gallery = unequal()
    gallery.emphasise("boredom", 3.5)
    numbers = [n for n, known in zip(gallery.numbers.tolist(), gallery.references) if known.label == "boredom"]
    gallery.remove(numbers[1:])
    assert gallery.emphasis == {"boredom": 3.5}
    gallery.relabel(numbers[:1], "fear")
    assert gallery.emphasis == {}
    gallery.add(np.zeros((1, 2), np.float32), ["boredom"])
    assert gallery.emphasis == {}


@pytest.mark.parametrize(
    "emphasis",
    [*({"boredom": wrong} for wrong in (0.5, 101, "3", None, True)), {"joy": 2.0}, [1], 3, "x"],
)
def test_a_header_with_another_emphasis_is_refused(tmp_path: Path, emphasis: Any) -> None:
    gallery = unequal()
    gallery.emphasise("boredom", 3.5)
    gallery.save(tmp_path / "g")
    header = json.loads((tmp_path / "g/gallery.json").read_text())
    header["emphasis"] = emphasis
    header["checksum"] = header_checksum(header)
    (tmp_path / "g/gallery.json").write_text(json.dumps(header))
    with pytest.raises(GalleryError, match=r"gallery\.json"):
        Gallery.load(tmp_path / "g")


def test_what_makes_no_sense_is_refused_and_changes_nothing() -> None:
    gallery = unequal()
    for emotion, value in (("joy", 2.0), ("boredom", 0.9), ("boredom", float("nan")), ("boredom", 1000.0)):
        with pytest.raises(GalleryError):
            gallery.emphasise(emotion, value)
    assert gallery.emphasis == {}
    for emotion, taken in (("joy", 0.1), ("boredom", 0.0), ("boredom", 1.0), ("boredom", float("nan"))):
        with pytest.raises(GalleryError):
            fit_emphasis(gallery, emotion, 5, taken)
    with pytest.raises(GalleryError, match="0 neighbours are to vote"):
        fit_emphasis(gallery, "boredom", 0)
    many = Gallery.build(np.ones((5002, 2), np.float32), ["fear", *["boredom"] * 5001], tower=CARD, metric="euclidean")
    with pytest.raises(GalleryError, match="boredom has 5001 references"):
        fit_emphasis(many, "boredom", 5)
    alone = Gallery.build(np.ones((3, 2), np.float32), ["anger"] * 3, tower=CARD, metric="euclidean")
    with pytest.raises(GalleryError, match="several"):
        fit_emphasis(alone, "anger", 5)
    assert not is_rare(alone, "anger")
