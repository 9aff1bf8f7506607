"""A contact sheet: some pictures of every emotion of a data set on one page, to be looked at."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError
from siamese.datasets.base import FaceDataset

_PAPER, _INK = 250, 30


def _thumbnail(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A picture fitted into (size, size, 3) with its proportions kept."""
    height, width = image.shape[:2]
    ratio = size / max(height, width)
    fitted = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    small = cv2.resize(image, fitted, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC)
    if small.ndim == 2:
        small = cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    tile = np.full((size, size, 3), _PAPER, np.uint8)
    top, left = (size - fitted[1]) // 2, (size - fitted[0]) // 2
    tile[top : top + fitted[1], left : left + fitted[0]] = small
    return tile


def _title(name: str, width: int, height: int) -> NDArray[np.uint8]:
    """A name written on paper, uint8 (height, width, 3), shrunk where it would not fit."""
    paper = np.full((height, width, 3), _PAPER, np.uint8)
    scale = height / 160
    (wide, high), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    scale *= min(1.0, (width - 8) / max(wide, 1))
    (_, high), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    ink = (_INK, _INK, _INK)
    cv2.putText(paper, name, (4, (height + high) // 2), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
    return paper


def contact_sheet(dataset: FaceDataset, per_emotion: int = 10, size: int = 96, seed: int = 0) -> NDArray[np.uint8]:
    """Lay out pictures of a data set, one row an emotion, its name on the left.

    Args:
        dataset: Any data set of faces.
        per_emotion: Pictures a row, at least 1; a row stays short where an emotion has fewer.
        size: Side of a picture on the sheet, pixels, 16-256.
        seed: Which pictures are taken: those of different people first, where people are known.

    Returns:
        uint8 RGB (rows, columns, 3), ``len(dataset.emotions) * (size + 2) + 2`` rows.

    Raises:
        ConfigError: A number is out of range.
    """
    if per_emotion < 1 or not 16 <= size <= 256:
        raise ConfigError(
            f"{per_emotion} pictures a row of {size} pixels were asked for; give at least 1, and 16-256 pixels."
        )
    rng = np.random.default_rng(seed)
    step, margin = size + 2, max(80, size)
    sheet = np.full((len(dataset.emotions) * step + 2, margin + per_emotion * step + 2, 3), _PAPER, np.uint8)
    for label, emotion in enumerate(dataset.emotions):
        top = 2 + label * step
        sheet[top : top + size, :margin] = _title(emotion, margin, size)
        for column, index in enumerate(_pick(dataset, label, per_emotion, rng)):
            left = margin + 2 + column * step
            sheet[top : top + size, left : left + size] = _thumbnail(dataset.image(index), size)
    return sheet


def _pick(dataset: FaceDataset, label: int, count: int, rng: np.random.Generator) -> list[int]:
    """Some pictures of an emotion at random, of different people as far as there are."""
    shuffled = [int(i) for i in rng.permutation(np.flatnonzero(dataset.labels == label))]
    if dataset.subjects is None:
        return shuffled[:count]
    first: dict[str, int] = {}
    for index in shuffled:
        first.setdefault(dataset.subjects[index], index)
    chosen = set(first.values())
    return (list(first.values()) + [index for index in shuffled if index not in chosen])[:count]
