"""What a gallery keeps of a reference face, and what it says when asked: neighbours and predictions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple


@dataclass(frozen=True)
class Decision:
    """What may be said of a face, by a gallery's calibration.

    Attributes:
        emotions: Those that cannot be ruled out, the likeliest first: one, several, or none.
        unknown: Whether none is to be named: nothing near, or every emotion ruled out.
        confidence: A calibrated probability of the winner's being right, 0-1.
        reason: Why, in words.
        winner: Whom ``confidence`` is about: the winner of the vote that was calibrated, which prefers nobody. An
            answer by other neighbours or weights, or by a person's own references, may be another emotion.
    """

    emotions: Tuple[str, ...]
    unknown: bool
    confidence: float
    reason: str
    winner: str

    def to_json(self) -> Dict[str, Any]:
        """The decision as a plain dict."""
        return {**asdict(self), "emotions": list(self.emotions)}


@dataclass(frozen=True)
class PersonalVote:
    """What a person's own references did to a vote.

    Attributes:
        subject: The person.
        weight: How many times nearer the own references counted.
        voters: How many of the neighbours (or means of emotions) that voted are the person's own.
        share: Their share of the vote, 0-1.
        outvoted: What the ordinary vote says, where that is another emotion; else None.
    """

    subject: str
    weight: float
    voters: int
    share: float
    outvoted: Optional[str]

    def to_json(self) -> Dict[str, Any]:
        """The vote as a plain dict."""
        return asdict(self)


@dataclass(frozen=True)
class Reference:
    """A face in a gallery.

    Attributes:
        label: Its emotion, a canonical name.
        source: Where it came from: a path, or ``row:123``.
        subject: The person, if known.
        sequence: The film or burst, if known.
        votes: What it votes for, where that is not its emotion alone: emotions to shares that sum to 1.
    """

    label: str
    source: str
    subject: Optional[str] = None
    sequence: Optional[str] = None
    votes: Optional[Mapping[str, float]] = None


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
        votes: What it voted for, where that is not its emotion alone: emotions to shares that sum to 1.
    """

    rank: int
    emotion: str
    distance: float
    number: int
    source: str
    subject: Optional[str] = None
    sequence: Optional[str] = None
    votes: Optional[Mapping[str, float]] = None

    def to_json(self) -> Dict[str, Any]:
        """The neighbour as a plain dict."""
        return dict(vars(self))


@dataclass
class Prediction:
    """An answer with its evidence.

    Attributes:
        emotion: The winner of the vote.
        confidence: The winner's share of the vote, 0-1.
        scores: Every emotion of the gallery to its share; they sum to 1.
        neighbours: Who voted, nearest first; where some count as nearer (:mod:`galleries.felt`), in that order, but
            with their distances as they are.
        decision: What may be said of the face; None where the gallery is not calibrated. It rests on distances and not
            on this vote: a personal vote has the one that the face has without the person, promised for people at
            large and not for this one.
        personal: What the person's own references did to the vote; None where no person was named.
        weights: How it was voted, one of :data:`galleries.voting.WAYS`. By ``"mean"`` the neighbours did not vote: they
            are the faces nearest to this one, while every reference of an emotion stands behind its mean.
    """

    emotion: str
    confidence: float
    scores: Dict[str, float]
    neighbours: List[Neighbour]
    decision: Optional[Decision] = None
    personal: Optional[PersonalVote] = None
    weights: str = "distance"

    def to_json(self) -> Dict[str, Any]:
        """The prediction as a plain dict."""
        return {**asdict(self), "decision": None if self.decision is None else self.decision.to_json()}
