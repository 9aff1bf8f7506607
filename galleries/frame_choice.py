"""Frames of a film worth keeping as references: of one face alone, sharp, and unlike one another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, List, Optional

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.condensing import k_centres
from galleries.errors import ConfigError, DataError
from galleries.feed import Feed
from galleries.frames import Frame, Source
from galleries.images import InputSpec, is_blank, limit, prepare
from galleries.recognizer import Recognizer
from galleries.sources import PictureSource
from galleries.vectors import usable

LOOKS = 5.0
"""Frames of a film that are looked at in a second; those between differ little."""

_SIDE = 96  # pixels that faces are compared at; a smaller one is enlarged and so counts as less sharp
_SHARP_ENOUGH = 0.5  # frames of one face in two films reach 0.63 and more; moved by a 24th of its width, 0.3
_MOST = 2000  # candidates that are held; then the blurrier half goes
_ALIKE = 1e-6  # squared distance up to which two vectors are one picture
_BATCH = 8

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class ChosenFaces:
    """Faces of a film that were chosen, in the order of time.

    Attributes:
        vectors: float32 (N, D).
        faces: N pictures, uint8 (h, w) or (h, w, 3), reduced to at most 96 pixels.
        times: N times in seconds.
        looked: Frames that were looked at.
        single: Of these, frames with exactly one face.
        several: Frames with several faces.
        notes: What was remarkable, a sentence each.
    """

    vectors: NDArray[np.float32]
    faces: List[Pixels]
    times: List[float]
    looked: int
    single: int
    several: int
    notes: List[str]


def sharpness(face: Pixels) -> float:
    """Variance of the Laplacian of a face brought to one size: the larger, the sharper.

    Pech-Pacheco, Cristobal, Chamorro-Martinez and Fernandez-Valdivia, "Diatom autofocusing in brightfield microscopy: a
    comparative study", 2000.

    Args:
        face: uint8 (h, w) or (h, w, 3).
    """
    grey = prepare(face, InputSpec(_SIDE, _SIDE, 1))[0]
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def choose(vectors: NDArray[np.float32], sharp: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Which candidates to keep: of those that are sharp enough the ones that lie farthest from one another.

    Sharp enough is at least half of what the sharpest tenth reaches, or to be among the sharpest ``count``. Farthest
    points are chosen as in :func:`galleries.condensing.k_centres`, which begins with the most usual face. Of equal
    vectors one is taken.

    Args:
        vectors: float32 (N, D), N ≥ 1, compared by Euclidean distance.
        sharp: float64 (N,), how sharp each is.
        count: How many at most, from 1.

    Returns:
        int64, rising; fewer than ``count`` where there are not as many different ones.
    """
    enough = sharp >= _SHARP_ENOUGH * np.quantile(sharp, 0.9)
    enough[np.argsort(-sharp, kind="stable")[:count]] = True
    kept = np.flatnonzero(enough)
    order = k_centres(vectors[kept], min(count, len(kept)), np.random.default_rng(0))
    chosen: List[int] = []
    for row in kept[order].tolist():
        gaps = ((vectors[chosen] - vectors[row]) ** 2).sum(axis=1)
        if not (gaps <= _ALIKE).any():
            chosen.append(row)
    return np.array(sorted(chosen), np.int64)


def choose_faces(
    recognizer: Recognizer,
    source: Source,
    count: int,
    progress: Optional[Callable[[int, int], None]] = None,
    live_seconds: float = math.inf,
) -> ChosenFaces:
    """Look through a film, camera or folder of pictures and choose faces; the source is closed in the end.

    Ctrl-C ends the looking; what was seen so far is chosen from.

    Args:
        recognizer: Finds the faces and turns them into vectors.
        source: Where the frames come from.
        count: How many faces at most, from 1.
        progress: Called with (frames read, frames promised), where the source promises them.
        live_seconds: How long a camera or stream is looked at.

    Raises:
        ConfigError: Fewer than one is wanted.
        DataError: No frame shows exactly one face.
    """
    if count < 1:
        raise ConfigError(f"{count} frames were asked for; give a whole number from 1.")
    seen = _Seen(recognizer)
    step = _step(source, count)
    feed = Feed(source, room=2 * _BATCH)
    read = 0
    try:
        while True:
            frames = feed.take(_BATCH)
            if not frames or (source.is_live and frames[-1].time >= live_seconds):
                break
            seen.look([frame for place, frame in enumerate(frames, start=read) if place % step == 0])
            read += len(frames)
            if progress is not None and source.total:
                progress(min(read, source.total), source.total)
    except KeyboardInterrupt:
        pass
    finally:
        feed.close()
    notes = [*source.notes, *([] if feed.failure is None else [f"{source.name} broke off: {feed.failure}"])]
    if not seen.held:
        raise DataError(
            f"None of {seen.looked} frames of {source.name} shows one face alone ({seen.several} show several); give "
            f"another film, or --whole if every frame is a face. {' '.join(notes)}".strip()
        )
    vectors = np.stack([candidate.vector for candidate in seen.held])
    sharp = np.array([candidate.sharp for candidate in seen.held])
    chosen = [seen.held[row] for row in choose(usable(vectors, recognizer.gallery.metric), sharp, count).tolist()]
    return ChosenFaces(
        np.stack([candidate.vector for candidate in chosen]),
        [candidate.face for candidate in chosen],
        [candidate.time for candidate in chosen],
        seen.looked,
        seen.single,
        seen.several,
        notes,
    )


def _step(source: Source, count: int) -> int:
    """Every how many-th frame is looked at: all pictures and all of a camera's; of a film a few a second."""
    if source.is_live or isinstance(source, PictureSource):
        return 1
    step = max(1, round(source.fps / LOOKS))
    return step if source.total is None else max(1, min(step, source.total // (10 * count)))


@dataclass(frozen=True)
class _Candidate:
    """A face that is alone in its frame."""

    time: float
    face: Pixels
    vector: NDArray[np.float32]
    sharp: float


class _Seen:
    """What was seen so far."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self.looked = self.several = self.single = 0
        self.held: List[_Candidate] = []

    def look(self, frames: List[Frame]) -> None:
        """Find the frames' faces and hold those that are alone."""
        times, faces = [], []
        for frame in frames:
            found = self._recognizer.find(frame.image)
            self.looked += 1
            self.several += len(found) > 1
            if len(found) == 1 and not is_blank(found[0][1]):
                times.append(frame.time)
                faces.append(found[0][1])
        if not faces:
            return
        self.single += len(faces)
        for time, face, vector in zip(times, faces, self._recognizer.embed(faces)):
            self.held.append(_Candidate(time, limit(face, _SIDE).copy(), vector, sharpness(face)))
        if len(self.held) > _MOST:
            sharpest = sorted(self.held, key=lambda candidate: -candidate.sharp)[: _MOST // 2]
            self.held = sorted(sharpest, key=lambda candidate: candidate.time)
