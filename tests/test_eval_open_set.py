"""Open set: hand-worked cases, scikit-learn, slow oracles, and intervals that cover the truth at their rate."""

from __future__ import annotations

import itertools
from typing import Any, Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import novelty
from eval.novelty import DetectionScore, score_detection
from eval.open_set import NOVELTY, open_set
from galleries.errors import ConfigError, DataError, EmotionsError, GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

metrics = pytest.importorskip("sklearn.metrics", reason="the judging part is not installed")

EMOTIONS = ("anger", "fear", "sadness")


def detect(values: Any, unknown: Any, right: Any, groups: Optional[Any] = None) -> DetectionScore:
    size = len(values)
    who = np.arange(size) if groups is None else np.asarray(groups)
    flags = np.asarray(unknown, bool)
    return score_detection(np.asarray(values, np.float64), flags, np.asarray(right, bool) & ~flags, who)


# --- one score --------------------------------------------------------------------------------------------------------


def test_perfect() -> None:
    found = detect([0, 1, 2, 3], [0, 0, 1, 1], [1, 1, 0, 0])
    assert (found.auroc, found.fpr95, found.aupr) == (1, 0, 1)
    assert found.aurc == found.aurc_best == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert found.risk_at_all == found.aupr_floor == 0.5
    assert found.curve == ((0.25, 0.0), (0.5, 0.0), (0.75, pytest.approx(1 / 3)), (1.0, 0.5))


def test_upside_down() -> None:
    found = detect([3, 2, 1, 0], [0, 0, 1, 1], [1, 0, 0, 0])
    assert (found.auroc, found.fpr95) == (0, 1)
    assert found.aurc == pytest.approx((1 + 1 + 1 + 3 / 4) / 4)
    assert found.aurc_best == pytest.approx((0 + 1 / 2 + 2 / 3 + 3 / 4) / 4)


def test_saying_nothing_is_the_floor() -> None:
    found = detect([7] * 6, [0, 0, 0, 0, 1, 1], [1, 1, 1, 0, 0, 0])
    assert (found.auroc, found.fpr95) == (0.5, 1)
    assert found.aurc == found.risk_at_all == 0.5
    assert found.aupr == found.aupr_floor == pytest.approx(1 / 3)


def test_fpr_at_95_percent_of_the_known() -> None:
    """Of 20 known pictures 19 are accepted at a score of 18, and so are 3 of 4 unknown ones."""
    found = detect([*range(20), 5, 17.5, 18, 18.5], [0] * 20 + [1] * 4, [1] * 20 + [0] * 4)
    assert found.fpr95 == 0.75


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=2, max_size=6))
def test_ties_are_taken_in_every_order(rows: list[tuple[int, int]]) -> None:
    """Area under the curve: the mean over all orders of pictures with equal scores."""
    kinds = [kind for _, kind in rows]
    values = np.array([value for value, _ in rows], np.float64)
    unknown, right = np.array(kinds) == 0, np.array(kinds) == 1
    if unknown.all() or not unknown.any():
        return
    areas = []
    for order in itertools.permutations(range(len(rows))):
        if (np.diff(values[list(order)]) >= 0).all():
            wrong = np.cumsum(~right[list(order)])
            areas.append(float((wrong / np.arange(1, len(rows) + 1)).mean()))
    assert detect(values, unknown, right).aurc == pytest.approx(np.mean(areas))


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.integers(2, 40), st.booleans())
def test_weighted_numbers_against_scikit_learn(seed: int, size: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=size).round(0 if coarse else 8)
    unknown = rng.random(size) < 0.4
    unknown[:2] = [False, True]
    weights = rng.integers(0, 4, (3, size)).astype(np.float64)
    weights[:, :2] = 1
    ranked = novelty._Ranked(values, unknown, unknown)
    slow = [metrics.roc_auc_score(unknown, values, sample_weight=row) for row in weights]
    assert ranked.auroc(weights) == pytest.approx(slow)
    for row, share in zip(weights, ranked.fpr(weights)):
        repeated = np.repeat(np.arange(size), row.astype(int))
        drawn, strange = values[repeated], unknown[repeated]
        border = next(v for v in np.sort(drawn) if (drawn[~strange] <= v).mean() >= 0.95)
        assert share == pytest.approx((drawn[strange] <= border).mean())


def test_the_interval_covers_the_truth() -> None:
    """Known ~ N(0, 1), unknown ~ N(1, 1): AUROC 0.7602."""
    unknown = np.arange(180) >= 120
    samples = novelty._resampled(np.arange(180), unknown, 0)
    covered = 0
    for seed in range(100):
        values = np.random.default_rng(seed).normal(unknown.astype(np.float64), 1)
        low, high = novelty._interval(novelty._Ranked(values, unknown, unknown).auroc(samples))
        covered += low <= 0.76025 <= high
    assert 88 <= covered <= 99  # 95 is the rate


