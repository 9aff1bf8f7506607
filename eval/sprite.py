"""Many small faces as a few large pictures, of which a page shows a tile at a time: 30,000 faces, 30 files."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 48
"""Pixels of a tile: a multiple of 16, so that no block of a JPEG, colour or not, spans two faces."""

COLUMNS = 32
"""Tiles in a row, and rows on a sheet: a browser decodes 1536 x 1536 pixels when it first needs one of 1024 faces."""

QUALITY = 60
"""Of the JPEG, 0-100; about 440 bytes a face."""


@dataclass(frozen=True)
class Sprite:
    """Sheets of faces; face i is tile ``i % 1024`` of sheet ``i // 1024``, tiles row by row.

    Attributes:
        sheets: JPEG files.
        size: Faces on them.
    """

    sheets: tuple[bytes, ...]
    size: int

    def to_json(self) -> dict[str, Any]:
        """The sprite for a page's script, sheets as base64."""
        texts = [base64.b64encode(sheet).decode() for sheet in self.sheets]
        return {"side": SIDE, "columns": COLUMNS, "sheets": texts}


def sprite(groups: Sequence[NDArray[np.uint8]]) -> Sprite:
    """Put faces on sheets.

    Args:
        groups: One or more arrays of faces uint8 (N, h, w) or (N, h, w, 3) RGB, in any sizes; they are numbered
            through. The sheets are in colour if one of the groups is.

    Returns:
        The sheets; none for no faces.
    """
    colour = any(group.ndim == 4 for group in groups)
    faces = [_tile(face, colour) for group in groups for face in group]
    sheets = []
    for start in range(0, len(faces), COLUMNS * COLUMNS):
        held = faces[start : start + COLUMNS * COLUMNS]
        rows = -(-len(held) // COLUMNS)
        sheet = np.zeros((rows * SIDE, COLUMNS * SIDE, *((3,) if colour else ())), np.uint8)
        for place, face in enumerate(held):
            top, left = SIDE * (place // COLUMNS), SIDE * (place % COLUMNS)
            sheet[top : top + SIDE, left : left + SIDE] = face
        stored = sheet[..., ::-1] if colour else sheet
        sheets.append(cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
    return Sprite(tuple(sheets), len(faces))


def _tile(face: NDArray[np.uint8], colour: bool) -> NDArray[np.uint8]:
    if face.shape[:2] != (SIDE, SIDE):
        shrinks = min(face.shape[:2]) >= SIDE
        face = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)  # type: ignore[assignment]
    return np.repeat(face[..., None], 3, axis=2) if colour and face.ndim == 2 else face
