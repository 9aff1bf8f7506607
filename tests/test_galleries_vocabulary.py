from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries.errors import DataError
from galleries.vocabulary import (
    _ALIASES,
    ALIASES,
    CANONICAL,
    FER2013_LABELS,
    SPANISH,
    canonical,
    canonical_list,
    fold,
    is_known,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Angry", "anger"),
        ("enojo", "anger"),
        ("AN", "anger"),
        ("Alegría ", "happiness"),
        ("happy", "happiness"),
        ("Suprise", "surprise"),
        ("desagrado", "contempt"),
        ("disgusto", "disgust"),
        ("boredom", "boredom"),
        ("Very Tired!", "very_tired"),
    ],
)
def test_spellings(name: str, expected: str) -> None:
    assert canonical(name) == expected


def test_contempt_and_disgust_stay_apart() -> None:
    assert canonical("desagrado") != canonical("disgusto")


def test_no_alias_belongs_to_two_emotions() -> None:
    aliases = [alias for names in _ALIASES.values() for alias in names]
    assert len(aliases) == len(set(aliases))
    assert set(ALIASES.values()) == set(CANONICAL) == set(SPANISH)
    assert all(fold(alias) == alias for alias in ALIASES)
    assert sorted(CANONICAL) == list(CANONICAL)
    assert all(canonical(spanish) == name for name, spanish in SPANISH.items())
    assert set(FER2013_LABELS) == set(CANONICAL) - {"contempt"}


def test_a_data_sets_own_codes_come_first() -> None:
    assert canonical("0", {"0": "fear"}) == "fear"
    assert canonical("AF", {"af": "anger"}) == "anger"
    assert canonical("sad", {"0": "fear"}) == "sadness"


@pytest.mark.parametrize("name", ["", "   ", "!?", "悲しい"])
def test_a_name_without_letters_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="no letter or digit"):
        canonical(name)
    assert not is_known(name)


def test_lists_keep_order_and_lose_repeats() -> None:
    assert canonical_list(["sad", "Angry", "tristeza", "boredom"]) == ["sadness", "anger", "boredom"]


@given(st.text())
def test_canonical_is_stable_and_plain(name: str) -> None:
    try:
        once = canonical(name)
    except DataError:
        assert fold(name) == ""
        return
    assert canonical(once) == once
    assert once == fold(once)
    assert once.isascii()
    assert is_known(name) == (once in CANONICAL)
    assert canonical(f"  {name.upper() if name.isascii() else name}\t") == once
