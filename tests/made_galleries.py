"""Small galleries for tests, and whether two of them hold the same."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 4)
WIDE = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 6)
OTHER = TowerCard("other", "cd" * 16, InputSpec(8, 8, 1), 4)
AXES = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2, 3]]
AXES[1, :2] = AXES[3, 1:3] = 0.9, 0.1
NAMES = ["Angry", "enojo", "fear", "miedo", "boredom", "fear"]


def small(**changes: Any) -> Gallery:
    options: Dict[str, Any] = {"tower": CARD, **changes}
    return Gallery.build(AXES, NAMES, **options)


def full() -> Gallery:
    return small(
        sources=[f"a/{i} ñ\udcff.png" for i in range(6)],
        subjects=["S1", "S1", "S2", None, None, "S3"],
        sequences=["q", None, None, None, None, None],
        thumbnails=np.arange(6 * 12, dtype=np.uint8).reshape(6, 3, 4),
    )


def same(a: Gallery, b: Gallery) -> bool:
    pictures = (a.thumbnails is None) == (b.thumbnails is None)
    if a.thumbnails is not None and b.thumbnails is not None:
        pictures = np.array_equal(a.thumbnails, b.thumbnails)
    return (
        pictures
        and a.info() == b.info()
        and a.references == b.references
        and np.array_equal(a.numbers, b.numbers)
        and np.array_equal(a.vectors, b.vectors)
        and a.tower_onnx == b.tower_onnx
    )


def scattered(seed: int = 0, size: int = 60) -> Gallery:
    """A gallery of three emotions that overlap, shown by three people, with six copies."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, size)
    vectors = (np.eye(3, 6)[labels] + rng.normal(0, 0.4, (size, 6))).astype(np.float32)
    vectors[-6:] = vectors[:6]  # copies are others
    labels[-6:] = labels[:6]
    names = [("anger", "fear", "sadness")[label] for label in labels]
    return Gallery.build(vectors, names, tower=WIDE, subjects=[f"S{i % 3}" for i in range(size)])
