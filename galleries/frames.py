"""What a source of frames is: the frames, how they are asked for, and which part of them is wanted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Optional, Protocol

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError

FPS = 25.0
"""Frames a second of pictures in a folder, and of films that do not say theirs."""


@dataclass(frozen=True)
class Frame:
    """One picture of a film.

    Attributes:
        number: 0 for the first of the source, whether or not reading began there.
        time: Seconds from the source's begin; of a camera or stream, since its first frame was read.
        image: uint8 (H, W, 3) RGB or (H, W) grey.
        pixels: The whole picture as a tower takes it, uint8 (C, H', W'), where a feed was to prepare it; else None.
    """

    number: int
    time: float
    image: NDArray[np.uint8]
    pixels: Optional[NDArray[np.uint8]] = None


class Source(Protocol):
    """What frames can be read from. Used by one thread at a time.

    Attributes:
        name: What to call it, without a password.
        is_live: Whether its frames pass by, read or not.
        fps: Frames a second.
        total: Frames it promises to give, if it does.
        skipped: Pictures that could not be read.
        notes: What was remarkable, a sentence each.
    """

    name: str
    is_live: bool
    fps: float
    total: Optional[int]
    skipped: int
    notes: List[str]

    def read(self) -> Optional[Frame]:
        """The next frame, or None at the end."""

    def close(self) -> None:
        """Let go of the file or device."""


@dataclass(frozen=True)
class Span:
    """The part of a source to read.

    Attributes:
        start: Seconds to leave out at its begin.
        seconds: Seconds to read; None reads to the end.
    """

    start: float = 0.0
    seconds: Optional[float] = None

    def __post_init__(self) -> None:
        if not (0.0 <= self.start < math.inf):
            raise ConfigError(f"A start of {self.start!r} s was given; give 0 or more.")
        if self.seconds is not None and not (0.0 < self.seconds < math.inf):
            raise ConfigError(f"A length of {self.seconds!r} s was given; give more than 0.")

    def first(self, fps: float) -> int:
        """Number of the first frame to read."""
        return math.ceil(self.start * fps - 1e-6)

    def end(self, fps: float) -> Optional[int]:
        """Number of the first frame not to read any more."""
        return None if self.seconds is None else math.ceil((self.start + self.seconds) * fps - 1e-6)
