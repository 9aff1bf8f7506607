from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries.calibration import (
    NEAREST,
    Calibration,
    calibrate,
    conformal_quantile,
    conformal_scores,
    decisions,
)
from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 6)
NAMES = ("anger", "fear", "sadness")


def draw(size: int, rng: np.random.Generator, spread: float = 0.6) -> Tuple[np.ndarray, List[str]]:
    labels = rng.integers(0, 3, size)
    vectors = (np.eye(3, 6)[labels] + rng.normal(0, spread, (size, 6))).astype(np.float32)
    return vectors, [NAMES[label] for label in labels]


def scene(seed: int = 0, metric: str = "euclidean") -> Gallery:
    vectors, names = draw(150, np.random.default_rng(seed))
    return Gallery.build(vectors, names, tower=CARD, metric=metric)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_mean_distances_against_plain_loops(metric: str) -> None:
    gallery = scene(metric=metric)
    queries, _ = draw(20, np.random.default_rng(5))
    found = gallery.mean_distances(queries, 4)
    for row, query in enumerate(queries.astype(np.float64)):
        for label in range(3):
            own = gallery.vectors[gallery.labels == label].astype(np.float64)
            if metric == "cosine":
                gaps = 1 - own @ query / np.linalg.norm(query)
            else:
                gaps = np.linalg.norm(own - query, axis=1)
            assert found[row, label] == pytest.approx(np.sort(gaps)[:4].mean(), abs=1e-5)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivfpq"])
@pytest.mark.parametrize("nearest", [1, 5, 40, 1000])
def test_mean_distances_are_the_same_alone_and_among_others(metric: str, kind: str, nearest: int) -> None:
    rng = np.random.default_rng(7)
    vectors, names = draw(400, rng)
    vectors, names = np.concatenate([vectors, vectors[:3]]), [*names, *names[:2], "contempt"]  # copies; one on its own
    gallery = Gallery.build(vectors, names, tower=CARD, metric=metric, index=kind)
    queries = np.concatenate([draw(20, rng)[0], vectors[:2]])
    together = gallery.mean_distances(queries, nearest)
    assert together.shape == (22, 4)
    alone = [gallery.mean_distances(query[None], nearest)[0] for query in queries]
    assert np.array_equal(np.stack(alone), together)
    assert gallery.mean_distances(queries[:0], nearest).shape == (0, 4)


def test_a_decision_is_the_same_whether_its_vote_was_just_taken_or_not() -> None:
    gallery = scene()
    queries, names = draw(480, np.random.default_rng(9))
    gallery.set_calibration(calibrate(gallery, queries, names, 0.2, n_neighbors=7))
    unseen = draw(60, np.random.default_rng(10))[0]
    told = decisions(gallery, unseen)
    assert len({decision.confidence for decision in told}) > 5
    for n_neighbors, weights in ((7, "distance"), (7, "majority"), (6, "distance")):
        many = gallery.classify(unseen, n_neighbors, weights)
        alone = [gallery.classify(vector[None], n_neighbors, weights)[0] for vector in unseen]
        assert [said.decision for said in many] == told
        assert [said.decision for said in alone] == told


def test_mean_distances_follow_a_change() -> None:
    gallery = scene()
    queries, _ = draw(5, np.random.default_rng(5))
    before = gallery.mean_distances(queries, NEAREST)
    gallery.add(queries, ["fear"] * 5)
    after = gallery.mean_distances(queries, NEAREST)
    assert (after[:, 1] < before[:, 1]).all()
    assert np.allclose(after[:, 0], before[:, 0])


def test_scores_worked_by_hand() -> None:
    scores = conformal_scores(np.array([[1.0, 3.0, 4.0], [2.0, 2.0, 6.0], [0.0, 0.0, 1.0]]))
    assert scores[0] == pytest.approx([1 / 4, 3 / 4, 4 / 5])
    assert scores[1][2] == pytest.approx(3 / 4)
    assert np.isfinite(scores).all()


