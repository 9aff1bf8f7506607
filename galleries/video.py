"""Films and cameras: every face of every frame, who it is from frame to frame, and its emotion smoothed over time."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Dict, Iterator, List, Optional, Tuple, Type, Union

import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError
from galleries.evidence import Prediction
from galleries.faces import Box, FaceDetector, crop, is_face_picture
from galleries.feed import Feed, Pace
from galleries.film_results import FaceResult, FilmOptions, FilmSummary, FrameResult
from galleries.images import limit, prepare, validate
from galleries.recognizer import Recognizer
from galleries.sources import Frame, Source, Where, open_source
from galleries.tracking import Tracker

__all__ = ["FaceResult", "Film", "FilmOptions", "FilmSummary", "FrameResult", "detect_from", "recognise_film"]

Pixels = NDArray[np.uint8]

_CLEAR = 36  # side, in pixels, of a face that every detector still finds reliably


class Film:
    """A film being recognised: iterate over it for its frames, once; then, or at any time, ask for its summary.

    Attributes:
        source: Where its frames come from.

    Args:
        recognizer: The gallery, its tower, the detector, and how to vote.
        source: A path, camera number or address, or an opened source.
        options: How to look at it.

    Raises:
        DataError: The source cannot be opened.
        GalleryError: More neighbours are asked for than the gallery holds.
        ConfigError: An unknown way of voting.
    """

    def __init__(
        self, recognizer: Recognizer, source: Union[Where, Source], options: Optional[FilmOptions] = None
    ) -> None:
        self.options = options or FilmOptions()
        nothing = np.zeros((1, recognizer.gallery.tower.embedding_dim), np.float32)
        nothing[0, 0] = 1.0
        recognizer.classify(nothing)  # refused now, not mid-way
        self._recognizer = recognizer
        self._tracker = Tracker(self.options.overlap, self.options.patience)
        self._votes: Dict[int, List[float]] = {}
        self._since_detection = 0
        self._shape: Tuple[int, ...] = ()
        self._frames = 0
        self._times = (0.0, 0.0)
        self._emotions: Counter[str] = Counter()
        self._began = time.monotonic()
        self._ended: Optional[float] = None
        self.source: Source = open_source(source) if isinstance(source, (str, int, Path)) else source
        ahead = self._prepare if self.options.detect_every == 1 else None
        self._feed = Feed(self.source, room=2 * self.options.batch, prepare=ahead)

    def __enter__(self) -> Film:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and let go of the source. Whoever breaks off the iteration calls it; the end does so itself."""
        self._feed.close()
        self._ended = self._ended or time.monotonic()

    def __iter__(self) -> Iterator[FrameResult]:
        pace = Pace(least=2 * self.options.batch + 1)
        try:
            while True:
                frames = self._feed.take(self.options.batch)
                if not frames:
                    break
                for frame, detected, faces in self._look(frames):
                    self._count(frame, faces)
                    yield FrameResult(frame.number, frame.time, frame.image, faces, detected, pace.mark())
        finally:
            self.close()
        if self._frames == 0:
            raise DataError(f"{self.source.name} gave no frame to look at. {' '.join(self._notes())}".strip())

    def summary(self) -> FilmSummary:
        """What was seen so far."""
        seconds = (self._ended or time.monotonic()) - self._began
        faces = sum(self._emotions.values())
        return FilmSummary(
            source=self.source.name,
            frames=self._frames,
            first=self._times[0],
            last=self._times[1],
            faces=faces,
            people=self._tracker.begun,
            brief=self._tracker.brief,
            shares={emotion: count / faces for emotion, count in self._emotions.most_common()},
            dropped=self._feed.dropped,
            skipped=self.source.skipped,
            seconds=seconds,
            fps=self._frames / seconds if seconds > 0 else 0.0,
            notes=tuple(self._notes()),
        )

    def _notes(self) -> List[str]:
        failure = self._feed.failure
        told = [] if failure is None else [f"{self.source.name} broke off: {str(failure) or type(failure).__name__}"]
        return [*self.source.notes, *told]

    def _count(self, frame: Frame, faces: Tuple[FaceResult, ...]) -> None:
        self._times = (frame.time if self._frames == 0 else self._times[0], frame.time)
        self._frames += 1
        self._emotions.update(face.emotion for face in faces)

    def _look(self, frames: List[Frame]) -> Iterator[Tuple[Frame, bool, Tuple[FaceResult, ...]]]:
        """Frames with their faces; the faces of all of them pass through the tower together."""
        found = [self._find(frame) for frame in frames]
        faces = [pixels for _, places in found for _, _, pixels in places]
        predictions: Iterator[Prediction] = iter(())
        if faces:
            vectors = self._recognizer.encoder.encode(np.stack(faces))
            predictions = iter(self._recognizer.classify(vectors))
        for frame, (detected, places) in zip(frames, found):
            results = [self._smooth(track, box, next(predictions)) for track, box, _ in places]
            yield frame, detected, tuple(sorted(results, key=lambda face: face.track))
        going_on = {track.number for track in self._tracker.tracks}
        self._votes = {number: vote for number, vote in self._votes.items() if number in going_on}

    def _find(self, frame: Frame) -> Tuple[bool, List[Tuple[int, Box, Pixels]]]:
        """Whether faces were looked for; and each face's track, box and pixels as the tower takes them."""
        image = frame.image
        if image.shape == self._shape and self._since_detection + 1 < self.options.detect_every:
            self._since_detection += 1
            return False, [(track.number, track.box, self._cut(image, track.box)) for track in self._tracker.current]
        self._since_detection, self._shape = 0, image.shape
        image = validate(image)
        if self._is_face(image):
            whole = Box(0, 0, image.shape[1], image.shape[0], 0.0)
            pixels = frame.pixels
            if pixels is None:
                pixels = prepare(image, self._recognizer.encoder.input_spec)
            return True, [(self._tracker.update([whole])[0], whole, pixels)]
        if self._recognizer.detector is None:
            self._recognizer.detector = FaceDetector()
        boxes = detect_from(self._recognizer.detector, image, self.options.min_face)
        numbers = self._tracker.update(boxes)
        return True, [(number, box, self._cut(image, box)) for number, box in zip(numbers, boxes)]

    def _prepare(self, image: Pixels) -> Optional[Pixels]:
        """A frame that is one face as the tower takes it, made while others are recognised; None if it is none."""
        image = validate(image)
        return prepare(image, self._recognizer.encoder.input_spec) if self._is_face(image) else None

    def _is_face(self, image: Pixels) -> bool:
        return self._recognizer.whole or is_face_picture(image, self._recognizer.encoder.input_spec)

    def _cut(self, image: Pixels, box: Box) -> Pixels:
        return prepare(crop(image, box, self._recognizer.margin), self._recognizer.encoder.input_spec)

    def _smooth(self, track: int, box: Box, prediction: Prediction) -> FaceResult:
        """Lay a frame's vote over the person's earlier ones: their exponential mean."""
        now = list(prediction.scores.values())
        before, kept = self._votes.get(track, now), self.options.smoothing
        shares = [kept * earlier + (1 - kept) * share for earlier, share in zip(before, now)]
        self._votes[track] = shares
        scores = dict(zip(prediction.scores, shares))
        winner = max(scores, key=lambda name: (scores[name], name == prediction.emotion))
        return FaceResult(track, box, winner, scores[winner], scores, prediction)


