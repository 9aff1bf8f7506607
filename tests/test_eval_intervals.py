"""Bootstrap intervals: how often they hold the truth, and what they are of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.intervals import Bootstrap
from eval.metrics import MEASURES, score
from eval.score_intervals import resampled_scores, score_intervals

pytest.importorskip("scipy", reason="SciPy is not installed (extra [eval])")


@pytest.mark.parametrize("people", [10, 40])
def test_drawing_people_holds_the_truth_at_the_stated_rate(people: int) -> None:
    """Each person is right at a rate of their own, 0.7 in the mean; drawing pictures would hold it too rarely."""
    rng = np.random.default_rng(7)
    held = {"people": 0, "pictures": 0}
    repeats = 300
    for _ in range(repeats):
        rates = rng.beta(3.5, 1.5, people)
        sizes = rng.integers(5, 25, people)
        who = np.repeat(np.arange(people), sizes)
        right = rng.random(len(who)) < rates[who]
        for by, groups in (("people", who.tolist()), ("pictures", None)):
            draws = Bootstrap.draw(len(who), groups, repetitions=200)
            low, high = draws.mean(right)
            assert draws.by == by
            held[by] += low <= 0.7 <= high
    assert 0.90 <= held["people"] / repeats <= 0.99
    assert held["pictures"] / repeats < 0.85


def test_drawing_pictures_holds_the_truth_where_they_are_independent() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        low, high = Bootstrap.draw(120, repetitions=200).mean(rng.random(120) < 0.7)
        held += low <= 0.7 <= high
    assert 0.90 <= held / 300 <= 0.99


NAMES = ("anger", "fear", "joy")
ANSWERS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 4)), min_size=1, max_size=30
)


@settings(max_examples=15)
@given(ANSWERS)
def test_each_sample_is_scored_as_the_pictures_it_holds(rows: list[tuple[str, str, int]]) -> None:
    truth, said, who = ([row[place] for row in rows] for place in range(3))
    draws = Bootstrap.draw(len(rows), who, repetitions=4)
    found = resampled_scores(truth, said, NAMES, draws)
    for sample in range(4):
        drawn = [place for place in range(len(rows)) for _ in range(int(draws.counts[sample, draws.member[place]]))]
        again = score([truth[i] for i in drawn], [said[i] for i in drawn], NAMES)
        for name in ("accuracy", "balanced_accuracy", *(f"{k}_{m}" for k in ("macro", "weighted") for m in MEASURES)):
            assert found[name][sample] == pytest.approx(again.overall(name), abs=1e-6), name
        for place, entry in enumerate(again.classes):
            if entry.support:
                assert found["class_recall"][sample, place] == pytest.approx(entry.recall)
                assert found["class_f1"][sample, place] == pytest.approx(entry.f1)


def test_intervals_lie_around_the_numbers_and_stay_the_same() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(NAMES, 400).tolist()
    said = [name if rng.random() < 0.6 else str(rng.choice(NAMES)) for name in truth]
    whole = score(truth, said, NAMES)
    found = score_intervals(truth, said, NAMES, Bootstrap.draw(400))
    for name, (low, high) in found.overall.items():
        assert low < whole.overall(name) < high
    for entry in whole.classes:
        low, high = found.classes[entry.emotion]["f1"]
        assert low < entry.f1 < high
    assert found == score_intervals(truth, said, NAMES, Bootstrap.draw(400))
    assert found.to_json()["overall"]["accuracy"] == list(found.overall["accuracy"])
    width = np.ptp(found.overall["accuracy"])
    assert width == pytest.approx(2 * 1.96 * (whole.accuracy * (1 - whole.accuracy) / 400) ** 0.5, rel=0.15)


def test_an_emotion_that_never_occurs_has_no_interval() -> None:
    found = score_intervals(["anger", "fear"], ["anger", "anger"], NAMES, Bootstrap.draw(2))
    assert np.isnan(found.classes["joy"]["recall"]).all()
    assert found.to_json()["classes"]["joy"]["recall"] == [None, None]


def test_one_person_alone_cannot_be_drawn() -> None:
    assert Bootstrap.draw(5, ["S1"] * 5).by == "pictures"
    assert Bootstrap.draw(1).mean(np.array([True])) == (1.0, 1.0)


def test_macro_and_weighted_means_against_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed (extra [eval])")
    rng = np.random.default_rng(1)
    truth, said = rng.choice(NAMES, 50, p=[0.7, 0.2, 0.1]).tolist(), rng.choice(NAMES, 50).tolist()
    found = score(truth, said, NAMES)
    for average in ("macro", "weighted"):
        wanted = metrics.precision_recall_fscore_support(truth, said, average=average, zero_division=0.0)[:3]
        assert [found.overall(f"{average}_{m}") for m in MEASURES] == pytest.approx(list(wanted))
    assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(truth, said))
    assert found.rates() == pytest.approx(metrics.confusion_matrix(truth, said, labels=NAMES, normalize="true"))
