"""Episodes share nobody between shots and queries; heads answer as slow oracles do; random vectors lie at chance."""

from __future__ import annotations

import lzma
from itertools import islice
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.episodes import Episodes, Pool, draw_episodes, inseparable
from eval.few_shot import UNSHARED, Mean, gallery_answers, score_episodes
from eval.heads import HEADS, TITLES, logistic_regression
from galleries.encoder import TowerCard
from galleries.errors import ConfigError, DataError, EmotionsError, GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from siamese.datasets import load_dataset
from siamese.datasets.base import FaceDataset, PixelStore

pytest.importorskip("sklearn", reason="the judging part is not installed")

NAMES = ("anger", "contempt", "fear", "sadness", "surprise")
FER2013 = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "fer2013.csv.xz"


def dataset_of(
    labels: Any,
    pictures: Any = None,
    subjects: Optional[list[str]] = None,
    sequences: Optional[list[str]] = None,
) -> FaceDataset:
    """Faces of 2x2 pixels; equal numbers in ``pictures`` are exact copies."""
    size = len(labels)
    shown = np.arange(size) if pictures is None else np.asarray(pictures)
    pixels = np.stack([shown // 256, shown % 256, shown * 0, shown * 0], axis=1).astype(np.uint8).reshape(size, 2, 2)
    return FaceDataset(
        "drawn",
        "folder",
        Path("drawn"),
        NAMES,
        np.asarray(labels, np.int64),
        tuple(f"row:{row}" for row in range(size)),
        PixelStore.from_array(pixels),
        np.arange(size),
        None if subjects is None else tuple(subjects),
        None if sequences is None else tuple(sequences),
    )


def like_ckplus(people: int = 40, seed: int = 0) -> FaceDataset:
    """People with some films of three frames each, one emotion a film; a few frames are copies of others'."""
    rng = np.random.default_rng(seed)
    labels, subjects, sequences = [], [], []
    for person in range(people):
        for label in rng.choice(5, rng.integers(1, 5), replace=False):
            labels += [int(label)] * 3
            subjects += [f"S{person}"] * 3
            sequences += [f"S{person}_{label}"] * 3
    pictures = np.arange(len(labels))
    pictures[rng.choice(len(labels), 6, replace=False)] = 7
    return dataset_of(labels, pictures, subjects, sequences)


def shares_nothing(dataset: FaceDataset, pool: Pool, episodes: Episodes) -> None:
    """What the module promises, checked from the data set itself."""
    columns: list[Any] = [np.array(dataset.digests())]
    columns += [np.array(known) for known in (dataset.subjects, dataset.sequences) if known is not None]
    for shots, asked in zip(episodes.support, episodes.queries):
        for column in columns:
            assert not set(column[pool.rows[shots]].ravel()) & set(column[pool.rows[asked]].ravel())
        assert len(np.unique(shots)) == shots.size
        assert len(np.unique(asked)) == asked.size
    classes = episodes.classes[:, :, None]
    assert (pool.labels[episodes.support] == classes).all()
    assert (pool.labels[episodes.queries] == classes).all()
    assert (np.diff(episodes.classes, axis=1) > 0).all()


def gaussian(n_way: int, size: int, noise: float, seed: int = 0, dim: int = 6) -> tuple[Pool, np.ndarray]:
    """Vectors around centres, and their pool."""
    rng = np.random.default_rng(seed)
    labels = np.arange(size) % n_way
    vectors = rng.normal(size=(n_way, dim))[labels] + rng.normal(0, noise, (size, dim))
    return Pool.of(dataset_of(labels)), vectors.astype(np.float32)


# --- drawing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_way", "n_shot", "n_query"), [(5, 1, 15), (3, 5, 10), (5, 10, 10), (2, 20, 5)])
def test_thousands_of_episodes_share_nobody(n_way: int, n_shot: int, n_query: int) -> None:
    dataset = like_ckplus()
    pool = Pool.of(dataset)
    episodes = draw_episodes(pool, n_way, n_shot, n_query, 800)
    assert episodes.support.shape == (800, n_way, n_shot)
    assert episodes.queries.shape == (800, n_way, n_query)
    assert (episodes.n_way, episodes.n_shot, episodes.n_query, len(episodes)) == (n_way, n_shot, n_query, 800)
    shares_nothing(dataset, pool, episodes)
    assert len(np.unique(episodes.support)) == len(pool)  # every picture has its turn


faces = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 11), st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=70
)


