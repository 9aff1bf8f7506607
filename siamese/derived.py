"""A tower's ONNX file that was made from another's: its card says from which, how, and has a fingerprint of its own."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from galleries.encoder import CARD_KEY
from galleries.errors import require


def read_card(tower: Any) -> dict[str, Any]:
    """The card in a loaded ONNX model of a tower."""
    card: dict[str, Any] = json.loads({entry.key: entry.value for entry in tower.metadata_props}[CARD_KEY])
    return card


def with_own_card(tower: Any, card: dict[str, Any], **changes: Any) -> bytes:
    """A changed tower's file.

    Args:
        tower: The changed ONNX model; its metadata are replaced.
        card: That of the tower it was made from.
        changes: What else its card says, or says otherwise.

    Raises:
        MissingExtra: The ``onnx`` package is missing (extra ``train``).
    """
    onnx = require("onnx", "train")
    del tower.metadata_props[:]
    graph = tower.SerializeToString(deterministic=True)
    made_from = card["fingerprint"]
    fingerprint = hashlib.blake2b(made_from.encode() + graph, digest_size=16).hexdigest()
    own = {**card, "made_from": made_from, **changes, "fingerprint": fingerprint}
    onnx.helper.set_model_props(tower, {CARD_KEY: json.dumps(own)})
    data: bytes = tower.SerializeToString()
    return data
