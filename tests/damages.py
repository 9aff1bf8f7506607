"""What is done to bytes, to JSON and to checksums, whatever is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List, Optional

import numpy as np

from galleries.header import checksum

KINDS = ("flip", "truncate", "extend", "swap", "delete", "zero", "random", "number")
"""Ways to damage a file; ``swap`` and ``delete`` are done where the other files are known."""

HUGE = (2**63 - 1, 2**32, -1, 0, 2**40, 10**18)
"""Sizes that are too large, negative or nothing."""

HOSTILE: List[Any] = [
    None, True, -1, 0, 2**31, 2**63, 10**30, 1e308, float("nan"), "", "x" * 5000, "../../etc/passwd", "\udcff", [], {},
    [[]] * 1000, {"": {}},
]  # fmt: skip
"""Values that no reader expects."""


def spoil(data: bytearray, kind: str, rng: np.random.Generator) -> int:
    """Damage bytes in place in one of :data:`KINDS`; says where."""
    place = int(rng.integers(len(data))) if data else 0
    if kind == "flip" and data:
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == "truncate":
        del data[place:]
    elif kind == "extend":
        data += rng.bytes(int(rng.integers(1, 200)))
    elif kind == "zero":
        data[place : place + 16] = bytes(len(data[place : place + 16]))
    elif kind == "random":
        data[place : place + 16] = rng.bytes(len(data[place : place + 16]))
    elif kind == "number" and len(data) >= 8:
        place = int(rng.integers(max(1, min(len(data) - 8, 200))))
        data[place : place + 8] = int(HUGE[rng.integers(len(HUGE))]).to_bytes(8, "little", signed=True)
    return place


def spoil_json(data: bytes, rng: np.random.Generator) -> bytes:
    """One value of a JSON text, or of a line of JSON Lines, replaced by a hostile one; as given if it is no JSON."""
    lines = data.splitlines() or [b""]
    at = None
    try:
        value = json.loads(data)
    except ValueError:
        at = int(rng.integers(len(lines)))
        try:
            value = json.loads(lines[at])
        except ValueError:
            return data
    root = {"": value}
    node, key = _somewhere(root, rng)
    node[key] = HOSTILE[rng.integers(len(HOSTILE))]
    made = json.dumps(root[""]).encode()
    return made if at is None else b"\n".join([*lines[:at], made, *lines[at + 1 :]])


def _somewhere(root: Any, rng: np.random.Generator) -> Any:
    """A container in a JSON value, and a key of it: every depth is as likely as the next."""
    node, key = root, ""
    while True:
        inside = node[key]
        keys: List[Any] = []
        if isinstance(inside, dict):
            keys = list(inside)
        elif isinstance(inside, list):
            keys = list(range(len(inside)))
        if not keys or rng.random() < 0.25:
            return node, key
        node, key = inside, keys[rng.integers(len(keys))]


def forge(listing: Path, path: Optional[Path] = None, name: str = "", stated: Optional[int] = None) -> None:
    """State a file's size and checksum in a JSON listing, and the listing's own; what cannot be read is left alone.

    Args:
        listing: ``gallery.json`` or ``bundle.json``.
        path: The file; None states only the listing's own checksum. One that is gone is no longer listed.
        name: What the listing calls it.
        stated: A size to state instead of the file's.
    """
    try:
        listed = json.loads(listing.read_bytes())
        if path is not None and path.is_file():
            data = path.read_bytes()
            listed["files"][name] = {"size": len(data) if stated is None else stated, "blake2b": checksum(data)}
        elif path is not None:
            listed["files"].pop(name, None)
        plain = {key: value for key, value in listed.items() if key != "checksum"}
        listed["checksum"] = checksum(json.dumps(plain, sort_keys=True).encode())
        listing.write_text(json.dumps(listed))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return