def test_people_are_resampled_whole() -> None:
    """Ten pictures of each of 12 people that look alike tell no more than one each."""
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=12), 10)
    unknown = np.repeat(np.arange(12) < 5, 10)
    by_picture = detect(values, unknown, ~unknown)
    by_person = detect(values, unknown, ~unknown, np.repeat(np.arange(12), 10))
    assert by_person.auroc == by_picture.auroc
    widths = [high - low for low, high in (by_person.auroc_interval, by_picture.auroc_interval)]
    assert widths[0] > 2 * widths[1]


# --- a gallery --------------------------------------------------------------------------------------------------------


def scene(metric: str, seed: int = 0) -> tuple[Gallery, np.ndarray, list[str]]:
    """A gallery of three emotions and queries around the same centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 5))
    card = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 5)
    own, asked = rng.integers(0, 3, 60), rng.integers(0, 3, 45)
    vectors, queries = ((centres[x] + rng.normal(0, 0.8, (len(x), 5))).astype(np.float32) for x in (own, asked))
    gallery = Gallery.build(vectors, [EMOTIONS[i] for i in own], tower=card, metric=metric)
    return gallery, queries, [EMOTIONS[i] for i in asked]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("left_out", [["fear"], ["Angry", "miedo"]])
def test_against_a_gallery_that_never_had_them(metric: str, left_out: list[str]) -> None:
    gallery, queries, truth = scene(metric)
    found = open_set(gallery, queries, truth, left_out, 4)
    gone = {"fear"} if len(left_out) == 1 else {"anger", "fear"}
    assert set(found.left_out) == gone
    kept = [i for i, reference in enumerate(gallery.references) if reference.label not in gone]
    rest = Gallery.build(
        gallery.vectors[kept], [gallery.references[i].label for i in kept], tower=gallery.tower, metric=metric
    )
    answers = rest.classify(queries, 4)
    unknown = [name in gone for name in truth]
    right = [answer.emotion == name for answer, name in zip(answers, truth)]
    slow = {
        "nearest distance": [answer.neighbours[0].distance for answer in answers],
        "mean distance": [np.mean([near.distance for near in answer.neighbours]) for answer in answers],
        "vote share": [1 - answer.confidence for answer in answers],
    }
    assert tuple(slow) == NOVELTY
    for name, values in slow.items():
        score = found.scores[name]
        assert score.auroc == pytest.approx(metrics.roc_auc_score(unknown, values))
        assert score.aupr == pytest.approx(metrics.average_precision_score(unknown, values))
        assert score.risk_at_all == pytest.approx(1 - np.mean(right))
        low, high = score.auroc_interval
        assert low <= score.auroc <= high
    assert (found.n_known, found.n_unknown) == (unknown.count(False), unknown.count(True))
    assert found.accuracy == pytest.approx(np.mean([r for r, u in zip(right, unknown) if not u]))
    assert len(gallery) == 60
    assert gallery.emotions == EMOTIONS


def test_an_emotion_no_gallery_ever_held_and_one_nobody_asks_for() -> None:
    gallery, queries, truth = scene("cosine")
    renamed = ["contempt" if name == "fear" else "boredom" if name == "anger" else name for name in truth]
    found = open_set(gallery, queries, renamed, ["contempt"], 3)
    assert (found.n_known, found.n_unknown) == (truth.count("sadness"), truth.count("fear"))


def test_seeded_and_plain() -> None:
    import json

    gallery, queries, truth = scene("cosine")
    one, again, other = (open_set(gallery, queries, truth, ["fear"], 3, seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    plain = json.loads(json.dumps(one.to_json()))
    assert plain["left_out"] == ["fear"]
    assert plain["scores"]["vote share"]["curve"][-1] == [
        1.0,
        pytest.approx(plain["scores"]["vote share"]["risk_at_all"]),
    ]


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"left_out": []}, DataError, "no emotion was to be left out"),
        ({"left_out": list(EMOTIONS)}, DataError, "leaves 0 emotions"),
        ({"left_out": ["boredom"]}, DataError, "no picture asked about shows it"),
        ({"truth": ["fear"] * 45}, DataError, "No picture asked about shows an emotion that is still"),
        ({"truth": ["sadness"] * 45}, DataError, "no picture asked about shows it"),
        ({"truth": ["fear"]}, DataError, "differ in number"),
        ({"people": ["A"]}, DataError, "differ in number"),
        ({"n_neighbors": 58}, GalleryError, "58 neighbours"),
        ({"n_neighbors": 0}, ConfigError, "0 neighbours"),
        ({"weights": "heavy"}, ConfigError, "heavy"),
        ({"queries": np.full((45, 5), np.nan, np.float32)}, GalleryError, "NaN"),
        ({"queries": np.ones((45, 4), np.float32)}, GalleryError, "shape"),
    ],
)
def test_impossible_questions(changes: dict[str, Any], error: type[EmotionsError], said: str) -> None:
    gallery, queries, truth = scene("cosine")
    asked: dict[str, Any] = {"queries": queries, "truth": truth, "left_out": ["fear"], "n_neighbors": 3, **changes}
    with pytest.raises(error, match=said) as caught:
        open_set(gallery, **asked)
    assert "\n" not in str(caught.value)
