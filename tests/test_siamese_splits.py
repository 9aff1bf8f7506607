"""Splits: groups never cross, classes are balanced, what cannot be split is refused, and a saved split comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_datasets import covers, dataset_of, disjoint, people, sides

from galleries.errors import ConfigError, SplitError
from siamese.allotting import allot
from siamese.splits import check_trainable, choose_method, k_folds, make_split, parse_ratios


@pytest.mark.parametrize("seed", range(5))
def test_subject_disjoint_also_keeps_copies_together(seed: int) -> None:
    dataset = people()
    split = make_split(dataset, "subject", seed=seed)
    assert covers(split, dataset)
    assert dataset.subjects is not None
    assert disjoint(sides(split, dataset.subjects))
    assert disjoint(sides(split, tuple(dataset.digests())))
    side = [sides(split, dataset.subjects).index(part) for part in sides(split, dataset.subjects) if "s00" in part]
    assert "s19" in sides(split, dataset.subjects)[side[0]]  # they share a picture
    sizes = [len(rows) for rows in split.parts().values()]
    assert sizes == pytest.approx([84, 18, 18], abs=6)
    for rows in split.parts().values():
        counts = list(dataset.counts(rows).values())
        assert max(counts) - min(counts) <= 1
    assert (split.method, split.seed, split.notes) == ("subject", seed, ())


def test_sequence_split_may_share_people_but_no_sequence() -> None:
    dataset = people()
    split = make_split(dataset, "sequence")
    assert dataset.sequences is not None
    assert dataset.subjects is not None
    assert disjoint(sides(split, dataset.sequences))
    assert not disjoint(sides(split, dataset.subjects))


def test_duplicate_split_keeps_copies_and_random_does_not() -> None:
    dataset = dataset_of([row % 3 for row in range(60)], copies={row: row - 30 for row in range(30, 60)})
    digests = tuple(dataset.digests())
    assert disjoint(sides(make_split(dataset, "duplicate"), digests))
    assert not disjoint(sides(make_split(dataset, "random"), digests))


def test_auto_prefers_official_then_subjects_then_duplicates() -> None:
    labels = [0, 1, 2] * 4
    official = ["train"] * 9 + ["test"] * 3
    assert choose_method(dataset_of(labels, official=official, subjects=list("abcdef" * 2))) == "official"
    assert choose_method(dataset_of(labels, subjects=list("abcdef" * 2))) == "subject"
    assert choose_method(dataset_of(labels, subjects=list("ab" * 6))) == "duplicate"
    assert choose_method(dataset_of(labels)) == "duplicate"
    assert make_split(dataset_of(labels)).method == "duplicate"
    assert choose_method(dataset_of(labels, official=["val"] * 9 + ["test"] * 3)) == "duplicate"


def test_official_split_is_kept_as_it_is() -> None:
    official = ["train", "val", "test"] * 10
    dataset = dataset_of([row // 3 % 3 for row in range(30)], official=official)
    split = make_split(dataset, ratios=(0.5, 0.25, 0.25), seed=7)
    for name, rows in split.parts().items():
        assert {official[int(row)] for row in rows} == {name}
    assert split.digest == make_split(dataset, seed=8).digest
    assert split.ratios == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_official_without_validation_carves_it_from_training_by_person() -> None:
    dataset = replace(people(), official=tuple(["train"] * 90 + ["test"] * 30))
    split = make_split(dataset)
    assert split.test.tolist() == list(range(90, 120))
    assert len(split.val) == pytest.approx(90 * 0.15 / 0.85, abs=6)
    assert dataset.subjects is not None
    assert disjoint(sides(split, dataset.subjects)[:2])
    assert "pictures for validation were taken from the training part, grouped by subject" in split.notes[0]
    assert len(make_split(dataset, ratios=(0.8, 0, 0.2)).val) == 0


def test_official_without_a_test_part_tests_on_validation() -> None:
    dataset = dataset_of([0, 1, 2] * 10, official=["train"] * 24 + ["val"] * 6)
    split = make_split(dataset)
    assert split.test.tolist() == list(range(24, 30))
    assert len(split.val) > 0
    assert "its validation part is tested on" in split.notes[0]


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    dataset = people()
    splits = [make_split(dataset, "subject", seed=seed) for seed in (3, 3, 4)]
    assert splits[0].digest == splits[1].digest != splits[2].digest
    assert np.array_equal(splits[0].train, splits[1].train)


def test_the_digest_follows_ids_not_row_order() -> None:
    dataset = dataset_of([0, 1] * 6, official=["train"] * 8 + ["val"] * 2 + ["test"] * 2)
    turned = dataset.subset(np.arange(11, -1, -1))
    assert make_split(dataset).digest == make_split(turned).digest


def test_every_part_gets_a_group_even_when_there_are_only_three() -> None:
    dataset = dataset_of([0, 1] * 6, subjects=["a"] * 4 + ["b"] * 4 + ["c"] * 4)
    for seed in range(10):
        assert [len(rows) for rows in make_split(dataset, seed=seed).parts().values()] == [4, 4, 4]


def test_groups_of_unequal_size_fill_the_parts_as_well_as_they_can() -> None:
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(0, 3, 400), rng.zipf(1.6, 400).clip(max=60)
    parts = allot(labels, groups, (0.7, 0.15, 0.15), seed=0)
    for group in np.unique(groups):
        assert len(set(parts[groups == group])) == 1
    assert np.bincount(parts, minlength=3) / 400 == pytest.approx([0.7, 0.15, 0.15], abs=0.1)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8)), min_size=3, max_size=60), st.integers(0, 99))
def test_allotting_never_tears_a_group_and_fills_every_part(rows: list[tuple[int, int]], seed: int) -> None:
    labels = np.array([label for label, _ in rows])
    groups = np.array([group for _, group in rows])
    if len(set(groups.tolist())) < 3:
        with pytest.raises(SplitError, match="cannot fill 3 parts"):
            allot(labels, groups, (0.6, 0.2, 0.2), seed)
        return
    parts = allot(labels, groups, (0.6, 0.2, 0.2), seed)
    assert all(len(set(parts[groups == group].tolist())) == 1 for group in groups)
    assert set(parts.tolist()) == {0, 1, 2}


def test_a_class_that_cannot_be_on_both_sides_is_refused() -> None:
    with pytest.raises(SplitError, match="happiness has only 1 picture in toy"):
        make_split(dataset_of([0, 1] * 10 + [2]))
    dataset = dataset_of([0, 1] * 6 + [2] * 3, subjects=[*"abcdefabcdef", "g", "g", "g"])
    with pytest.raises(SplitError, match=r"happiness has 3 pictures that all belong together \(method subject\)"):
        make_split(dataset, "subject")
    official = ["train"] * 8 + ["test"] * 4
    with pytest.raises(SplitError, match=r"No training picture of happiness \(2\) is left by the official split"):
        make_split(dataset_of([0, 1] * 5 + [2, 2], official=official))


def test_a_class_absent_from_the_test_is_noted() -> None:
    dataset = dataset_of([0, 1] * 6 + [2, 2], subjects=[*"abcdefabcdef", "a", "b"])
    split = make_split(dataset, "subject")
    assert any("The test part has no picture of anger, happiness" in note for note in split.notes)
    assert dataset.counts(split.train)["happiness"] > 0


def test_what_the_data_set_lacks_is_named() -> None:
    dataset = dataset_of([0, 1] * 6)
    for method in ("subject", "sequence"):
        with pytest.raises(SplitError, match=f"does not say which {method} a picture belongs to"):
            make_split(dataset, method)
    with pytest.raises(SplitError, match="no official split"):
        make_split(dataset, "official")
    with pytest.raises(ConfigError, match="Did you mean 'subject'"):
        make_split(dataset, "subjects")
    with pytest.raises(SplitError, match="must sum to 1"):
        make_split(dataset, ratios=(0.7, 0.2, 0.2))
    with pytest.raises(SplitError, match="must sum to 1"):
        make_split(dataset, ratios=(0.0, 0.5, 0.5))
    with pytest.raises(SplitError, match="from 0 to 16"):
        make_split(dataset, "duplicate", near=64)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("70/15/15", (0.7, 0.15, 0.15)),
        ("80/10/10", (0.8, 0.1, 0.1)),
        ("0.8,0.1,0.1", (0.8, 0.1, 0.1)),
        ("80/20", (0.8, 0, 0.2)),
        ("100/0/0", (1, 0, 0)),
        (" 60 : 20 : 20 ", (0.6, 0.2, 0.2)),
    ],
)
def test_ratios_are_read(text: str, expected: tuple[float, float, float]) -> None:
    assert parse_ratios(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "a/b/c", "70", "70/15", "70/15/15/0", "0/50/50", "-10/60/50", "nan/1/1", "inf/0"])
def test_unreadable_ratios_are_refused(text: str) -> None:
    with pytest.raises(SplitError, match="such as 70/15/15"):
        parse_ratios(text)


@given(st.text(max_size=12))
def test_any_ratio_text_gives_shares_or_a_sentence(text: str) -> None:
    try:
        ratios = parse_ratios(text)
    except SplitError:
        return
    assert sum(ratios) == pytest.approx(1)
    assert min(ratios) >= 0


@pytest.mark.parametrize("method", ["auto", "random", "sequence"])
def test_folds_test_every_picture_once(method: str) -> None:
    dataset = people()
    folds = k_folds(dataset, 5, method, seed=1)
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(len(dataset)))
    for fold in folds:
        assert covers(fold, dataset)
        assert len(fold.val) == pytest.approx(0.15 * 96, abs=8)
        assert len(fold.test) == pytest.approx(24, abs=6)
        if method == "auto":
            assert dataset.subjects is not None
            assert disjoint(sides(fold, dataset.subjects))
    assert len({fold.digest for fold in folds}) == 5
    assert [fold.digest for fold in k_folds(dataset, 5, method, seed=1)] == [fold.digest for fold in folds]


def test_folds_that_cannot_be_made_are_refused() -> None:
    dataset = people(4)
    with pytest.raises(SplitError, match="cannot fill 5 parts"):
        k_folds(dataset, 5, "subject")
    for k, method, val in ((1, "random", 0.1), (3, "official", 0.1), (3, "random", 1.0)):
        with pytest.raises(SplitError, match="2 or more folds"):
            k_folds(dataset, k, method, val=val)
    assert all(len(fold.val) == 0 for fold in k_folds(dataset, 3, "random", val=0))


def test_what_cannot_be_trained_is_refused() -> None:
    dataset = dataset_of([0, 1, 2] * 8)
    split = make_split(dataset, "random")
    check_trainable(dataset, split)
    one = dataset.select(["fear"])
    with pytest.raises(SplitError, match="holds only fear; training needs at least two"):
        check_trainable(one, make_split(one, "random"))
    lone = replace(split, train=split.train[dataset.labels[split.train] != 1])
    with pytest.raises(SplitError, match=r"Too few training pictures of fear \(0\)"):
        check_trainable(dataset, lone)
    first = split.train[dataset.labels[split.train] == 1][:1]
    with pytest.raises(SplitError, match=r"fear \(1\)"):
        check_trainable(dataset, replace(lone, train=np.concatenate([lone.train, first])))
