from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries.errors import EncoderMismatch, GalleryError, TowerError
from galleries.images import InputSpec
from galleries.tower_card import TowerCard, check_width

CARD = TowerCard("compact", "00ff" * 8, InputSpec(48, 48, 1), 128)


@given(st.text(min_size=1), st.text("0123456789abcdef", min_size=1), st.integers(1, 4096))
def test_what_is_written_is_read_back(name: str, fingerprint: str, dim: int) -> None:
    card = TowerCard(name, fingerprint, InputSpec(48, 32, 3), dim)
    assert TowerCard.from_json(card.to_json()) == card
    assert TowerCard.of(card) == card
    assert TowerCard.from_json({**card.to_json(), "more": 1}) == card


def test_an_onnx_file_calls_the_name_tower() -> None:
    data = CARD.to_json()
    data["tower"] = data.pop("name")
    assert TowerCard.from_json(data) == CARD


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", ""),
        ("name", 3),
        ("fingerprint", ""),
        ("fingerprint", "xyz"),
        ("fingerprint", None),
        ("input", None),
        ("input", {"height": -1}),
        ("embedding_dim", 0),
        ("embedding_dim", True),
        ("embedding_dim", "128"),
    ],
)
def test_a_wrong_or_missing_field_is_refused(field: str, wrong: Any) -> None:
    data = copy.deepcopy(CARD.to_json())
    data[field] = wrong
    with pytest.raises(TowerError):
        TowerCard.from_json(data)
    del data[field]
    with pytest.raises(TowerError, match="needs a name"):
        TowerCard.from_json(data)


def test_vectors_of_another_length_name_the_tower() -> None:
    check_width(np.zeros((0, 128), np.float32), CARD)
    with pytest.raises(EncoderMismatch, match=r"length 64 .* 'compact' \(00ff"):
        check_width(np.zeros((2, 64), np.float32), CARD)
    with pytest.raises(GalleryError, match=r"shape \(128,\)"):
        check_width(np.zeros(128, np.float32), CARD)
