"""Episodes share nobody between shots and queries, and are drawn evenly."""

from __future__ import annotations

import lzma
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_pools import dataset_of

from eval.episodes import Episodes, Pool, draw_episodes, inseparable
from galleries.errors import ConfigError, DataError, EmotionsError
from siamese.datasets import load_dataset
from siamese.datasets.base import FaceDataset

pytest.importorskip("sklearn", reason="the judging part is not installed")

FER2013 = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "fer2013.csv.xz"


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


@settings(max_examples=60)
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


# --- beside the tower's own gallery -----------------------------------------------------------------------------------


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
