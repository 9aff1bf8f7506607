"""A split on disk: it comes back, or says why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_datasets import dataset_of, people

from galleries.errors import SplitError
from siamese.split_file import learned_rows, taught_by
from siamese.splits import load_split, make_split


def test_a_saved_split_comes_back(tmp_path: Path) -> None:
    dataset = people()
    split = make_split(dataset, "subject", (0.6, 0.2, 0.2), seed=3)
    split.save(tmp_path / "run/split.json", dataset)
    turned = dataset.subset(np.arange(len(dataset))[::-1])
    back, other = load_split(tmp_path / "run/split.json", dataset), load_split(tmp_path / "run/split.json", turned)
    for name, rows in split.parts().items():
        assert np.array_equal(back.parts()[name], rows)
        assert {turned.ids[int(row)] for row in other.parts()[name]} == {dataset.ids[int(row)] for row in rows}
    assert (back.method, back.seed, back.ratios, back.digest) == ("subject", 3, (0.6, 0.2, 0.2), split.digest)
    assert back.notes == split.notes
    grown = people(21)
    assert "6 pictures of toy are in no part" in load_split(tmp_path / "run/split.json", grown).notes[-1]
    with pytest.raises(SplitError, match=r"names \d+ of 120 pictures that are not in toy .*such as 'face"):
        load_split(tmp_path / "run/split.json", dataset.select(["fear", "anger"]))


def test_a_damaged_split_file_gives_a_sentence(tmp_path: Path) -> None:
    dataset = people()
    path = tmp_path / "split.json"
    with pytest.raises(SplitError, match="does not exist"):
        load_split(path, dataset)
    split = make_split(dataset)
    split.save(path, dataset)
    body = json.loads(path.read_text())
    changes = [
        {"train": body["train"][1:]},
        {"train": [*body["train"], body["test"][0]]},
        {"train": body["test"], "test": body["train"]},
        {"digest": "0"},
        {"version": 2},
        {"train": None},
        {"test": [1, 2]},
        {"ratios": [1]},
        {"seed": "x"},
        {"notes": [[]]},
        {"method": None},
    ]
    for change in changes:
        path.write_text(json.dumps({**body, **change}))
        with pytest.raises(SplitError, match="make a new split"):
            load_split(path, dataset)
    for text in ("", "[]", "{", json.dumps(body)[:-40], "null"):
        path.write_text(text)
        with pytest.raises(SplitError, match="make a new split"):
            load_split(path, dataset)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SplitError, match="cannot be read"):
        load_split(path, dataset)


def test_a_tower_s_lesson_is_found_again_where_it_can_be_told() -> None:
    parts = ["train", "train", "val", "test", "train", "test"]
    dataset = dataset_of([0, 1, 0, 1, 0, 1], official=parts)
    official, drawn = make_split(dataset, "official"), make_split(dataset, "random", (0.5, 0.2, 0.3), seed=2)
    taught = taught_by(dataset, official)
    assert (taught.data, taught.split, taught.digest) == ("toy", "official", official.digest)
    assert learned_rows(dataset, official, taught).tolist() == [0, 1, 4]
    assert learned_rows(replace(dataset, name="toy+ferplus"), official, taught).tolist() == [0, 1, 4]
    assert learned_rows(dataset, drawn, taught).tolist() == [0, 1, 4]  # the official parts are still known
    assert learned_rows(dataset, official, replace(taught, digest="cleaned")).tolist() == [0, 1, 4]
    by_chance = taught_by(dataset, drawn)
    assert learned_rows(dataset, drawn, by_chance).tolist() == drawn.train.tolist()
    assert learned_rows(dataset, official, by_chance) is None
    assert learned_rows(replace(dataset, official=None), drawn, taught) is None
    assert learned_rows(replace(dataset, name="other"), official, taught).tolist() == []
