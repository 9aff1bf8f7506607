"""Text on pictures in OpenCV's letters; what is written over and over is drawn once and copied from then on."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = Tuple[int, int, int]

GROUND: Colour = (24, 26, 30)
"""Colour that :func:`stamp` writes on."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_KEPT = 256  # texts that are kept drawn


def plain(text: str) -> str:
    """A text in the letters OpenCV can draw: accents are left out (``"más"`` → ``"mas"``), other signs become ``?``."""
    if text.isascii():
        return text
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return bare.encode("ascii", "replace").decode()


def write(picture: Pixels, text: str, at: Tuple[int, int], scale: float, colour: Colour) -> None:
    """Write a text over what stands there.

    Args:
        picture: uint8 (H, W, 3), changed in place; its rows may be parts of longer ones.
        text: The text; see :func:`plain`.
        at: Column of its begin and row of its base line, in pixels.
        scale: Of the letters: capitals are about 21 times as many pixels high.
        colour: Of the letters, in the picture's order.
    """
    cv2.putText(picture, plain(text), at, _FONT, scale, colour, _stroke(scale), cv2.LINE_AA)


def stamp(picture: Pixels, text: str, at: Tuple[int, int], scale: float, colour: Colour) -> None:
    """Write as :func:`write`, to the pixel, in less time; where the picture has the colour :data:`GROUND`.

    Other letters may reach into the field around these, as an accolade does; a bar or a picture may not.

    Args:
        picture: As :func:`write`, like what follows.
        text: The text.
        at: Where it begins.
        scale: Of the letters.
        colour: Of the letters; no channel is darker than the ground's.
    """
    left, top, letters = _drawn(text, scale, colour)
    x, y = at[0] + left, at[1] + top
    if x < 0 or y < 0 or x + letters.shape[1] > picture.shape[1] or y + len(letters) > len(picture):
        write(picture, text, at, scale, colour)
        return
    place = picture[y : y + len(letters), x : x + letters.shape[1]]
    np.maximum(place, letters, out=place)


def text_size(text: str, scale: float) -> Tuple[int, int]:
    """Width and height, in pixels, of a field that holds a text with a little room around it."""
    (width, height), below = cv2.getTextSize(plain(text), _FONT, scale, _stroke(scale))
    return width + 6, height + below + 4


def drop(scale: float) -> int:
    """Pixels that letters reach below their base line."""
    return int(cv2.getTextSize("g", _FONT, scale, _stroke(scale))[1])


def _stroke(scale: float) -> int:
    return max(1, round(1.4 * scale))


@lru_cache(maxsize=_KEPT)
def _drawn(text: str, scale: float, colour: Colour) -> Tuple[int, int, Pixels]:
    """A text on the ground, cut to its ink; and where that begins, beside the text's begin and base line."""
    width, height = text_size(text, scale)
    field = np.full((3 * height, width + 2 * height, 3), GROUND, np.uint8)
    write(field, text, (height, 2 * height), scale, colour)
    ink = (field != np.array(GROUND, np.uint8)).any(axis=2)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return 0, 0, np.empty((0, 0, 3), np.uint8)
    letters = field[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return int(columns[0]) - height, int(rows[0]) - 2 * height, letters
