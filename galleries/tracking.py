"""Who is who from frame to frame: boxes of a new frame are joined to the tracks whose last box they overlap most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError
from galleries.faces import Box

OVERLAP = 0.3
"""Intersection over union with a track's last box from which a box continues the track."""

PATIENCE = 10
"""Detections in a row that may miss a face before its track ends."""

BRIEF = 5
"""A track seen in fewer detections than this is called brief: often no person but a mistake of the detector."""


@dataclass
class Track:
    """One person through a film, as far as boxes can tell.

    Attributes:
        number: 1 for the first; never given twice.
        box: Where the face was last seen.
        seen: Detections it was in.
        missed: Detections since then that it was not in.
    """

    number: int
    box: Box
    seen: int = 1
    missed: int = 0


class Tracker:
    """Joins faces over time by greedy overlap of boxes.

    After Bochinski, Eiselein and Sikora (*High-speed tracking-by-detection without using image information*, 2017): of
    all pairs of a track and a new box the one that overlaps most is joined first, and so on while they overlap enough.
    A box left over begins a track; a track left over ends after ``patience`` such detections.

    Attributes:
        tracks: Those that have not ended, the oldest first.
        begun: Tracks begun so far.

    Args:
        overlap: Least intersection over union, above 0 to 1.
        patience: Detections in a row that may miss a face, 0 or more.

    Raises:
        ConfigError: A value out of range.
    """

    def __init__(self, overlap: float = OVERLAP, patience: int = PATIENCE) -> None:
        if not 0.0 < overlap <= 1.0:
            raise ConfigError(f"An overlap of {overlap!r} was given; give a share above 0, at most 1.")
        if patience < 0:
            raise ConfigError(f"Tracks were to end after {patience!r} missed detections; give 0 or more.")
        self.overlap = overlap
        self.patience = patience
        self.tracks: List[Track] = []
        self.begun = 0
        self._brief_ended = 0

    @property
    def brief(self) -> int:
        """Tracks, ended or not, seen in fewer than :data:`BRIEF` detections."""
        return self._brief_ended + sum(track.seen < BRIEF for track in self.tracks)

    @property
    def current(self) -> List[Track]:
        """The tracks that were seen in the last detection, the oldest first."""
        return [track for track in self.tracks if track.missed == 0]

    def update(self, boxes: Sequence[Box]) -> List[int]:
        """Take in what a detector found in the next frame.

        Args:
            boxes: The faces, in any order.

        Returns:
            The track's number of each box, in the order of ``boxes``; all different.
        """
        joined = self._join(boxes)
        for position, track in enumerate(self.tracks):
            if position in joined:
                track.box, track.seen, track.missed = boxes[joined[position]], track.seen + 1, 0
            else:
                track.missed += 1
        numbers = {place: self.tracks[position].number for position, place in joined.items()}
        ended = [track for track in self.tracks if track.missed > self.patience]
        self._brief_ended += sum(track.seen < BRIEF for track in ended)
        self.tracks = [track for track in self.tracks if track.missed <= self.patience]
        for place, box in enumerate(boxes):
            if place not in numbers:
                self.begun += 1
                numbers[place] = self.begun
                self.tracks.append(Track(self.begun, box))
        return [numbers[place] for place in range(len(boxes))]

    def _join(self, boxes: Sequence[Box]) -> Dict[int, int]:
        """Positions in ``tracks`` to the places in ``boxes`` that continue them."""
        known = [track.box for track in self.tracks]
        if known == list(boxes):  # nobody moved: each overlaps itself most
            return {place: place for place in range(len(boxes))}
        shares = overlaps(known, boxes)  # (T, B)
        # sorted is stable: of equals the older track comes first, then the earlier box
        pairs = sorted(np.ndindex(*shares.shape), key=lambda pair: -shares[pair])
        joined: Dict[int, int] = {}
        taken = set()
        for position, place in pairs:
            if shares[position, place] < self.overlap:
                break
            if position not in joined and place not in taken:
                joined[position] = place
                taken.add(place)
        return joined


def overlaps(first: Sequence[Box], second: Sequence[Box]) -> NDArray[np.float64]:
    """Intersection over union of every pair of boxes: float64 (len(first), len(second)), 0-1."""
    a, b = (np.array([(x.x, x.y, x.width, x.height) for x in boxes], float).reshape(-1, 4) for boxes in (first, second))
    a_end, b_end = a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:]
    near = np.maximum(a[:, None, :2], b[None, :, :2])  # (A, 1, 2) with (1, B, 2) -> (A, B, 2)
    far = np.minimum(a_end[:, None], b_end[None])
    shared = np.prod(np.clip(far - near, 0.0, None), axis=2)  # (A, B)
    union = a[:, 2:].prod(axis=1)[:, None] + b[:, 2:].prod(axis=1)[None] - shared
    result: NDArray[np.float64] = shared / np.where(union > 0, union, 1.0)
    return result
