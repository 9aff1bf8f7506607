"""What a gallery keeps of a reference face, and what it says when asked: neighbours and predictions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional


@dataclass(frozen=True)
class Reference:
    """A face in a gallery.

    Attributes:
        label: Its emotion, a canonical name.
        source: Where it came from: a path, or ``row:123``.
        subject: The person, if known.
        sequence: The film or burst, if known.
    """

    label: str
    source: str
    subject: Optional[str] = None
    sequence: Optional[str] = None


@dataclass(frozen=True)
class Neighbour:
    """A reference near a query.

    Attributes:
        rank: 1 for the nearest.
        emotion: Its emotion.
        distance: Its distance to the query: 1 - cosine (0-2), or Euclidean.
        number: Its number in the gallery, which stays when others are removed.
        source: Where it came from.
        subject: The person, if known.
        sequence: The film or burst, if known.
    """

    rank: int
    emotion: str
    distance: float
    number: int
    source: str
    subject: Optional[str] = None
    sequence: Optional[str] = None

    def to_json(self) -> Dict[str, Any]:
        """The neighbour as a plain dict."""
        return asdict(self)


@dataclass
class Prediction:
    """An answer with its evidence.

    Attributes:
        emotion: The winner of the vote.
        confidence: The winner's share of the vote, 0-1.
        scores: Every emotion of the gallery to its share; they sum to 1.
        neighbours: Who voted, nearest first.
    """

    emotion: str
    confidence: float
    scores: Dict[str, float]
    neighbours: List[Neighbour]

    def to_json(self) -> Dict[str, Any]:
        """The prediction as a plain dict."""
        return asdict(self)
