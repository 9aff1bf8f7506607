"""A gallery of six references under three emotions, and whether two galleries hold the same."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from galleries.encoder import TowerCard
from galleries.gallery import Gallery
from galleries.images import InputSpec

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 4)
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