def test_the_quantile_is_the_right_place_of_the_sorted_scores() -> None:
    """n = 19, error 0.05: ceil(20 * 0.95) = 19, the largest; n = 39: ceil(38) = 38, the last but one."""
    assert conformal_quantile(np.arange(19.0), 0.05) == 18
    assert conformal_quantile(np.arange(39.0), 0.05) == 37
    assert conformal_quantile(np.arange(9.0), 0.1) == 8


@pytest.mark.parametrize("error", [0.05, 0.2])
def test_the_promise_holds_on_faces_drawn_alike(error: float) -> None:
    """Coverage in each emotion, averaged over 40 calibrations, is 1 - error to two points."""
    gallery = scene()
    covered: List[List[bool]] = [[], [], []]
    near: List[bool] = []
    for seed in range(40):
        rng = np.random.default_rng([8, seed])
        gallery.set_calibration(calibrate(gallery, *draw(240, rng), error=error))
        queries, truth = draw(200, rng)
        for name, decision in zip(truth, decisions(gallery, queries)):
            covered[NAMES.index(name)].append(name in decision.emotions)
            near.append(not decision.reason.startswith("no reference is near"))
    for own in covered:
        assert 1 - error - 0.02 < np.mean(own) < 1 - error + 0.03
    assert 1 - error - 0.02 < np.mean(near) < 1 - error + 0.02


def test_a_face_far_from_all_is_unknown_and_says_why() -> None:
    gallery = scene()
    gallery.set_calibration(calibrate(gallery, *draw(240, np.random.default_rng(1))))
    far = np.full((1, 6), 30.0, np.float32)
    (decision,) = decisions(gallery, far)
    assert decision.unknown
    assert decision.reason.startswith("no reference is near: distance")
    (near,) = decisions(gallery, np.array([[2, 0, 0, 0, 0, 0]], np.float32))
    assert near.emotions == ("anger",)
    assert not near.unknown
    (between,) = decisions(gallery, np.array([[0.5, 0.5, -0.5, 0, 0, 0]], np.float32))
    assert set(between.emotions) == {"anger", "fear"}
    assert "2 emotions cannot be told apart" in between.reason


def test_an_emotion_added_later_is_not_ruled_out_by_a_threshold_it_never_had() -> None:
    gallery = scene()
    gallery.set_calibration(calibrate(gallery, *draw(240, np.random.default_rng(1))))
    new = np.array([0, 0, 0, 3, 0, 0], np.float32)
    gallery.add(new + np.random.default_rng(0).normal(0, 0.1, (5, 6)).astype(np.float32), ["boredom"] * 5)
    (decision,) = decisions(gallery, new[None])
    assert decision.emotions == ("boredom",)


def order_of(values: np.ndarray, right: np.ndarray) -> float:
    """Share of (right, wrong) pairs in which the right one has the higher value; ties count half."""
    pairs = [(a > b) + 0.5 * (a == b) for a in values[right] for b in values[~right]]
    return float(np.mean(pairs))


def test_confidence_knows_more_of_being_right_than_the_vote_share() -> None:
    rng = np.random.default_rng(3)
    truth = np.arange(900) % 3
    vectors = (np.eye(3, 6)[truth] + rng.normal(0, 0.6, (900, 6))).astype(np.float32)
    names = np.array(["anger", "fear", "sadness"])[truth]
    gallery = Gallery.build(vectors[:300], names[:300].tolist(), tower=CARD)
    fitted = calibrate(gallery, vectors[300:600], names[300:600].tolist(), 0.1, n_neighbors=5)
    assert fitted.confidence_by == "distances"
    gallery.set_calibration(fitted)
    said = gallery.classify(vectors[600:], 5)
    right = np.array([answer.emotion == name for answer, name in zip(said, names[600:])])
    told = np.array([answer.decision.confidence for answer in said if answer.decision is not None])
    votes = np.array([answer.confidence for answer in said])
    assert order_of(told, right) > order_of(votes, right) + 0.05
    assert abs(told.mean() - right.mean()) < 0.06


