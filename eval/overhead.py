"""What the toolkit adds to the bare libraries: one face from prepared pixels to a vote with evidence, in turns."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass
from typing import Tuple

import faiss
import numpy as np
from numpy.typing import NDArray

from eval.timing import take_turns
from galleries.encoder import OnnxEncoder
from galleries.errors import TowerError
from galleries.recognizer import Recognizer


@dataclass(frozen=True)
class Overhead:
    """One face through the toolkit and through ONNX Runtime and FAISS alone.

    Attributes:
        toolkit: Median milliseconds: the tower, the search, the vote, and the neighbours with where they come from.
        bare: Median milliseconds: ``InferenceSession.run``, unit length under cosine, ``faiss.IndexFlat.search``.
        bare_tower: Median milliseconds of ``InferenceSession.run`` alone.
        ratio: toolkit / bare, median of the rounds.
        ratios: The least and the greatest of the rounds.
        references: In the gallery.
        n_neighbors: How many are searched for.
    """

    toolkit: float
    bare: float
    bare_tower: float
    ratio: float
    ratios: Tuple[float, float]
    references: int
    n_neighbors: int


def onnx_encoder(recognizer: Recognizer) -> OnnxEncoder:
    """The recognizer's tower, whose session can be timed alone.

    Raises:
        TowerError: It is not run by ONNX Runtime.
    """
    encoder = recognizer.encoder
    if not isinstance(encoder, OnnxEncoder):
        raise TowerError(f"Tower {encoder.name!r} is not run by ONNX Runtime, and no other can be measured; export it.")
    return encoder


def time_overhead(
    recognizer: Recognizer,
    encoder: OnnxEncoder,
    pixels: NDArray[np.uint8],
    seconds: float = 6.0,
    rounds: int = 15,
) -> Overhead:
    """Time both sides in turns, on the same session, arrays and threads.

    Args:
        recognizer: The gallery, and how its neighbours vote.
        encoder: Its tower; the bare side runs the same session.
        pixels: uint8 (N, C, H, W), prepared faces.
        seconds: For all of it.
        rounds: Measurements of each side.

    Raises:
        ConfigError: No round was asked for.
    """
    gallery, session, k = recognizer.gallery, encoder.session, recognizer.n_neighbors
    vectors = gallery.vectors
    cosine = gallery.metric == "cosine"
    plain = faiss.IndexFlat(vectors.shape[1], faiss.METRIC_INNER_PRODUCT if cosine else faiss.METRIC_L2)
    plain.add(vectors)
    faces = [np.ascontiguousarray(face[None]) for face in pixels]
    turns = [itertools.cycle(faces) for _ in range(3)]

    def toolkit() -> None:
        gallery.classify(encoder.encode(next(turns[0])), k, recognizer.weights)

    def bare() -> None:
        (vector,) = session.run(["embedding"], {"pixels": next(turns[1])})
        plain.search(vector / np.linalg.norm(vector, axis=1, keepdims=True) if cosine else vector, k)

    def tower() -> None:
        session.run(["embedding"], {"pixels": next(turns[2])})

    own, other, alone = take_turns([toolkit, bare, tower], rounds, seconds)
    ratios = [mine / theirs for mine, theirs in zip(own, other)]
    return Overhead(
        1000 * statistics.median(own),
        1000 * statistics.median(other),
        1000 * statistics.median(alone),
        statistics.median(ratios),
        (min(ratios), max(ratios)),
        len(gallery),
        k,
    )
