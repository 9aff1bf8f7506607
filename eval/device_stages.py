"""How long each step from a film's frame to an answer takes on this machine, and how batches and threads change it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from eval.timing import Timing, measure
from galleries.encoder import OnnxEncoder
from galleries.errors import ConfigError, DataError
from galleries.faces import FaceDetector, crop
from galleries.frames import Source
from galleries.images import prepare
from galleries.recognizer import Recognizer
from galleries.sources import open_source

Pixels = NDArray[np.uint8]
Progress = Callable[[str], None]

STAGES: Tuple[str, ...] = ("decode", "detect", "prepare", "encode", "search", "vote")
"""What happens to a frame with one face, in this order."""

_FRAMES = 48  # of the film, taken apart and kept in memory
_FACES = 64


@dataclass(frozen=True)
class Batch:
    """Encoding some faces at once.

    Attributes:
        size: How many.
        threads: CPU threads; None where ONNX Runtime chose.
        timing: Of the whole batch; ``per_second`` counts faces.
    """

    size: int
    threads: Optional[int]
    timing: Timing


class Material:
    """What the steps are timed on: a film's frames and the faces in them.

    Attributes:
        film: Its path.
        frames: Its first frames, uint8 (H, W, 3) RGB.
        faces: Faces cut out of them, uint8, of any size; whole frames where no face was found.
        found: Whether faces were found.
        pixels: The faces as the tower takes them, uint8 (N, C, H, W), repeated to 64 at least.

    Args:
        film: A film.
        recognizer: Whose tower the faces are prepared for.

    Raises:
        DataError: The film cannot be read.
    """

    def __init__(self, film: Path, recognizer: Recognizer) -> None:
        self.film = film
        source = open_source(film)
        try:
            self.frames = [frame.image for frame in itertools.islice(iter(source.read, None), _FRAMES)]
        finally:
            source.close()
        if not self.frames:
            raise DataError(f"{film} gave no frame; give another --film, or none to have one drawn.")
        self.detector = recognizer.detector or FaceDetector()
        cut = [crop(image, box) for image in self.frames[::8] for box in self.detector.detect(image)[:1]]
        self.found = bool(cut)
        self.faces: List[Pixels] = cut or self.frames[::8]
        spec = recognizer.encoder.input_spec
        ready = [prepare(face, spec) for face in self.faces]
        self.pixels: Pixels = np.stack([ready[place % len(ready)] for place in range(max(_FACES, len(ready)))])


def time_stages(recognizer: Recognizer, material: Material, seconds: float, progress: Progress) -> Dict[str, Timing]:
    """Time every step alone, one frame or face a run.

    Args:
        recognizer: The gallery and its tower.
        material: What to time them on.
        seconds: For each step.
        progress: Called with the name of what is next.

    Returns:
        :data:`STAGES` to their timing.
    """
    gallery, encoder = recognizer.gallery, recognizer.encoder
    k, weights = recognizer.n_neighbors, recognizer.weights
    vectors = encoder.encode(material.pixels)
    found = [gallery.kneighbors(vector[None], k) for vector in vectors]
    frames, faces = itertools.cycle(material.frames), itertools.cycle(material.faces)
    pixels = itertools.cycle(list(material.pixels[:, None]))
    queries, answers = itertools.cycle(list(vectors[:, None])), itertools.cycle(list(zip(vectors[:, None], found)))
    reader = _Reader(material.film)

    def explain() -> None:
        query, (distances, indices) = next(answers)
        gallery.explain(query, distances, indices, weights)

    works: Dict[str, Callable[[], object]] = {
        "decode": reader.read,
        "detect": lambda: material.detector.detect(next(frames)),
        "prepare": lambda: prepare(next(faces), encoder.input_spec),
        "encode": lambda: encoder.encode(next(pixels)),
        "search": lambda: gallery.kneighbors(next(queries), k),
        "vote": explain,
    }
    timings = {}
    try:
        for name in STAGES:
            progress(name)
            timings[name] = measure(works[name], seconds)
    finally:
        reader.close()
    return timings


class _Reader:
    """Reads a film's frames over and over; opening it anew is not part of a run's time in the median."""

    def __init__(self, film: Path) -> None:
        self._film = film
        self._source: Source = open_source(film)

    def read(self) -> None:
        if self._source.read() is None:
            self._source.close()
            self._source = open_source(self._film)
            self._source.read()

    def close(self) -> None:
        self._source.close()


def time_batches(
    encoder: OnnxEncoder, pixels: Pixels, sizes: Sequence[int], seconds: float, progress: Progress
) -> List[Batch]:
    """Time the tower on batches.

    Args:
        encoder: The tower.
        pixels: uint8 (N, C, H, W), repeated where a batch is larger.
        sizes: How many faces at once, each from 1 to 4096.
        seconds: For each size.
        progress: Called with what is next.

    Raises:
        ConfigError: A size out of range.
    """
    made = []
    for size in sizes:
        if not 1 <= size <= 4096:
            raise ConfigError(f"A batch of {size!r} was asked for; give 1 to 4096.")
        progress(f"batches of {size}")
        batch = np.ascontiguousarray(np.resize(pixels, (size, *pixels.shape[1:])))
        made.append(Batch(size, encoder.threads, measure(partial(encoder.encode, batch), seconds, size, 5)))
    return made


def time_threads(encoder: OnnxEncoder, pixels: Pixels, cores: int, seconds: float, progress: Progress) -> List[Batch]:
    """Time the tower on one face and on 32, with 1, 2, 4 … CPU threads up to the number of cores.

    Args:
        encoder: The tower; it is opened anew for each number.
        pixels: uint8 (N, C, H, W).
        cores: Processors there are.
        seconds: For each measurement.
        progress: Called with what is next.
    """
    counts = sorted({min(2**power, cores) for power in range(cores.bit_length() + 1)})
    made = []
    for threads in counts:
        own = OnnxEncoder(encoder.model, encoder.providers, threads)
        made += time_batches(own, pixels, (1, 32), seconds, progress)
    return made
