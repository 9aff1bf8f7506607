"""Faces of a few pixels and vectors around centres, for the tests of episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np

from eval.episodes import Pool
from siamese.datasets.base import FaceDataset, PixelStore

NAMES = ("anger", "contempt", "fear", "sadness", "surprise")


def dataset_of(
    labels: Any,
    pictures: Any = None,
    subjects: Optional[list[str]] = None,
    sequences: Optional[list[str]] = None,
) -> FaceDataset:
    """Faces of 2x2 pixels; equal numbers in ``pictures`` are exact copies."""
    size = len(labels)
    shown = np.arange(size) if pictures is None else np.asarray(pictures)
    pixels = np.stack([shown // 256, shown % 256, shown * 0, shown * 0], axis=1).astype(np.uint8).reshape(size, 2, 2)
    return FaceDataset(
        "drawn",
        "folder",
        Path("drawn"),
        NAMES,
        np.asarray(labels, np.int64),
        tuple(f"row:{row}" for row in range(size)),
        PixelStore.from_array(pixels),
        np.arange(size),
        None if subjects is None else tuple(subjects),
        None if sequences is None else tuple(sequences),
    )


def gaussian(n_way: int, size: int, noise: float, seed: int = 0, dim: int = 6) -> tuple[Pool, np.ndarray]:
    """Vectors around centres, and their pool."""
    rng = np.random.default_rng(seed)
    labels = np.arange(size) % n_way
    vectors = rng.normal(size=(n_way, dim))[labels] + rng.normal(0, noise, (size, dim))
    return Pool.of(dataset_of(labels)), vectors.astype(np.float32)