def test_a_calibration_of_vote_shares_is_read_as_one() -> None:
    gallery = scene()
    vectors, names = draw(240, np.random.default_rng(1))
    facts = calibrate(gallery, vectors, names).to_json()
    del facts["confidence_by"]  # as it was written before
    facts["knots"] = [[0.0, 0.1], [1.0, 0.9]]
    old = Calibration.decode(json.dumps(facts).encode())
    gallery.set_calibration(old)
    assert old.confidence_by == "vote"
    shares = gallery.predict_proba(vectors[:9], *old.vote_of(len(gallery)))
    expected = 0.1 + 0.8 * shares.max(axis=1)
    assert [told.confidence for told in decisions(gallery, vectors[:9])] == pytest.approx(expected.tolist())
    with pytest.raises(GalleryError, match="out of range"):
        Calibration.decode(json.dumps({**facts, "confidence_by": "mood"}).encode())


def test_confidence_is_calibrated_and_rises() -> None:
    gallery = scene()
    fitted = calibrate(gallery, *draw(600, np.random.default_rng(1)))
    assert fitted.ece_after < fitted.ece_before
    raw, curve = np.array(fitted.knots).T
    assert (np.diff(raw) >= 0).all()
    assert (np.diff(curve) >= 0).all()


def test_it_is_kept_with_the_gallery(tmp_path: Path) -> None:
    gallery = scene()
    gallery.set_calibration(calibrate(gallery, *draw(240, np.random.default_rng(1))))
    gallery.save(tmp_path)
    back = Gallery.load(tmp_path)
    assert back.calibration == gallery.calibration
    assert back.log[-1].sentence().endswith("; calibrate, 240 faces, error 0.05")
    queries, _ = draw(10, np.random.default_rng(2))
    assert [p.decision for p in back.classify(queries)] == decisions(gallery, queries)
    assert back.classify(queries)[0].to_json()["decision"]["reason"]
    assert scene().classify(queries)[0].decision is None


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"{}", b"null", b"[" * 5000],
)
def test_what_is_no_calibration_is_refused(damage: bytes) -> None:
    with pytest.raises(GalleryError, match="no calibration"):
        Calibration.decode(damage)


@given(
    st.sampled_from(["error", "thresholds", "distance", "knots", "n_neighbors", "ece_after", "weights"]),
    st.none() | st.text() | st.integers(-(10**400), -1) | st.just(float("nan")) | st.lists(st.integers(), max_size=2),
)
def test_any_wrong_value_is_refused(key: str, value: Any) -> None:  # fmt: skip
    import json

    good = Calibration(
        0.05, {"fear": 0.5}, 1.0, 5, "distance", ((0.1, 0.2), (0.9, 0.95)), 10, 20, 0.1, 0.05, "distances"
    )
    assert Calibration.decode(good.encode()) == good
    values = json.loads(good.encode())
    values[key] = value
    with pytest.raises(GalleryError, match="no calibration"):
        Calibration.decode(json.dumps(values).encode())


def test_what_cannot_be_calibrated() -> None:
    gallery = scene()
    vectors, names = draw(240, np.random.default_rng(1))
    with pytest.raises(GalleryError, match=r"an error of 0\.01 needs 99 of each emotion"):
        calibrate(gallery, vectors, names, error=0.01)
    with pytest.raises(GalleryError, match="between 0 and 1"):
        calibrate(gallery, vectors, names, error=1.0)
    with pytest.raises(GalleryError, match="holds no joy"):
        calibrate(gallery, vectors, ["joy", *names[1:]])
    with pytest.raises(GalleryError, match="not calibrated"):
        decisions(gallery, vectors)
    with pytest.raises(GalleryError, match="one emotion"):
        calibrate(Gallery.build(vectors, ["fear"] * 240, tower=CARD), vectors, ["fear"] * 240)
    other = Gallery.build(vectors, ["joy" if n == "fear" else n for n in names], tower=CARD)
    with pytest.raises(GalleryError, match="does not hold"):
        other.set_calibration(calibrate(gallery, vectors, names))
