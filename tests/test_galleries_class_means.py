"""The vote of the emotions' means, against slow oracles; kept with a gallery, and refused where it makes no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_galleries import full, same, scattered, small

from galleries.calibration import Calibration, calibrate, decisions
from galleries.class_means import vote_of_means
from galleries.emphasis import TAKEN_OF_TYPICAL, fit_emphasis, is_rare, usual_share
from galleries.errors import ConfigError, EncoderMismatch, GalleryError
from galleries.gallery import Gallery
from galleries.header import header_checksum
from galleries.identity import predict_without
from galleries.images import InputSpec
from galleries.separation import left_out_answers
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 3)
NAMES = ("anger", "fear", "sadness")


def made(seed: int, metric: str, divided: bool, size: int = 30, index: str = "flat") -> Gallery:
    """References of three emotions and two people, some of whom vote for several emotions."""
    rng = np.random.default_rng(seed)
    labels = [0, 1, 2, *rng.integers(0, 3, size - 3)]
    votes: Optional[List[Optional[Dict[str, float]]]] = None
    if divided:
        votes = [{NAMES[label]: 0.6, NAMES[(label + 1) % 3]: 0.4} if rng.random() < 0.5 else None for label in labels]
    return Gallery.build(
        (rng.normal(0, 1, (size, 3)) + 2 * np.eye(3)[labels]).astype(np.float32),
        [NAMES[label] for label in labels],
        tower=CARD,
        metric=metric,
        index=index,
        subjects=[("Ana", "Ben", None)[n] for n in (0, *rng.integers(0, 3, size - 1))],
        votes=votes,
    )


def slowly(gallery: Gallery, query: np.ndarray, rows: List[int]) -> List[float]:
    """Distances of one query to the means of these references, one after the other in plain Python."""
    vectors = gallery.vectors.astype(np.float64)
    if gallery.metric == "cosine":
        query = query / np.linalg.norm(query)
    found = []
    for label, name in enumerate(gallery.emotions):
        total, weight = np.zeros(3), 0.0
        for row in rows:
            cast = gallery.references[row].votes
            share = float(gallery.labels[row] == label) if cast is None else cast.get(name, 0.0)
            total, weight = total + share * vectors[row], weight + share
        if weight == 0:
            found.append(np.inf)
            continue
        mean = total / weight
        if gallery.metric == "cosine":
            found.append(1 - float(query @ (mean / np.linalg.norm(mean))))
        else:
            found.append(float(np.linalg.norm(query - mean)))
    return found


@given(st.integers(0, 10_000), st.sampled_from(["cosine", "euclidean"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_emotion_is_as_near_as_the_mean_of_its_references(seed: int, metric: str, divided: bool) -> None:
    gallery = made(seed, metric, divided)
    queries = np.random.default_rng(seed + 1).normal(0, 2, (7, 3)).astype(np.float32)
    far = gallery.distances_to_means(queries)
    expected = [slowly(gallery, query.astype(np.float64), list(range(30))) for query in queries]
    assert far == pytest.approx(np.array(expected), abs=1e-6)
    shares = gallery.predict_proba(queries, weights="mean")
    voices = [[1 / (gap / (sum(row) / 3) + 0.1) ** 2 for gap in row] for row in expected]
    assert shares == pytest.approx(np.array([[v / sum(row) for v in row] for row in voices]), abs=1e-5)
    said = gallery.predict(queries, weights="mean")
    assert said == [gallery.emotions[int(np.argmin(row))] for row in far]
    answers = gallery.classify(queries, 4, "mean")
    near = gallery.classify(queries, 4, "distance")
    for answer, plain, row, winner in zip(answers, near, shares, said):
        assert (answer.emotion, answer.weights, plain.weights) == (winner, "mean", "distance")
        assert answer.scores == dict(zip(gallery.emotions, row.tolist()))
        assert answer.confidence == max(answer.scores.values())
        assert answer.neighbours == plain.neighbours
    for place in range(7):  # alone as among others, to the last digit
        assert (gallery.distances_to_means(queries[place : place + 1])[0] == far[place]).all()
        assert gallery.classify(queries[place : place + 1], 4, "mean") == [answers[place]]


@given(st.integers(0, 10_000), st.sampled_from(["cosine", "euclidean"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_references_are_left_out_of_their_means(seed: int, metric: str, divided: bool) -> None:
    gallery = made(seed, metric, divided, 12)
    groups = np.random.default_rng(seed).integers(-1, 4, 12)
    own = np.array([-1, 0, 1, 2, 3, 7, *groups[:6]])
    far = gallery.distances_to_means(gallery.vectors, own=own, groups=groups)
    for query, group, found in zip(gallery.vectors, own, far):
        rows = [row for row in range(12) if group < 0 or groups[row] != group]
        assert found == pytest.approx(slowly(gallery, query.astype(np.float64), rows), abs=1e-5)
    one = left_out_answers(gallery, np.arange(12), 3, "mean")
    for row, label in enumerate(one.tolist()):
        rest = slowly(gallery, gallery.vectors[row].astype(np.float64), [other for other in range(12) if other != row])
        assert rest[label] == pytest.approx(min(rest), abs=1e-5)
    subjects = gallery.references.subjects()
    try:
        said = predict_without(gallery, gallery.vectors, subjects, 3, "mean")
    except GalleryError:
        return  # one person alone
    for row, name in enumerate(said):
        rows = [i for i in range(12) if subjects[row] is None or subjects[i] != subjects[row]]
        rest = slowly(gallery, gallery.vectors[row].astype(np.float64), rows)
        assert rest[gallery.emotions.index(name)] == pytest.approx(min(rest), abs=1e-5)


@given(st.integers(0, 10_000), st.sampled_from(["cosine", "euclidean"]), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_persons_own_means_count_as_nearer(seed: int, metric: str, divided: bool) -> None:
    gallery = made(seed, metric, divided)
    queries = np.random.default_rng(seed + 1).normal(0, 2, (5, 3)).astype(np.float32)
    own_rows = [row for row, name in enumerate(gallery.references.subjects()) if name == "Ana"]
    answers = gallery.classify(queries, 3, "mean", subject="Ana", personal_weight=3.0)
    shares = gallery.predict_proba(queries, 3, "mean", subject="Ana", personal_weight=3.0)
    assert gallery.predict(queries, 3, "mean", subject="Ana", personal_weight=3.0) == [a.emotion for a in answers]
    for query, answer, row in zip(queries, answers, shares):
        of_all = slowly(gallery, query.astype(np.float64), list(range(30)))
        own = [far / 3 for far in slowly(gallery, query.astype(np.float64), own_rows)]
        felt = [min(pair) for pair in zip(of_all, own)]
        assert felt[gallery.emotions.index(answer.emotion)] == pytest.approx(min(felt), abs=1e-5)
        assert answer.scores == dict(zip(gallery.emotions, row.tolist()))
        personal = answer.personal
        assert personal is not None
        assert personal.voters == sum(mine < general for mine, general in zip(own, of_all))
        counted = sum(row[i] for i in range(3) if own[i] < of_all[i])
        assert personal.share == pytest.approx(counted, abs=1e-9)
        plain = gallery.predict(query[None], 3, "mean")[0]
        assert personal.outvoted == (None if plain == answer.emotion else plain)
    with pytest.raises(GalleryError, match="no reference of 'Eva'"):
        gallery.predict(queries, 3, "mean", subject="Eva")


def test_it_is_the_nearest_mean_of_few_shots() -> None:
    heads = pytest.importorskip("eval.heads", reason="the judging part is not installed")
    for metric in ("cosine", "euclidean"):
        gallery = made(3, metric, False)
        queries = np.random.default_rng(4).normal(0, 2, (200, 3)).astype(np.float32)
        expected = heads.nearest_mean(gallery.vectors, gallery.labels, queries, metric, 5)
        assert gallery.predict(queries, weights="mean") == [gallery.emotions[label] for label in expected]


@pytest.mark.parametrize("index", ["hnsw", "ivf", "ivfpq"])
def test_every_kind_of_index_has_the_same_means(index: str) -> None:
    queries = np.random.default_rng(1).normal(0, 2, (9, 3)).astype(np.float32)
    flat, other = made(1, "cosine", True, 400), made(1, "cosine", True, 400, index)
    assert other.distances_to_means(queries) == pytest.approx(flat.distances_to_means(queries), abs=1e-6)


def test_means_follow_what_changes() -> None:
    gallery, query = made(0, "euclidean", False), np.ones((1, 3), np.float32)
    before = gallery.distances_to_means(query)
    numbers = gallery.add(np.full((2, 3), 9, np.float32), ["boredom"] * 2)
    after = gallery.distances_to_means(query)
    assert gallery.emotions == ("anger", "boredom", "fear", "sadness")
    assert after[0, 1] == pytest.approx(8 * np.sqrt(3))
    assert (after[:, [0, 2, 3]] == before).all()
    assert gallery.predict(np.full((1, 3), 8, np.float32), weights="mean") == ["boredom"]
    gallery.relabel(numbers.tolist(), "fear")
    assert gallery.distances_to_means(query).shape == (1, 3)
    gallery.remove(numbers.tolist())
    assert gallery.distances_to_means(query) == pytest.approx(before)


def test_how_it_votes_is_kept_and_undone(tmp_path: Path) -> None:
    gallery = full()
    gallery.save(tmp_path)
    assert json.loads((tmp_path / "gallery.json").read_text())["version"] == 2
    asked = gallery.vectors
    by_distance, by_mean = gallery.predict_proba(asked), gallery.predict_proba(asked, weights="mean")
    assert not np.allclose(by_distance, by_mean)
    gallery.vote_by("mean")
    gallery.save(tmp_path)
    held = Gallery.load(tmp_path)
    assert same(held, gallery)
    assert (held.weights, held.info()["weights"]) == ("mean", "mean")
    assert json.loads((tmp_path / "gallery.json").read_text())["version"] == 6
    assert (held.predict_proba(asked) == by_mean).all()
    assert (held.predict_proba(asked, weights="distance") == by_distance).all()
    assert held.classify(asked)[0].weights == "mean"
    assert held.with_vectors(held.vectors, held.tower).weights == "mean"
    assert held.log[-1].sentence() == "vote, by mean"
    assert "weights" not in Gallery.undo(tmp_path).info()
    with pytest.raises(ConfigError, match="distance, majority, mean"):
        gallery.vote_by("median")
    with pytest.raises(ConfigError, match="distance, majority, mean"):
        gallery.predict(asked, weights="median")


@pytest.mark.parametrize("wrong", ["median", 3, None, ["mean"]])
def test_a_header_that_votes_otherwise_is_refused(tmp_path: Path, wrong: Any) -> None:
    gallery = full()
    gallery.vote_by("majority")
    gallery.save(tmp_path)
    path = tmp_path / "gallery.json"
    header = json.loads(path.read_text())
    header["weights"] = wrong
    header["checksum"] = header_checksum(header)
    path.write_text(json.dumps(header))
    with pytest.raises(GalleryError, match="vote"):
        Gallery.load(tmp_path)


def test_what_cannot_be_asked_is_refused() -> None:
    gallery = small()
    gallery.vote_by("mean")
    asked = gallery.vectors
    with pytest.raises(GalleryError, match="7 neighbours were asked for"):
        gallery.classify(asked, 7)
    with pytest.raises(GalleryError, match="7 neighbours were asked for"):
        gallery.predict(asked, 7)
    with pytest.raises(EncoderMismatch):
        gallery.predict(asked, fingerprint="cd" * 16)
    with pytest.raises(EncoderMismatch):
        gallery.predict(np.ones((1, 3), np.float32))
    with pytest.raises(GalleryError, match="NaN"):
        gallery.predict(np.full((1, 4), np.nan, np.float32))
    with pytest.raises(GalleryError, match="personal weight"):
        gallery.predict(asked, subject=None, personal_weight=0.5)


def test_few_references_are_heard_without_being_emphasised() -> None:
    rng = np.random.default_rng(0)
    centres = {"anger": (0, 0, 0), "fear": (6, 0, 0), "boredom": (3, 3, 0)}
    counts = {"anger": 400, "fear": 400, "boredom": 3}
    vectors = np.concatenate([rng.normal(centres[name], 2.0, (counts[name], 3)) for name in counts])
    names = [name for name, count in counts.items() for _ in range(count)]
    gallery = Gallery.build(vectors.astype(np.float32), names, tower=CARD, metric="euclidean")
    asked = rng.normal(centres["boredom"], 1.0, (200, 3)).astype(np.float32)
    assert is_rare(gallery, "boredom")
    assert gallery.predict(asked).count("boredom") < 20
    gallery.vote_by("mean")
    assert not is_rare(gallery, "boredom")
    heard = gallery.predict(asked).count("boredom")
    assert heard > 100
    assert usual_share(gallery) == TAKEN_OF_TYPICAL
    fitted = fit_emphasis(gallery, "boredom", 5, 0.3)
    assert fitted.asked == 800
    assert fitted.taken <= 0.3
    gallery.emphasise("boredom", fitted.factor)
    others = np.flatnonzero(gallery.labels != gallery.emotions.index("boredom"))
    went = left_out_answers(gallery, others) == gallery.emotions.index("boredom")
    assert went.mean() == pytest.approx(fitted.taken)
    gallery.emphasise("boredom", min(100.0, fitted.factor * 1.02))
    more = left_out_answers(gallery, others) == gallery.emotions.index("boredom")
    assert more.mean() > 0.29
    assert gallery.predict(asked).count("boredom") > heard


def test_a_calibration_tells_how_right_the_means_are() -> None:
    gallery = scattered(0, 300)
    gallery.vote_by("mean")
    asked = scattered(5, 900)
    truth = [reference.label for reference in asked.references]
    fitted = calibrate(gallery, asked.vectors, truth, 0.1)
    assert fitted.weights == "mean"
    gallery.set_calibration(Calibration.decode(fitted.encode()))
    found = decisions(gallery, asked.vectors)
    assert [decision.winner for decision in found] == gallery.predict(asked.vectors)
    right = np.array([decision.winner == name for decision, name in zip(found, truth)])
    told = np.array([decision.confidence for decision in found])
    assert told.mean() == pytest.approx(right.mean(), abs=0.01)
    assert gallery.classify(asked.vectors[:3])[0].decision == found[0]
    assert gallery.classify(asked.vectors[:1])[0].decision == found[0]
    fresh = scattered(9, 3000)
    held = [name in said.emotions for name, said in zip(fresh.references.emotions(), decisions(gallery, fresh.vectors))]
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)
    far = gallery.distances_to_means(fresh.vectors)
    beyond = far.min(axis=1) > fitted.distance
    assert [said.unknown for said in decisions(gallery, fresh.vectors)] == [
        bool(is_far) or not said.emotions for is_far, said in zip(beyond, decisions(gallery, fresh.vectors))
    ]


def test_each_vote_has_its_own_calibration(tmp_path: Path) -> None:
    gallery = scattered(0, 300)
    asked = scattered(5, 600)
    truth = asked.references.emotions()
    by_neighbours = calibrate(gallery, asked.vectors, truth, 0.1, 5)
    gallery.set_calibration(by_neighbours)
    gallery.save(tmp_path)
    assert json.loads((tmp_path / "gallery.json").read_text())["version"] == 2
    assert gallery.classify(asked.vectors[:2], weights="mean")[0].decision is None
    with pytest.raises(GalleryError, match="not calibrated"):
        decisions(gallery, asked.vectors, weights="mean")
    by_means = calibrate(gallery, asked.vectors, truth, 0.1, 5, "mean")
    gallery.set_calibration(by_means)
    assert gallery.calibration == by_neighbours
    gallery.save(tmp_path)
    assert json.loads((tmp_path / "gallery.json").read_text())["version"] == 6
    held = Gallery.load(tmp_path)
    assert held.calibrations == {"neighbours": by_neighbours, "means": by_means}
    assert held.calibration_of("majority") == held.calibration_of() == by_neighbours
    assert held.calibration_of("mean") == by_means
    said = held.classify(asked.vectors, weights="mean")
    assert [answer.decision for answer in said] == decisions(held, asked.vectors, weights="mean")
    held.vote_by("mean")
    assert held.calibration == by_means
    assert held.info()["calibration"]["weights"] == "mean"
    (tmp_path / "calibration-means.json").write_bytes(by_neighbours.encode())
    with pytest.raises(GalleryError):
        Gallery.load(tmp_path)
    with pytest.raises(GalleryError, match="is no calibration"):
        Calibration.decode(by_neighbours.encode(), "means")
    with pytest.raises(GalleryError, match="is no calibration"):
        Calibration.decode(by_means.encode(), "neighbours")


def test_an_emotion_added_later_is_among_those_that_cannot_be_ruled_out() -> None:
    gallery = scattered(0, 300)
    asked = scattered(5, 600)
    gallery.vote_by("mean")
    gallery.set_calibration(calibrate(gallery, asked.vectors, asked.references.emotions(), 0.1))
    rng = np.random.default_rng(3)
    new = (np.eye(4, 6)[[3] * 40] + rng.normal(0, 0.4, (40, 6))).astype(np.float32)
    gallery.add(new[:5], ["boredom"] * 5, subjects=["S9"] * 5)
    said = gallery.classify(new[5:])
    assert np.mean([answer.emotion == "boredom" for answer in said]) > 0.8
    assert np.mean([answer.decision is not None and "boredom" in answer.decision.emotions for answer in said]) > 0.8


def test_means_that_are_equally_far_or_absent() -> None:
    far = np.array([[0.0, 0.0, 0.0], [0.5, 0.2, 0.2], [np.inf, 1.0, 3.0], [np.inf] * 3])
    shares, winners = vote_of_means(far)
    assert winners.tolist() == [0, 1, 1, -1]
    assert shares[0] == pytest.approx([1 / 3] * 3)
    assert shares[1, 1] == shares[1, 2] > shares[1, 0] > 0
    assert shares[2] == pytest.approx([0, 1.6**2 / (1.6**2 + 0.6**2), 0.6**2 / (1.6**2 + 0.6**2)])
    assert shares[3].tolist() == [0, 0, 0]
