"""A film's faces into a gallery at the terminal: what ``emotions gallery add --from-video`` does."""

from __future__ import annotations

import math
import os
from typing import Optional, Tuple

import numpy as np

from emotions_cli import console
from emotions_cli.enrolment import ReadFaces, make_thumbnail
from galleries.recognizer import Recognizer
from galleries.vocabulary import canonical

LIVE_SECONDS = 20.0
"""Seconds a camera or stream is looked at unless told otherwise."""


def read_film_faces(
    where: str,
    recognizer: Recognizer,
    emotion: str,
    count: int,
    span: Tuple[float, Optional[float]],
    thumbnail: Optional[Tuple[int, ...]] = None,
) -> ReadFaces:
    """Choose sharp, varied faces of a film, camera, stream or folder, all of one emotion.

    Args:
        where: As :func:`galleries.sources.open_source` takes it.
        recognizer: Finds the faces and carries the tower.
        emotion: What they show.
        count: How many faces at most.
        span: Seconds to leave out at the begin, and seconds to look at; None for all of a film, 20 s of a camera.
        thumbnail: Shape (h, w) or (h, w, 3) of the thumbnails to keep, or None.

    Raises:
        DataError: It cannot be opened, or no frame shows exactly one face.
        ConfigError: A count below 1, or a start for a camera.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what goes wrong is said once, in a sentence
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    from galleries.frame_choice import choose_faces
    from galleries.sources import Span, open_source

    name = canonical(emotion)
    source = open_source(where, Span(*span))
    live_seconds = LIVE_SECONDS if span[1] is None else math.inf
    if source.is_live:
        told = f"{LIVE_SECONDS:g}" if span[1] is None else f"{span[1]:g}"
        console.say(f"Looking at {source.name} for {told} s (--seconds says how long; Ctrl-C ends it).")
    with console.bar(f"looking through {source.name}") as progress:
        found = choose_faces(recognizer, source, count, progress, live_seconds)
    for note in found.notes:
        console.warn(note)
    console.say(
        f"{source.name}: {found.looked} frames looked at, {found.single} with one face alone, {found.several} with "
        f"several; {len(found.times)} chosen."
    )
    if len(found.times) < count:
        console.warn(f"only {len(found.times)} of {count} faces differ enough, so fewer are added.")
    small = None if thumbnail is None else np.stack([make_thumbnail(face, thumbnail) for face in found.faces])
    sources = [f"{source.name}@{time:.2f}s" for time in found.times]
    return ReadFaces(found.vectors, [name] * len(sources), sources, small, [], source.name)
