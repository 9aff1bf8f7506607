"""Pictures on disk in any layout, for the tests of the readers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from siamese.datasets import FaceDataset, load_dataset


def put(path: Path, seed: int = 0, size: tuple[int, ...] = (24, 20)) -> Path:
    """Write a picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    ok, data = cv2.imencode(path.suffix.lower(), pixels)
    assert ok
    path.write_bytes(data.tobytes())
    return path


def fill(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        put(root / name, seed)
    return root


def load(root: Path, **options: object) -> FaceDataset:
    return load_dataset(root, cache=False, **options)  # type: ignore[arg-type]


def emotions_of(dataset: FaceDataset) -> list[str]:
    return [dataset.emotions[int(label)] for label in dataset.labels]


def reasons(dataset: FaceDataset) -> dict[str, str]:
    return {entry.source: entry.reason for entry in dataset.skipped}
