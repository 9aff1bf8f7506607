"""Which pictures the runs before a run have learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tiny_faces import tiny_dataset, tiny_split

from galleries.shipped import NAME, open_shipped
from siamese.lineage import known_pictures


def test_a_run_knows_what_its_split_says(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    assert known_pictures(dataset, tmp_path) == set()  # no split
    split = tiny_split(dataset)
    split.save(tmp_path / "split.json", dataset)
    held = {dataset.ids[int(row)] for row in split.test}
    assert known_pictures(dataset, tmp_path) == set(dataset.ids) - held
    assert known_pictures(replace(dataset, name="other"), tmp_path) == set()


def test_what_comes_along_knows_the_official_parts_of_its_data() -> None:
    name = open_shipped(["cpu"]).card["data"]["name"]
    dataset = replace(tiny_dataset(6), official=("train", "val", "test", "train", "test", "val"))
    assert known_pictures(dataset, NAME) == set()
    for same in (name, f"{name}+ferplus"):
        assert known_pictures(replace(dataset, name=same), NAME) == {"row:0", "row:1", "row:3", "row:5"}
    assert known_pictures(replace(dataset, name=name, official=None), NAME) == set(dataset.ids)
