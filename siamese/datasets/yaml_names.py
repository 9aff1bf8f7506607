"""The class names of a YOLO ``data.yaml``, read without a YAML library and whatever else the file holds.

Three ways of writing them are in use: ``names: [a, b]``, a block list of ``- a``, and a mapping ``0: a``.
"""

from __future__ import annotations

import re


def read_names(text: str) -> list[str]:
    """Class names by number.

    Args:
        text: The YAML file's text; only its top-level ``names:`` is looked at.

    Returns:
        The names in the order of their numbers; empty if there are none, or if the numbers have gaps.
    """
    lines = [_without_comment(line) for line in text.splitlines()]
    start = next((i for i, line in enumerate(lines) if re.match(r"[\"']?names[\"']?\s*:", line)), None)
    if start is None:
        return []
    inline = lines[start].split(":", 1)[1].strip()
    if inline:
        for line in lines[start + 1 :]:
            if inline.count("[") <= inline.count("]") and inline.count("{") <= inline.count("}"):
                break
            inline += " " + line.strip()
        return _inline(inline)
    return _block(lines[start + 1 :])


def _inline(text: str) -> list[str]:
    body = text.strip()[1:-1]
    entries = [entry.strip() for entry in body.split(",") if entry.strip()]
    if text.startswith("[") and text.endswith("]"):
        return [_unquoted(entry) for entry in entries]
    if text.startswith("{") and text.endswith("}"):
        return _numbered(entries)
    return []


def _block(lines: list[str]) -> list[str]:
    entries: list[str] = []
    for line in lines:
        if not line.strip():
            continue
        if not line.startswith((" ", "\t", "-")):
            break
        entries.append(line.strip())
    if entries and all(entry.startswith("-") for entry in entries):
        return [_unquoted(entry[1:]) for entry in entries]
    return _numbered(entries)


def _numbered(entries: list[str]) -> list[str]:
    """Entries ``0: a`` in the order of their numbers; empty unless these are 0, 1, 2 …"""
    found: dict[int, str] = {}
    for entry in entries:
        match = re.match(r"[\"']?(\d{1,4})[\"']?\s*:\s*(.+)$", entry)
        if match is None:
            return []
        found[int(match[1])] = _unquoted(match[2])
    return [found[number] for number in sorted(found)] if sorted(found) == list(range(len(found))) else []


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'").strip()


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*$", "", line).rstrip()