@settings(max_examples=60, deadline=None)
@given(faces, st.integers(1, 3), st.integers(1, 3), st.booleans(), st.booleans(), st.integers(0, 2**31))
def test_any_data_set_is_kept_apart_or_refused(
    rows: list[tuple[int, int, int, int]], n_shot: int, n_query: int, people: bool, films: bool, seed: int
) -> None:
    labels, subjects, pictures, sequences = (list(column) for column in zip(*rows))
    who = [f"S{s}" for s in subjects] if people else None
    dataset = dataset_of(labels, pictures, who, [f"F{s}" for s in sequences] if films else None)
    pool = Pool.of(dataset)
    enough = len(pool.classes) > 1 and all(pool.size(label)[1] >= 2 * (n_shot + n_query) for label in pool.classes)
    try:
        episodes = draw_episodes(pool, 2, n_shot, n_query, 20, seed)
    except EmotionsError:
        assert not enough
        return
    shares_nothing(dataset, pool, episodes)


def test_two_people_under_one_copied_picture_are_one_group() -> None:
    groups = inseparable(dataset_of([0] * 5, [0, 1, 1, 2, 3], ["A", "A", "B", "C", "D"], ["a", "a", "b", "c", "c"]))
    assert groups.tolist() == [0, 0, 0, 1, 1]


def test_draws_are_seeded() -> None:
    pool = Pool.of(like_ckplus())
    first, again, other = (draw_episodes(pool, 3, 2, 5, 30, seed) for seed in (1, 1, 2))
    assert (first.support == again.support).all()
    assert (first.queries == again.queries).all()
    assert (first.support != other.support).any()


def test_every_class_and_picture_is_drawn_as_often() -> None:
    pool = Pool.of(dataset_of(np.arange(120) % 4))
    episodes = draw_episodes(pool, 2, 3, 4, 2000)
    assert np.bincount(episodes.classes.ravel()) / 4000 == pytest.approx(0.25, abs=0.03)
    for part, count in ((episodes.support, 3), (episodes.queries, 4)):
        assert np.bincount(part.ravel(), minlength=120) == pytest.approx(4000 * count / 120, rel=0.35)


def test_what_was_trained_on_and_its_kin_is_left_out() -> None:
    subjects = ["A", "A", "B", "B", "C", "C", "D", "D"]
    dataset = dataset_of([0, 1] * 4, [0, 1, 2, 3, 4, 5, 6, 2], subjects)  # B and D share a picture
    pool = Pool.of(dataset, touched=np.array([0, 2]))
    assert pool.rows.tolist() == [4, 5]
    assert pool.unit == "people"
    assert Pool.of(dataset, ["contempt"]).rows.tolist() == [1, 3, 5, 7]
    assert len(Pool.of(dataset, ["contempt"], np.array([0, 2]))) == 1


def test_too_few_are_named_with_their_counts() -> None:
    labels = [0] * 30 + [1] * 30 + [2] * 4
    subjects = [f"S{row % 10}" for row in range(30)] + ["T"] * 30 + [f"S{row}" for row in range(4)]
    pool = Pool.of(dataset_of(labels, None, subjects))
    with pytest.raises(DataError, match=r"contempt \(30 pictures of 1 person\), fear \(4 pictures of 4 people\)"):
        draw_episodes(pool, 3, 5, 5)
    assert draw_episodes(Pool.of(dataset_of(labels, None, None)), 3, 1, 3, 5).n_way == 3


