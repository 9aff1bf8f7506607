"""A record goes to JSON and comes back the same; whatever else is given is refused, naming the place."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries.errors import DataError
from galleries.records import DEEPEST, check_depth, parse_json, read_record


@dataclass(frozen=True)
class Inner:
    number: int
    share: float


@dataclass(frozen=True)
class Outer:
    name: str
    is_on: bool
    perhaps: Optional[float]
    pair: Tuple[float, int]
    many: Tuple[str, ...]
    inner: Inner
    listed: List[Inner]
    by_name: Dict[str, Inner]
    maybe: Optional[Inner]


REALS = st.floats(-1e9, 1e9)
INNER = st.builds(Inner, st.integers(), REALS)
OUTER = st.builds(
    Outer, st.text(), st.booleans(), st.none() | REALS, st.tuples(REALS, st.integers()), st.lists(st.text()).map(tuple),
    INNER, st.lists(INNER), st.dictionaries(st.text(), INNER), st.none() | INNER,
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(OUTER)
def test_it_comes_back(record: Outer) -> None:
    assert read_record(Outer, json.loads(json.dumps(asdict(record)))) == record


@given(OUTER, st.sampled_from([*Outer.__annotations__]), JSON)
def test_a_changed_field_is_refused_or_right(record: Outer, name: str, value: Any) -> None:
    data = json.loads(json.dumps(asdict(record)))
    data[name] = value
    told = ""
    try:
        back = read_record(Outer, data)
    except DataError as error:
        told = str(error)
        data = None
    if data is None:
        assert name in told
    else:
        assert json.loads(json.dumps(asdict(back)))[name] == value


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.pop("inner"), "lacks 'inner'"),
        (lambda d: d.update(odd=1), "'odd' that is not known"),
        (lambda d: d["inner"].update(number=True), "inner.number is a bool where a int"),
        (lambda d: d["inner"].update(share=float("nan")), "inner.share is no finite number"),
        (lambda d: d["inner"].update(share=10**400), "inner.share is no finite number"),
        (lambda d: d.update(pair=[1.0]), "pair has 1 entries where 2"),
        (lambda d: d.update(listed=[3]), r"listed\[0\] is a int where an object"),
        (lambda d: d.update(by_name=[]), "by_name is a list where an object"),
        (lambda d: d.update(name=None), "name is missing where a str"),
    ],
)
def test_what_is_wrong_is_named(change: Any, told: str) -> None:
    inner = Inner(1, 2.0)
    data = json.loads(json.dumps(asdict(Outer("a", True, None, (1.0, 2), (), inner, [inner], {"x": inner}, None))))
    change(data)
    with pytest.raises(DataError, match=told):
        read_record(Outer, data)
    with pytest.raises(DataError, match="an object was expected"):
        read_record(Outer, [])


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max((depth_of(one) for one in inner), default=0)


BRACKETS = st.text('[]{}\\"a\u00e9', max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | BRACKETS,
    lambda inner: st.lists(inner) | st.dictionaries(BRACKETS, inner),
    max_leaves=30,
)


@given(VALUES, st.integers(0, 2 * DEEPEST), st.booleans(), st.booleans())
def test_json_is_read_unless_it_is_nested_too_deeply(value: Any, more: int, is_ascii: bool, as_bytes: bool) -> None:
    for _ in range(more):
        value = [value, "]" * 3]
    text = json.dumps([value, ["["] * DEEPEST], ensure_ascii=is_ascii)
    given_text = text.encode() if as_bytes else text
    if depth_of(json.loads(text)) > DEEPEST:
        with pytest.raises(ValueError, match=f"nested deeper than {DEEPEST}"):
            parse_json(given_text)
    else:
        assert parse_json(given_text) == json.loads(text)


@pytest.mark.parametrize("text", ["[" * 100_000, b"[" * 100_000, '{"a":' * 5000, '"' + "[" * 500, "[" * 101])
def test_brackets_without_end_are_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="nested deeper"):
        parse_json(text)


BRACKETS_ALONE = """
import gc, sys
from galleries.records import parse_json
def deeper(levels):
    return levels and deeper(levels - 1)
gc.callbacks.append(lambda phase, facts: deeper(60))
sys.unraisablehook = lambda told: deeper(60)
gc.set_threshold(1)
for offset in range(50):
    kept = [[] for _ in range(offset)]
    try:
        parse_json(b"[" * 200_000)
    except ValueError:
        continue
    sys.exit("it was read")
"""


def test_a_collector_that_calls_back_does_not_end_the_process() -> None:
    """On Python 3.8 ``json.loads`` is aborted here."""
    done = subprocess.run([sys.executable, "-c", BRACKETS_ALONE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_no_text_is_no_json() -> None:
    with pytest.raises(TypeError):
        parse_json(7)  # type: ignore[arg-type]
    check_depth("[" * DEEPEST)
