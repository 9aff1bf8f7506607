"""Whether a gallery knows which of its answers are right, against counting pairs and sorting by hand."""

from __future__ import annotations

from itertools import product
from typing import Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_galleries import scattered

pytest.importorskip("sklearn", reason="the judging part is not installed")

from eval.assurance import COVERAGES, judge_assurance
from eval.crossing import Crossing
from eval.held_out import HeldOut
from eval.novelty import score_detection
from galleries.calibration import calibrate, decisions
from galleries.gallery import Gallery


def crossed(copies: np.ndarray) -> Crossing:
    nothing = np.zeros(len(copies), bool)
    return Crossing(copies, nothing, nothing, None, None, True)


def asked(seed: int, size: int, leaks: Optional[np.ndarray] = None, people: bool = False) -> HeldOut:
    others = scattered(seed, size)
    crossing = crossed(np.zeros(size, bool) if leaks is None else leaks)
    subjects = tuple(str(name) for name in others.references.subjects()) if people else None
    truth = tuple(reference.label for reference in others.references)
    return HeldOut(others.vectors, truth, crossing, None, None, subjects)


def slowly(sure: np.ndarray, right: np.ndarray) -> tuple[float, list[float]]:
    """AUROC by every pair of a right and a wrong answer; the share right of the surest, over all orders of equals."""
    pairs = [(a > b) + (a == b) / 2 for a, b in product(sure[right], sure[~right])]
    shares = []
    for coverage in COVERAGES:
        kept = max(1, round(coverage * len(sure)))
        ordered = sorted(range(len(sure)), key=lambda place: -sure[place])
        border = sure[ordered[kept - 1]]
        sures = [place for place in ordered if sure[place] > border]
        equal = [place for place in ordered if sure[place] == border]
        expected = sum(right[place] for place in sures)
        expected += (kept - len(sures)) * sum(right[place] for place in equal) / len(equal)
        shares.append(expected / kept)
    return float(np.mean(pairs)), shares


@given(st.integers(0, 10_000), st.sampled_from([None, "majority", "mean"]), st.booleans())
@settings(max_examples=15, deadline=None)
def test_of_the_vote_and_of_the_calibrated_probability(seed: int, weights: Optional[str], people: bool) -> None:
    gallery = scattered(1, 80)
    queries = asked(seed, 70, np.arange(70) < 20, people)
    held = scattered(2, 120)
    labels = [reference.label for reference in held.references]
    for way in ("distance", "mean"):
        gallery.set_calibration(calibrate(gallery, held.vectors, labels, 0.2, 3, way))
    told = judge_assurance(gallery, queries, 3, weights)
    assert [one.by for one in told] == ["share", "probability"]
    vectors, truth = queries.vectors[20:], np.array(queries.truth[20:])
    found = decisions(gallery, vectors, weights=weights)
    expected = [
        (
            gallery.predict_proba(vectors, 3, weights).max(axis=1),
            np.array(gallery.predict(vectors, 3, weights)) == truth,
        ),
        (
            np.array([decision.confidence for decision in found]),
            np.array([decision.winner for decision in found]) == truth,
        ),
    ]
    for one, (sure, right) in zip(told, expected):
        auroc, shares = slowly(sure, right)
        assert one.answers == 50
        assert one.order.auroc == pytest.approx(auroc)
        assert one.order.auroc_interval[0] <= auroc <= one.order.auroc_interval[1]
        assert [share for _, share in one.right_of_surest] == pytest.approx(shares)
        assert one.right_of_surest[0][1] == pytest.approx(right.mean())
        plain = one.to_json()
        assert plain["auroc"] == one.order.auroc
        assert plain["right_of_surest"][0] == [1.0, pytest.approx(right.mean())]


def test_a_vote_that_is_not_calibrated_tells_no_probability() -> None:
    gallery, held = scattered(1, 80), scattered(2, 120)
    labels = [reference.label for reference in held.references]
    gallery.set_calibration(calibrate(gallery, held.vectors, labels, 0.2, 3))
    told = {way: [one.by for one in judge_assurance(gallery, asked(3, 40), 3, way)] for way in ("majority", "mean")}
    assert told == {"majority": ["share", "probability"], "mean": ["share"]}


def test_where_all_answers_are_right_there_is_nothing_to_order() -> None:
    vectors = np.eye(3, 6, dtype=np.float32)
    tower = scattered().tower
    gallery = Gallery.build(vectors, ["anger", "fear", "sadness"], tower=tower)
    nothing = crossed(np.zeros(3, bool))
    assert judge_assurance(gallery, HeldOut(vectors, ("anger", "fear", "sadness"), nothing, None, None, None), 1) == ()
    assert judge_assurance(gallery, HeldOut(vectors, ("fear", "anger", "anger"), nothing, None, None, None), 1) == ()


def test_where_all_leak_all_are_looked_at() -> None:
    queries = asked(3, 40, np.ones(40, bool))
    (one,) = judge_assurance(scattered(1, 80), queries, 3)
    assert one.answers == 40


def test_many_answers_have_the_intervals_of_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    novelty, right = rng.random(90), rng.random(90) < 0.6
    whole = score_detection(novelty, ~right, right, np.arange(90))
    monkeypatch.setattr("eval.novelty._CELLS", 200)
    parts = score_detection(novelty, ~right, right, np.arange(90))
    assert parts.auroc_interval == pytest.approx(whole.auroc_interval)
    assert parts.aurc_interval == pytest.approx(whole.aurc_interval)
