"""Several towers with their galleries, one face at a time, in turns: what an answer costs beside another tower's."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from eval.overhead import onnx_encoder
from eval.timing import Work, take_turns
from galleries.encoder import OnnxEncoder
from galleries.errors import ConfigError
from galleries.recognizer import Recognizer

_FACES = 64


@dataclass(frozen=True)
class FaceSpeed:
    """What one face costs, from prepared pixels to its vote with evidence.

    Attributes:
        tower: The tower's name.
        precision: ``"float32"``, ``"float16"`` or ``"int8"``.
        pixels: Its input, height x width x channels.
        megabytes: Of its ONNX file, 10⁶ bytes.
        references: In the gallery.
        n_neighbors: How many vote.
        answer: Milliseconds, median of the rounds' medians.
        network: The same of ``InferenceSession.run`` alone.
        ratio: The answer's milliseconds over those of the first, median of the rounds.
        ratios: The least and the greatest of the rounds.
    """

    tower: str
    precision: str
    pixels: str
    megabytes: float
    references: int
    n_neighbors: int
    answer: float
    network: float
    ratio: float
    ratios: Tuple[float, float]

    def to_json(self) -> Dict[str, Any]:
        """The speed as a plain dict."""
        return asdict(self)


def time_faces(
    recognizers: Sequence[Recognizer], seconds: float = 10.0, rounds: int = 15, seed: int = 0
) -> List[FaceSpeed]:
    """Time every recognizer on one face at a time, all in turns.

    The faces are noise of each tower's size: what a network computes does not depend on what it sees.

    Args:
        recognizers: Galleries with their towers, the first of which the others are compared with.
        seconds: For all of it.
        rounds: Measurements of each.
        seed: Of the noise.

    Raises:
        ConfigError: No recognizer or no round.
        TowerError: A tower is not run by ONNX Runtime.
    """
    if not recognizers:
        raise ConfigError("No tower was given; name one bundle or gallery at least.")
    sides: List[Work] = []
    encoders = [onnx_encoder(recognizer) for recognizer in recognizers]
    for recognizer, encoder in zip(recognizers, encoders):
        sides += _sides(recognizer, encoder, np.random.default_rng(seed))
    measured = take_turns(sides, rounds, seconds)
    answers, networks = measured[::2], measured[1::2]
    found = []
    for recognizer, encoder, answer, network in zip(recognizers, encoders, answers, networks):
        ratios = [own / first for own, first in zip(answer, answers[0])]
        spec = encoder.input_spec
        found.append(
            FaceSpeed(
                encoder.name,
                encoder.precision,
                f"{spec.height}x{spec.width}x{spec.channels}",
                len(encoder.model) / 1e6,
                len(recognizer.gallery),
                recognizer.n_neighbors,
                1000 * statistics.median(answer),
                1000 * statistics.median(network),
                statistics.median(ratios),
                (min(ratios), max(ratios)),
            )
        )
    return found


def _sides(recognizer: Recognizer, encoder: OnnxEncoder, rng: np.random.Generator) -> List[Work]:
    """The whole answer, and the network alone."""
    spec = encoder.input_spec
    shape = (_FACES, 1, spec.channels, spec.height, spec.width)
    faces = list(rng.integers(0, 256, shape, dtype=np.uint8))
    whole, alone, session = itertools.cycle(faces), itertools.cycle(faces), encoder.session

    def answer() -> None:
        recognizer.classify(encoder.encode(next(whole)))

    def network() -> None:
        session.run(["embedding"], {"pixels": next(alone)})

    return [answer, network]
