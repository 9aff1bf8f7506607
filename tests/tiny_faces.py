"""Tiny data sets and configurations on which a run takes a fraction of a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from siamese.augment import Augmentation
from siamese.config import TrainingConfig
from siamese.datasets.base import FaceDataset, PixelStore
from siamese.splits import Split, make_split

EMOTIONS = ("anger", "fear", "sadness")


def tiny_dataset(
    size: int = 60, side: int = 16, seed: int = 0, noise: int = 128, emotions: tuple[str, ...] = EMOTIONS
) -> FaceDataset:
    """Grey pictures of some emotions, each a random pattern under noise."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(size) % len(emotions)).astype(np.int64)
    patterns = rng.integers(0, 256, (len(emotions), side, side))
    pixels = patterns[labels] // 2 + rng.integers(0, max(1, noise), (size, side, side))
    store = PixelStore.from_array(pixels.clip(0, 255).astype(np.uint8))
    ids = tuple(f"row:{row}" for row in range(size))
    return FaceDataset("tiny", "folder", Path("tiny"), emotions, labels, ids, store, np.arange(size))


def tiny_split(dataset: FaceDataset) -> Split:
    """42 to train on, 9 to validate on, 9 to test on."""
    return make_split(dataset, "random", seed=1)


def tiny_config(**options: Any) -> TrainingConfig:
    """Three epochs of the nano tower at 16x16."""
    basic: dict[str, Any] = {
        "tower": "nano",
        "input_size": 16,
        "embedding_dim": 8,
        "epochs": 3,
        "batch_size": 14,
        "precision": "float32",
        "ema": 0.9,
        "lr": 0.05,
        "n_neighbors": 3,
        "augment": Augmentation(flip=0.5, shift=0.1, brightness=0.1, erase=0.2),
    }
    return TrainingConfig(**{**basic, **options})
