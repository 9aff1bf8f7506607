from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
import pytest
from conftest import Run
from film_fakes import make_gallery, moving, write_film
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.calibration import calibrate, decisions
from galleries.errors import ConfigError, EncoderMismatch, GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.personal import PERSONAL_WEIGHT
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 2)
NAMES = ("anger", "fear", "sadness")


def grid(seed: int, size: int, metric: str = "euclidean") -> Gallery:
    """Vectors on a coarse grid, so that distances are often equal; three people and some nobody names."""
    rng = np.random.default_rng(seed)
    people = [(None, "Ana", "Ben", "Eva")[n] for n in rng.integers(0, 4, size)]
    people[0] = "Ana"
    return Gallery.build(
        rng.integers(1, 5, (size, 2)).astype(np.float32),
        [NAMES[n] for n in rng.integers(0, 3, size)],
        tower=CARD,
        metric=metric,
        subjects=people,
    )


def slowly(gallery: Gallery, query: np.ndarray, k: int, weight: float) -> Tuple[List[float], List[int]]:
    """Felt distances and places of Ana's nearest: every reference weighed and sorted, own ones first among equals."""
    distances, places = gallery.kneighbors(query[None], len(gallery))
    rows = []
    for gap, place in zip(distances[0], places[0].tolist()):
        is_own = gallery.references[place].subject == "Ana"
        rows.append((np.float32(gap / np.float32(weight)) if is_own else gap, not is_own, place))
    rows.sort()
    return [float(felt) for felt, _, _ in rows[:k]], [place for _, _, place in rows[:k]]


def slow_winner(gallery: Gallery, felt: List[float], places: List[int], weights: str) -> Tuple[str, List[float], float]:
    """The vote of these, the scores, and Ana's share: the rule of ``galleries.voting`` in plain Python."""
    mean = sum(felt) / len(felt)
    voices = [1.0 if weights == "majority" else 1 / (gap / (mean or 1) + 0.1) for gap in felt]
    scores = [sum(v for v, p in zip(voices, places) if gallery.labels[p] == label) for label in range(3)]
    own = sum(v for v, p in zip(voices, places) if gallery.references[p].subject == "Ana") / sum(voices)
    shares = [score / sum(voices) for score in scores[: len(gallery.emotions)]]
    tied = [label for label, share in enumerate(shares) if share >= max(shares) - 1e-9]
    nearest = {label: min(gap for gap, p in zip(felt, places) if gallery.labels[p] == label) for label in tied}
    return gallery.emotions[min(tied, key=lambda label: (nearest[label], label))], shares, own


@settings(max_examples=50)
@given(
    st.integers(0, 10_000),
    st.integers(3, 30),
    st.integers(1, 9),
    st.sampled_from([1.0, 1.5, 2.0, 4.0]),
    st.sampled_from(["distance", "majority"]),
    st.sampled_from(["euclidean", "cosine"]),
)
def test_against_every_reference_weighed_and_sorted(
    seed: int, size: int, k: int, weight: float, weights: str, metric: str
) -> None:
    gallery = grid(seed, size, metric)
    k = min(k, size)
    queries = np.random.default_rng(seed + 1).integers(1, 5, (4, 2)).astype(np.float32)
    said = gallery.classify(queries, k, weights, subject="Ana", personal_weight=weight)
    for query, prediction in zip(queries, said):
        felt, places = slowly(gallery, query, k, weight)
        winner, shares, own = slow_winner(gallery, felt, places, weights)
        assert [neighbour.number for neighbour in prediction.neighbours] == places
        assert prediction.emotion == winner
        assert list(prediction.scores.values()) == pytest.approx(shares)
        told = prediction.personal
        assert told is not None
        assert (told.subject, told.weight) == ("Ana", weight)
        assert told.voters == sum(gallery.references[place].subject == "Ana" for place in places)
        assert told.share == pytest.approx(own)
        usual = gallery.predict(query[None], k, weights)[0]
        assert told.outvoted == (None if usual == winner else usual)
    options = {"subject": "Ana", "personal_weight": weight}
    assert gallery.predict(queries, k, weights, **options) == [prediction.emotion for prediction in said]
    shares = gallery.predict_proba(queries, k, weights, **options)
    assert shares.tolist() == [list(prediction.scores.values()) for prediction in said]