def detect_from(detector: FaceDetector, image: Pixels, min_face: int) -> List[Box]:
    """Find the faces from some size on, in a picture reduced so far that they are still found: large ones are quick.

    Args:
        detector: Finds them.
        image: uint8 (H, W, 3) RGB or (H, W) grey.
        min_face: Shorter side of the smallest face in pixels; 0 takes all.

    Returns:
        Their boxes in pixels of ``image``, the largest first.
    """
    side = max(image.shape[:2])
    small = limit(image, max(1, min(side, side * _CLEAR // max(min_face, _CLEAR))))
    scale = side / max(small.shape[:2])
    boxes = [
        Box(round(box.x * scale), round(box.y * scale), round(box.width * scale), round(box.height * scale), box.score)
        for box in detector.detect(small)
    ]
    return [box for box in boxes if min(box.width, box.height) >= min_face]


def recognise_film(recognizer: Recognizer, source: Union[Where, Source], options: Optional[FilmOptions] = None) -> Film:
    """Recognise the emotions of a film, camera or stream, frame by frame.

    ``for frame in recognise_film(recognizer, "film.mp4"): ...`` gives a :class:`FrameResult` a frame. A source that
    ends early or vanishes ends the iteration, and the summary's notes say so.

    Args:
        recognizer: As :class:`Film`, like what follows.
        source: A path, camera number or address, or an opened source.
        options: How to look at it.

    Raises:
        DataError: The source cannot be opened; or, when iterating, it gives no frame at all.
        GalleryError: More neighbours are asked for than the gallery holds.
        ConfigError: An unknown way of voting.
    """
    return Film(recognizer, source, options)
