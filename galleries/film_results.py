"""What is asked of a film, and what is seen in it: options, faces, frames and the summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError
from galleries.evidence import Neighbour, Prediction
from galleries.faces import Box
from galleries.tracking import OVERLAP, PATIENCE

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class FilmOptions:
    """How a film is looked at.

    Attributes:
        detect_every: Faces are looked for in every n-th frame; between, the tracks' last boxes are used.
        batch: Frames of a film whose faces pass through the tower together; a live source's pass one by one.
        smoothing: Share of the earlier votes in a person's vote, frame by frame: 0 (none) to below 1.
        min_face: Shorter side, in pixels of the frame, of the smallest face to take.
        overlap: As :class:`galleries.tracking.Tracker`.
        patience: As :class:`galleries.tracking.Tracker`.
    """

    detect_every: int = 1
    batch: int = 8
    smoothing: float = 0.7
    min_face: int = 0
    overlap: float = OVERLAP
    patience: int = PATIENCE

    def __post_init__(self) -> None:
        for name, least in (("detect_every", 1), ("batch", 1), ("min_face", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} was given as {getattr(self, name)!r}; give a whole number from {least}.")
        if self.batch > 256:
            raise ConfigError(f"A batch of {self.batch} frames was given; give at most 256: all are held in memory.")
        if not 0.0 <= self.smoothing < 1.0:
            raise ConfigError(f"A smoothing of {self.smoothing!r} was given; give 0 (none) up to, not including, 1.")


@dataclass(frozen=True)
class FaceResult:
    """A face of a frame.

    Attributes:
        track: The person's number; 1 for the first.
        box: Where the face is.
        emotion: The winner of the person's smoothed vote.
        confidence: Its share, 0-1.
        scores: Every emotion of the gallery to its smoothed share; they sum to 1.
        prediction: What this frame alone says, with its neighbours.
    """

    track: int
    box: Box
    emotion: str
    confidence: float
    scores: Dict[str, float]
    prediction: Prediction

    @property
    def nearest(self) -> Neighbour:
        """The reference this frame's face is most like."""
        return self.prediction.neighbours[0]

    def to_json(self, names: Optional[Mapping[str, str]] = None) -> Dict[str, Any]:
        """The face as a plain dict.

        Args:
            names: Emotions' names to give them, as in another language; those not in it stay.
        """
        named = names or {}
        nearest = self.nearest.to_json()
        nearest["emotion"] = named.get(self.nearest.emotion, self.nearest.emotion)
        alone = self.prediction
        return {
            "track": self.track,
            "box": self.box.to_json(),
            "emotion": named.get(self.emotion, self.emotion),
            "confidence": self.confidence,
            "scores": {named.get(emotion, emotion): share for emotion, share in self.scores.items()},
            "nearest": nearest,
            "frame_alone": {"emotion": named.get(alone.emotion, alone.emotion), "confidence": alone.confidence},
        }


@dataclass(frozen=True)
class FrameResult:
    """A frame and its faces.

    Attributes:
        number: The frame's number in its source, from 0.
        time: Seconds from the source's begin.
        image: uint8 (H, W, 3) RGB or (H, W) grey.
        faces: In the order of their tracks' numbers.
        detected: Whether faces were looked for in this very frame.
        fps: Frames a second that came through lately, everything included.
    """

    number: int
    time: float
    image: Pixels
    faces: Tuple[FaceResult, ...]
    detected: bool
    fps: float

    def to_json(self) -> Dict[str, Any]:
        """The frame as a plain dict, without its pixels."""
        return {
            "frame": self.number,
            "time": round(self.time, 4),
            "detected": self.detected,
            "faces": [face.to_json() for face in self.faces],
        }


@dataclass(frozen=True)
class FilmSummary:
    """What was seen in a film.

    Attributes:
        source: The film.
        frames: Frames looked at.
        first: Time of the first of them, in seconds.
        last: Time of the last.
        faces: Faces in all frames together.
        people: Tracks begun.
        brief: Of them those seen in fewer than 5 detections: often a mistake of the detector.
        shares: Each emotion that occurred to its share of ``faces``, the most frequent first.
        dropped: Frames of a live source that passed while earlier ones were looked at.
        skipped: Pictures of a folder that could not be read.
        seconds: How long it took.
        fps: Frames a second looked at.
        notes: What was remarkable, a sentence each.
    """

    source: str
    frames: int
    first: float
    last: float
    faces: int
    people: int
    brief: int
    shares: Dict[str, float]
    dropped: int
    skipped: int
    seconds: float
    fps: float
    notes: Tuple[str, ...]

    def to_json(self) -> Dict[str, Any]:
        """The summary as a plain dict."""
        return {**vars(self), "shares": dict(self.shares), "notes": list(self.notes)}