def lines(vectors: List[List[float]], names: List[str], people: List[str]) -> Gallery:
    return Gallery.build(np.array(vectors, np.float32), names, tower=CARD, metric="euclidean", subjects=people)


def test_few_own_references_outvote_nearer_ones_of_others() -> None:
    gallery = lines(
        [[1, 0], [1, 0.1], [1, -0.1], [-1.2, 0], [-1.2, 0.1]],
        ["fear", "fear", "fear", "anger", "anger"],
        ["Ben", "Ben", "Eva", "Ana", "Ana"],
    )
    query = np.zeros((1, 2), np.float32)
    assert gallery.predict(query, 3) == ["fear"]
    (said,) = gallery.classify(query, 3, subject="Ana")
    assert said.emotion == "anger"
    assert said.personal is not None
    assert (said.personal.voters, said.personal.outvoted, said.personal.weight) == (2, "fear", PERSONAL_WEIGHT)
    assert [round(neighbour.distance, 3) for neighbour in said.neighbours] == [1.2, 1.204, 1.0]  # as they are
    assert gallery.predict(query, 3, subject="Ana", personal_weight=1.1) == ["fear"]
    assert json.loads(json.dumps(said.to_json()))["personal"]["outvoted"] == "fear"
    (plain,) = gallery.classify(query, 3)
    assert plain.personal is None


def test_own_references_that_are_far_away_draw_nothing() -> None:
    """Five own pictures of boredom alone do not make everything boredom."""
    near = [[float(n) / 20, 0.0] for n in range(1, 8)]
    far = [[5.0, float(n)] for n in range(5)]
    gallery = lines([*near, *far], ["happiness"] * 7 + ["boredom"] * 5, ["Ben"] * 7 + ["Ana"] * 5)
    (said,) = gallery.classify(np.zeros((1, 2), np.float32), 5, "majority", subject="Ana")
    assert said.emotion == "happiness"
    assert said.personal is not None
    assert (said.personal.voters, said.personal.share, said.personal.outvoted) == (0, 0.0, None)


def test_at_equal_felt_distance_the_own_one_comes_first() -> None:
    gallery = lines([[1, 0], [2, 0]], ["fear", "anger"], ["Ben", "Ana"])
    (said,) = gallery.classify(np.zeros((1, 2), np.float32), 1, subject="Ana", personal_weight=2.0)
    assert said.emotion == "anger"


def test_a_person_who_is_the_whole_gallery_and_changes_of_it() -> None:
    gallery = lines([[1, 0], [0, 2]], ["fear", "anger"], ["Ana", "Ana"])
    query = np.zeros((1, 2), np.float32)
    assert gallery.predict(query, 2, subject="Ana") == gallery.predict(query, 2)
    gallery.add(np.array([[0, 0.1]], np.float32), ["joy"], subjects=["Ana"])
    assert gallery.predict(query, 1, subject="Ana") == ["happiness"]
    assert len(gallery.own_references("Ana").places) == 3


def test_a_personal_vote_has_the_decision_that_the_face_has_without_the_person() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    vectors = (np.eye(3, 2)[labels] + rng.normal(0, 0.3, (300, 2))).astype(np.float32)
    names = [NAMES[label] for label in labels]
    people = [f"S{i % 5}" for i in range(200)]
    gallery = Gallery.build(vectors[:200], names[:200], tower=CARD, metric="euclidean", subjects=people)
    assert gallery.classify(vectors[:3], subject="S1")[0].decision is None  # not calibrated
    gallery.set_calibration(calibrate(gallery, vectors[200:], names[200:], 0.2, 7))
    usual = gallery.classify(vectors[200:], 7)
    personal = gallery.classify(vectors[200:], 7, subject="S1", personal_weight=50.0)
    assert [said.decision for said in personal] == [said.decision for said in usual]
    assert all(said.decision is not None and said.decision.winner == said.emotion for said in usual)
    others = [said for said in personal if said.decision is not None and said.decision.winner != said.emotion]
    assert others
    for said in others:
        assert said.personal is not None
        assert said.decision is not None
        assert said.personal.outvoted == said.decision.winner
        assert said.to_json()["decision"]["winner"] == said.decision.winner


