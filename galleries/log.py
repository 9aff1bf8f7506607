"""A gallery's log: who changed what and when, one JSON object a line in ``log.jsonl``."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, Optional, Sequence

from galleries.errors import GalleryError
from galleries.records import parse_json


@dataclass(frozen=True)
class Change:
    """One change of a gallery.

    Attributes:
        action: ``"build"``, ``"add"``, ``"remove"``, ``"relabel"``, ``"merge"``, ``"emphasise"``, ``"vote"``,
            ``"calibrate"`` or ``"undo"``.
        counts: References concerned, by emotion; those added, removed, or relabelled (by their new emotion).
        detail: What else is to be said: the person added, the old emotions.
    """

    action: str
    counts: Mapping[str, int]
    detail: str = ""


@dataclass(frozen=True)
class LogEntry:
    """What one save changed.

    Attributes:
        time: UTC, ISO 8601, to the second.
        who: The account that saved.
        changes: In order.
        size: References afterwards.
    """

    time: str
    who: str
    changes: Sequence[Change]
    size: int

    def to_json(self) -> Dict[str, Any]:
        """The entry as a plain dict."""
        return {**asdict(self), "changes": [asdict(change) for change in self.changes]}

    def sentence(self) -> str:
        """The entry in words: ``added boredom (5), person Ana``."""
        return "; ".join(_told(change) for change in self.changes) or "saved without a change"


def _told(change: Change) -> str:
    counts = ", ".join(f"{emotion} ({count})" for emotion, count in change.counts.items())
    return " ".join(filter(None, (change.action, counts))) + (f", {change.detail}" if change.detail else "")


def new_entry(changes: Sequence[Change], size: int) -> LogEntry:
    """An entry of now, by this account."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no name for this user id, as in a bare container
        who = "unknown"
    now = datetime.now(timezone.utc).replace(microsecond=0)
    return LogEntry(now.isoformat().replace("+00:00", "Z"), who, tuple(changes), size)


def encode_log(entries: Sequence[LogEntry]) -> bytes:
    """A log as JSON Lines."""
    return "".join(json.dumps(entry.to_json()) + "\n" for entry in entries).encode()


def decode_log(data: Optional[bytes]) -> List[LogEntry]:
    """Read a log back; a gallery of an older version has none.

    Raises:
        GalleryError: A line is wrong.
    """
    try:
        return [_entry(parse_json(line)) for line in (data or b"").splitlines()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise GalleryError(f"log.jsonl is not a gallery's log ({error}); restore it from a copy.") from error


def _entry(row: Mapping[str, Any]) -> LogEntry:
    texts = [row["time"], row["who"], *(c["action"] for c in row["changes"]), *(c["detail"] for c in row["changes"])]
    counts = [count for change in row["changes"] for count in change["counts"].values()]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a name is no text")
    if not all(isinstance(count, int) and not isinstance(count, bool) for count in [*counts, row["size"]]):
        raise ValueError("a count is no whole number")
    changes = tuple(Change(c["action"], dict(c["counts"]), c["detail"]) for c in row["changes"])
    return LogEntry(row["time"], row["who"], changes, row["size"])
