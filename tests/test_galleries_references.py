"""References as columns: the same as a list of them, whatever is done to both."""

from __future__ import annotations

from dataclasses import replace
from typing import List

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.evidence import Reference
from galleries.references import References, join

NAMES = st.text(st.characters(exclude_categories=[]), max_size=6)
MAYBE = st.none() | st.sampled_from(["Ana", "Ben", ""])
ONE = st.builds(Reference, st.sampled_from(["anger", "fear", "joy"]), NAMES, MAYBE, MAYBE)


def same(columns: References, plain: List[Reference]) -> None:
    assert list(columns) == plain
    assert columns == plain
    assert len(columns) == len(plain)
    names, codes = columns.labels()
    assert names == tuple(sorted({known.label for known in plain}))
    assert [names[code] for code in codes.tolist()] == [known.label for known in plain]
    assert columns.emotions() == [known.label for known in plain]
    assert columns.sources() == [known.source for known in plain]
    assert columns.subjects() == [known.subject for known in plain]
    assert columns.sequences() == [known.sequence for known in plain]
    people = sorted({known.subject for known in plain if known.subject is not None})
    assert columns.people() == people
    for person in ["Ana", "Ben", "", "nobody"]:
        assert columns.places_of(person).tolist() == [i for i, known in enumerate(plain) if known.subject == person]


@given(st.lists(ONE, max_size=12), st.lists(ONE, max_size=5), st.data())
@settings(max_examples=80)
def test_columns_are_what_a_list_would_be(plain: List[Reference], more: List[Reference], data: st.DataObject) -> None:
    columns = References.of(plain)
    same(columns, plain)
    same(columns.joined(more), plain + more)
    places = data.draw(st.lists(st.sampled_from(range(len(plain))), max_size=6)) if plain else []
    at = np.array(places, np.int64)
    same(columns.take(at), [plain[place] for place in places])
    changed = [replace(known, label="pride") if i in places else known for i, known in enumerate(plain)]
    same(columns.relabelled(at, "pride"), changed)
    same(columns, plain)
    same(join([columns, References.of(more), columns]), plain + more + plain)


def test_they_are_a_sequence() -> None:
    plain = [Reference("anger", f"{i}.png", "Ana" if i % 2 else None) for i in range(7)]
    columns = References.of(plain)
    assert References.of(columns) is columns
    assert columns[-1] == plain[-1]
    assert columns[1:6:2] == tuple(plain[1:6:2])
    for beyond in (7, -8):
        with pytest.raises(IndexError):
            columns[beyond]
    assert plain[3] in columns
    assert columns != plain[:-1]
    assert columns != "anger"
    assert hash(columns) == hash(References.of(plain))
    assert len(join([])) == 0


def test_many_take_little_memory() -> None:
    columns = References.of(Reference("anger", f"train/anger/{i:08d}.png", f"S{i % 100}") for i in range(20_000))
    held = len(columns._sources.data) + columns._sources.ends.nbytes
    held += sum(names.codes.nbytes for names in (columns._labels, columns._subjects, columns._sequences))
    assert held / 20_000 < 30 + len("train/anger/00000000.png")