def crowd(rng: np.random.Generator, count: int, each: int) -> Tuple[np.ndarray, np.ndarray]:
    """Faces of people who look unlike: vectors, and labels; of each person ``each`` rows of three emotions."""
    who, labels = np.repeat(np.arange(count), 3 * each), np.tile(np.arange(3), count * each)
    looks = rng.normal(0, 0.8, (count, 6))
    vectors = np.concatenate([np.eye(3)[labels], looks[who]], axis=1) + rng.normal(0, 0.3, (len(who), 9))
    return vectors.astype(np.float32), labels


def test_what_a_calibration_promises_of_people_with_references_of_their_own() -> None:
    """As ``docs/calibration.md`` says: own references of every emotion leave the promise, of one alone break it."""
    names, card = np.array(NAMES), TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 9)
    covered: Dict[str, List[bool]] = {"strangers": [], "of every emotion": [], "of one": [], "of another": []}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        (known, labels), (held, theirs), (faces, truth) = crowd(rng, 30, 5), crowd(rng, 60, 3), crowd(rng, 30, 6)
        gallery = Gallery.build(known, names[labels].tolist(), tower=card, metric="euclidean")
        fitted = calibrate(gallery, held, names[theirs].tolist(), 0.1)
        own = np.arange(len(truth)) % 18 < 9  # three of each emotion
        fear = truth == 1
        for what, added, asked in [
            ("strangers", own & False, ~own),
            ("of every emotion", own, ~own),
            ("of one", own & fear, ~own & fear),
            ("of another", own & fear, ~own & ~fear),
        ]:
            gallery = Gallery.build(
                np.concatenate([known, faces[added]]),
                names[np.concatenate([labels, truth[added]])].tolist(),
                tower=card,
                metric="euclidean",
            )
            gallery.set_calibration(fitted)
            found = decisions(gallery, faces[asked])
            covered[what] += [name in said.emotions for name, said in zip(names[truth[asked]], found)]
    share = {what: float(np.mean(held)) for what, held in covered.items()}
    assert share["strangers"] == pytest.approx(0.9, abs=0.03)
    assert share["of every emotion"] > 0.9
    assert share["of one"] > 0.95
    assert share["of another"] < 0.8


def test_a_film_of_one_person(tmp_path: Path, run: Run) -> None:
    made = Gallery.load(make_gallery(tmp_path))
    names = [known.label for known in made.references]
    people = ["Ana" if name == "fear" else "Ben" for name in names]
    gallery = Gallery.build(made.vectors, names, tower=made.tower, subjects=people)
    gallery.attach_tower(made.tower_onnx or b"")
    gallery.save(tmp_path / "g")
    film = write_film(tmp_path / "film.avi", moving(4))
    options = ["--gallery", tmp_path / "g", "--whole", "--json"]
    assert set(json.loads(run("video", film, *options)[1])["shares"]) != {"fear"}
    code, out, err = run("video", film, *options, "--subject", "Ana", "--personal-weight", 1e6, "-k", 3)
    assert code == 0, err
    assert set(json.loads(out)["shares"]) == {"fear"}
    code, _, err = run("video", film, *options, "--subject", "Zoe")
    assert (code, "no reference of 'Zoe'" in " ".join(err.split())) == (2, True)


def test_what_cannot_be_asked() -> None:
    gallery = grid(0, 12)
    query = np.ones((1, 2), np.float32)
    with pytest.raises(GalleryError, match="no reference of 'Zoe', but of Ana"):
        gallery.predict(query, subject="Zoe")
    with pytest.raises(GalleryError, match="nobody that is named"):
        Gallery.build(query, ["fear"], tower=CARD).predict(query, 1, subject="Zoe")
    for weight in (0.5, 0, -1, float("nan"), float("inf")):
        with pytest.raises(GalleryError, match="personal weight"):
            gallery.classify(query, subject="Ana", personal_weight=weight)
    with pytest.raises(GalleryError, match="holds 12"):
        gallery.predict(query, 13, subject="Ana")
    with pytest.raises(ConfigError, match="whole number"):
        gallery.predict(query, 0, subject="Ana")
    with pytest.raises(EncoderMismatch, match="cdcd"):
        gallery.predict(query, 1, subject="Ana", fingerprint="cd" * 16)
    assert gallery.predict(query[:0], 3, subject="Ana") == []