def test_people_that_cannot_be_divided_are_named() -> None:
    subjects = ["A", "B"] * 3 + ["A", "A", "A", "B"]  # B's one picture of fear is enough for neither side
    pool = Pool.of(dataset_of([0] * 6 + [2] * 4, None, subjects))
    with pytest.raises(DataError, match=r"fear \(4 pictures of 2 people\) stands in the way"):
        draw_episodes(pool, 2, 2, 2, 300)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_way": 1}, "1 ways were asked for and 5 emotions"),
        ({"n_way": 6}, "6 ways were asked for and 5 emotions"),
        ({"n_shot": 0}, "0 shots were asked for"),
        ({"n_query": 0}, "0 queries were asked for"),
        ({"n_episodes": -1}, "-1 episodes were asked for"),
    ],
)
def test_numbers_that_make_no_sense(options: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        draw_episodes(Pool.of(like_ckplus()), **options)


def test_nothing_to_draw_from() -> None:
    with pytest.raises(ConfigError, match=r"0 emotions are there \(none\)"):
        draw_episodes(Pool.of(like_ckplus(), touched=np.arange(len(like_ckplus()))), 2)


# --- heads ------------------------------------------------------------------------------------------------------------


def slow_knn(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, metric: str, k: int) -> list[int]:
    """A real gallery of the shots."""
    card = TowerCard("tiny", "ab", InputSpec(8, 8, 1), support.shape[1])
    gallery = Gallery.build(support, [NAMES[label] for label in labels], tower=card, metric=metric)
    return [NAMES.index(name) for name in gallery.predict(queries, k)]


def slow_mean(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, metric: str, k: int) -> list[int]:
    answers = []
    for query in queries.astype(np.float64):
        distances = []
        for label in range(labels.max() + 1):
            own = support[labels == label].astype(np.float64)
            if metric == "cosine":
                mean = np.mean([v / np.linalg.norm(v) for v in own], axis=0)
                distances.append(1 - mean @ query / np.linalg.norm(mean) / np.linalg.norm(query))
            else:
                distances.append(float(np.linalg.norm(query - own.mean(axis=0))))
        answers.append(int(np.argmin(distances)))
    return answers


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(("head", "oracle"), [("knn", slow_knn), ("prototype", slow_mean)])
def test_accuracy_against_a_slow_oracle(metric: str, head: str, oracle: Any) -> None:
    pool, vectors = gaussian(4, 120, 1.0)
    episodes = draw_episodes(pool, 3, 5, 6, 25)
    found = score_episodes(pool, vectors, episodes, metric, [head])
    labels = np.repeat(np.arange(3), 5)
    accuracies, recalls = [], {name: [] for name in NAMES[:4]}  # type: ignore[var-annotated]
    for classes, shots, asked in zip(episodes.classes, episodes.support, episodes.queries):
        answers = np.array(oracle(vectors[shots.ravel()], labels, vectors[asked.ravel()], metric, 5)).reshape(3, 6)
        accuracies.append(np.mean(answers == np.arange(3)[:, None]))
        for place, label in enumerate(classes):
            recalls[NAMES[label]].append(np.mean(answers[place] == place))
    assert found.heads[head].accuracy.mean == pytest.approx(np.mean(accuracies))
    for name, shares in recalls.items():
        assert found.heads[head].recalls[name].mean == pytest.approx(np.mean(shares))
    assert found.chance == pytest.approx(1 / 3)
    assert found.n_neighbors == 5


def test_logistic_regression_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    pool, vectors = gaussian(4, 80, 0.7)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = pool.labels
    slow = LogisticRegression(tol=1e-9, max_iter=20000).fit(unit[:40].astype(np.float64), labels[:40])
    shares = np.sort(slow.predict_proba(unit[40:]), axis=1)
    clear = shares[:, -1] - shares[:, -2] > 0.01
    answers = logistic_regression(vectors[:40], labels[:40], vectors[40:], "cosine", 1)
    assert clear.mean() > 0.8
    assert (answers == slow.predict(unit[40:]))[clear].all()


@pytest.mark.parametrize("head", list(HEADS))
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_heads_do_not_depend_on_the_vectors_scale(head: str, metric: str) -> None:
    pool, vectors = gaussian(3, 90, 0.8)
    episodes = draw_episodes(pool, 3, 4, 5, 10)
    one, other = (score_episodes(pool, vectors * s, episodes, metric, [head]) for s in (np.float32(1), np.float32(64)))
    assert one.heads[head].accuracy.mean == pytest.approx(other.heads[head].accuracy.mean, abs=0.01)
    assert one.heads[head].accuracy.mean > 0.5


@pytest.mark.parametrize("n_shot", [1, 5])
def test_random_vectors_lie_at_chance(n_shot: int) -> None:
    rng = np.random.default_rng(3)
    pool = Pool.of(dataset_of(np.arange(1500) % 5))
    vectors = rng.normal(size=(1500, 16)).astype(np.float32)
    episodes = draw_episodes(pool, 5, n_shot, 15, 60)
    found = score_episodes(pool, vectors, episodes, "cosine")
    assert set(found.heads) == set(HEADS) == set(TITLES)
    for score in found.heads.values():
        assert score.accuracy.mean == pytest.approx(0.2, abs=0.03)


def test_separate_classes_are_always_right_and_progress_is_told() -> None:
    pool, vectors = gaussian(5, 100, 0.01)
    told: list[tuple[int, int]] = []
    episodes = draw_episodes(pool, 5, 2, 3, 8)
    found = score_episodes(pool, vectors, episodes, "cosine", progress=lambda done, total: told.append((done, total)))
    for score in found.heads.values():
        assert score.accuracy == Mean(1.0, (1.0, 1.0))
        assert all(recall.mean == 1 for recall in score.recalls.values())
    assert told == [(n, 8) for n in range(1, 9)]
    plain = found.to_json()
    assert plain["heads"]["knn"]["accuracy"] == {"mean": 1.0, "interval_95": [1.0, 1.0]}
    assert plain["gallery"] is None


def test_more_shots_that_vote_than_there_are() -> None:
    pool, vectors = gaussian(3, 60, 0.1)
    episodes = draw_episodes(pool, 3, 1, 3, 2)
    with pytest.raises(GalleryError, match="the gallery holds 3"):
        score_episodes(pool, vectors, episodes, "cosine", ["knn"], 4)
    with pytest.raises(ConfigError, match=r"'svm' is not a known few-shot head"):
        score_episodes(pool, vectors, episodes, "cosine", ["svm"])


def test_means_over_episodes() -> None:
    assert Mean.over(np.array([0.5, np.nan])) == Mean(0.5, None)
    assert Mean.over(np.array([np.nan])) is None
    found = Mean.over(np.array([0.0, 1.0, 0.5]))
    assert found is not None
    assert found.interval is not None
    assert (found.mean, found.interval[0]) == (0.5, pytest.approx(0.5 - 4.302653 * 0.5 / 3**0.5))


# --- beside the tower's own gallery -----------------------------------------------------------------------------------


def test_the_towers_own_gallery_on_the_same_queries() -> None:
    """It knows anger and fear, and happiness, which is not asked about."""
    pool, vectors = gaussian(3, 90, 0.05)
    card = TowerCard("tiny", "ab", InputSpec(8, 8, 1), 6)
    known = np.array([0, 2, 3, 5])  # two of anger, two of fear
    names = [NAMES[label] for label in pool.labels[known]]
    gallery = Gallery.build(vectors[known], names, tower=card)
    gallery.add(-vectors[:1], ["happiness"])
    episodes = draw_episodes(pool, 2, 2, 4, 40)
    answers = gallery_answers(gallery, pool, vectors, episodes.places, 1)
    assert (answers[pool.labels == 1] == UNSHARED).all()
    found = score_episodes(pool, vectors, episodes, "cosine", gallery=answers)
    assert found.gallery == Mean(1.0, (1.0, 1.0))
    for score in found.heads.values():
        assert score.shared is not None
        assert score.shared.mean == pytest.approx(1.0)
    wrong = np.where(answers == UNSHARED, UNSHARED, -1)  # happiness, whatever is asked
    assert score_episodes(pool, vectors, episodes, "cosine", ["knn"], gallery=wrong).gallery == Mean(0.0, (0.0, 0.0))


def test_only_shared_emotions_count_beside_the_gallery() -> None:
    pool, vectors = gaussian(2, 60, 0.01)
    vectors[1::2] = np.random.default_rng(0).normal(size=(30, 6))  # contempt is noise
    answers = np.where(pool.labels == 0, 0, UNSHARED)
    episodes = draw_episodes(pool, 2, 3, 5, 20)
    score = score_episodes(pool, vectors, episodes, "cosine", ["prototype"], gallery=answers).heads["prototype"]
    assert score.shared is not None
    assert score.shared.mean == pytest.approx(score.recalls["anger"].mean)
    assert score.shared.mean > score.accuracy.mean


# --- real faces -------------------------------------------------------------------------------------------------------


def test_copies_in_fer2013_stay_on_one_side(tmp_path: Path) -> None:
    if not FER2013.exists():
        pytest.skip(f"{FER2013} is not here")
    with lzma.open(FER2013, "rt") as lines:  # a part: the whole takes seconds
        (tmp_path / "part.csv").write_text("".join(islice(lines, 3001)))
    dataset = load_dataset(tmp_path / "part.csv", cache=False)
    pool = Pool.of(dataset, touched=np.arange(1000))
    digests = np.array(dataset.digests())
    assert not set(digests[pool.rows]) & set(digests[:1000])
    assert len(dataset) - 1000 - len(pool) == int(np.isin(digests[1000:], digests[:1000]).sum()) > 0
    assert len(np.unique(digests[pool.rows])) < len(pool)
    shares_nothing(dataset, pool, draw_episodes(pool, 7, 5, 10, 50))
