"""Drawing what was recognised: boxes on the frame, and beside it a card a person. No face is ever covered."""

from __future__ import annotations

import unicodedata
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.errors import unknown_name
from galleries.faces import Box
from galleries.film_results import FaceResult, FrameResult
from galleries.gallery import Gallery

Pixels = NDArray[np.uint8]
Colour = Tuple[int, int, int]
Rectangle = Tuple[int, int, int, int]

SMALLEST_SIDE = 480
"""Longest side, in pixels, a frame has at least when it is drawn on: smaller ones are enlarged by whole factors."""

BARS = 8
"""Bars of a card at most: those of the emotions with the most votes if a gallery has more."""

_LEAST_HEIGHT = 320
_COLOURS: Tuple[Colour, ...] = (
    (255, 190, 60), (90, 200, 250), (120, 220, 120), (250, 130, 160), (190, 160, 255), (240, 240, 110),
    (110, 230, 210), (255, 150, 90),
)  # fmt: skip
_GROUND: Colour = (24, 26, 30)
_TRACK: Colour = (62, 66, 74)
_INK: Colour = (236, 238, 240)
_WORDS: Dict[str, Dict[str, str]] = {
    "en": {"no face": "no face", "nearest": "nearest", "more": "more"},
    "es": {"no face": "sin rostro", "nearest": "cerca", "more": "más"},
}
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class Annotator:
    """Draws frames with their faces, as the published webcam systems show them.

    A face gets a box around it (not over it) and, where there is room beside every face, its emotion. The panel on the
    right shows for each person the smoothed vote, its bars, and the nearest reference's thumbnail.

    Args:
        gallery: Where the thumbnails are; it may have none.
        names: Emotions' names as they shall be drawn; those missing are drawn as they are. OpenCV's letters know no
            accents, so ``"más"`` is drawn as ``"mas"``.
        language: Of the panel's few words: ``"en"`` or ``"es"``.
    """

    def __init__(self, gallery: Gallery, names: Optional[Mapping[str, str]] = None, language: str = "en") -> None:
        self._thumbnails = gallery.thumbnails
        self._numbers = gallery.numbers
        self._emotions = gallery.emotions
        self._names = dict(names or {})
        if language not in _WORDS:
            raise unknown_name("language", language, _WORDS)
        self._words = _WORDS[language]

    def draw(self, result: FrameResult) -> Pixels:
        """Draw a frame and its panel.

        Args:
            result: The frame.

        Returns:
            uint8 (H', W', 3) RGB, the same size for frames of the same size; both sides are even.
        """
        frame, factor = _enlarged(result.image)
        unit = min(max(frame.shape[0] / 480, 0.85), 4.0)
        self._mark_faces(frame, result.faces, factor, unit)
        height = max(frame.shape[0], _LEAST_HEIGHT)
        height += height % 2
        panel = self._panel(result, height, unit)
        width = frame.shape[1] + panel.shape[1]
        canvas = _ground(height, width + width % 2)
        canvas[: frame.shape[0], : frame.shape[1]] = frame
        canvas[:, frame.shape[1] : width] = panel
        return canvas

    def _mark_faces(self, frame: Pixels, faces: Sequence[FaceResult], factor: int, unit: float) -> None:
        before = frame.copy()
        places = [_scaled(face.box, factor) for face in faces]
        thick = max(1, round(2 * unit))
        taken = [_grown(place, thick) for place in places]
        for face, (left, top, right, bottom) in zip(faces, places):
            corners = (left - thick, top - thick), (right + thick - 1, bottom + thick - 1)
            cv2.rectangle(frame, *corners, _colour(face.track), thick)
        for face, place in zip(faces, places):
            text = f"{face.track} {self._name(face.emotion)} {face.confidence:.0%}"
            spot = _free_spot(frame.shape, _grown(place, thick), _text_size(text, 0.5 * unit), taken)
            if spot is not None:
                taken.append(spot)
                cv2.rectangle(frame, spot[:2], (spot[2] - 1, spot[3] - 1), _colour(face.track), cv2.FILLED)
                _write(frame, text, (spot[0] + 3, spot[3] - _drop(0.5 * unit)), 0.5 * unit, _GROUND)
        for left, top, right, bottom in places:  # another person's box may cross a face
            rows, columns = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
            frame[rows, columns] = before[rows, columns]

    def _panel(self, result: FrameResult, height: int, unit: float) -> Pixels:
        panel = _ground(height, round(260 * unit))
        minutes, seconds = divmod(result.time, 60)
        said = f"{int(minutes)}:{seconds:04.1f}"
        if result.fps > 0:  # the first frame has no rate yet
            said += f"   {result.fps:.1f} FPS"
        if not result.faces:
            said += f"   {self._words['no face']}"
        _write(panel, said, (round(8 * unit), round(18 * unit)), 0.5 * unit, _INK)
        top, gap = round(28 * unit), round(6 * unit)
        head, bar = round(60 * unit), round(15 * unit)
        full = head + bar * min(BARS, len(self._emotions)) + gap
        for place, face in enumerate(result.faces):
            others = len(result.faces) - place - 1
            reserve = others * (head + gap)
            if top + head > height:
                said = f"+ {others + 1} {self._words['more']}"
                _write(panel, said, (round(8 * unit), height - 2), 0.45 * unit, _INK)
                break
            self._head(panel, face, top, head, unit)
            if top + full + reserve <= height or (place == 0 and top + full <= height):
                self._bars(panel, face, top + head, bar, unit)
                top += full
            else:
                top += head + gap
        return panel

    def _head(self, panel: Pixels, face: FaceResult, top: int, height: int, unit: float) -> None:
        """The first part of a card: who, which emotion, how sure, and the nearest reference."""
        cv2.rectangle(panel, (0, top), (round(4 * unit), top + height - 4), _colour(face.track), cv2.FILLED)
        left, line = round(12 * unit), round(18 * unit)
        _write(panel, f"{face.track}  {self._name(face.emotion)}", (left, top + line), 0.6 * unit, _colour(face.track))
        _write(panel, f"{face.confidence:.0%}", (left, top + 2 * line), 0.5 * unit, _INK)
        nearest = f"{self._words['nearest']}: {self._name(face.nearest.emotion)}"
        _write(panel, nearest, (left, top + 3 * line), 0.42 * unit, _INK)
        picture = self._thumbnail(face.nearest.number)
        if picture is not None:
            side = height - 4
            how = cv2.INTER_AREA if min(picture.shape[:2]) > side else cv2.INTER_CUBIC
            small = cv2.resize(picture, (side, side), interpolation=how)
            panel[top : top + side, -side - 4 : -4] = small

    def _bars(self, panel: Pixels, face: FaceResult, top: int, row: int, unit: float) -> None:
        """The second part of a card: the votes."""
        left, right = round(100 * unit), panel.shape[1] - round(8 * unit)
        shown = sorted(self._emotions, key=lambda name: -face.scores[name])[:BARS]
        for place, emotion in enumerate(name for name in self._emotions if name in shown):
            y = top + place * row
            _write(panel, self._name(emotion), (round(12 * unit), y + round(11 * unit)), 0.42 * unit, _INK)
            end = left + round((right - left) * face.scores[emotion])
            cv2.rectangle(panel, (left, y + 2), (right, y + row - 4), _TRACK, cv2.FILLED)
            if end > left:
                cv2.rectangle(panel, (left, y + 2), (end, y + row - 4), _colour(face.track), cv2.FILLED)

    def _thumbnail(self, number: int) -> Optional[Pixels]:
        if self._thumbnails is None:
            return None
        picture = self._thumbnails[int(np.searchsorted(self._numbers, number))]
        return _coloured(picture)

    def _name(self, emotion: str) -> str:
        return self._names.get(emotion, emotion)


def plain(text: str) -> str:
    """A text in the letters OpenCV can draw: accents are left out (``"más"`` → ``"mas"``), other signs become ``?``."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return bare.encode("ascii", "replace").decode()


def _ground(height: int, width: int) -> Pixels:
    """An empty picture. Whole rows are copied: filling it colour by colour took most of a drawing's time."""
    row = np.tile(np.array(_GROUND, np.uint8), width)
    return np.broadcast_to(row, (height, len(row))).copy().reshape(height, width, 3)


def _enlarged(image: Pixels) -> Tuple[Pixels, int]:
    """A colour copy of a frame, enlarged if it is small; and by how much."""
    factor = -(-SMALLEST_SIDE // max(image.shape[:2]))
    colour = _coloured(image)
    if factor == 1:
        return colour.copy(), 1
    size = (image.shape[1] * factor, image.shape[0] * factor)
    large: Pixels = cv2.resize(colour, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    return large, factor


def _coloured(image: Pixels) -> Pixels:
    if image.ndim == 3:
        return image
    colour: Pixels = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
    return colour


def _scaled(box: Box, factor: int) -> Rectangle:
    return box.x * factor, box.y * factor, (box.x + box.width) * factor, (box.y + box.height) * factor


def _grown(place: Rectangle, by: int) -> Rectangle:
    return place[0] - by, place[1] - by, place[2] + by, place[3] + by


def _colour(track: int) -> Colour:
    return _COLOURS[(track - 1) % len(_COLOURS)]


def _text_size(text: str, scale: float) -> Tuple[int, int]:
    (width, height), below = cv2.getTextSize(plain(text), _FONT, scale, _stroke(scale))
    return width + 6, height + below + 4


def _drop(scale: float) -> int:
    return int(cv2.getTextSize("g", _FONT, scale, _stroke(scale))[1])


def _stroke(scale: float) -> int:
    return max(1, round(1.4 * scale))


def _write(picture: Pixels, text: str, at: Tuple[int, int], scale: float, colour: Colour) -> None:
    cv2.putText(picture, plain(text), at, _FONT, scale, colour, _stroke(scale), cv2.LINE_AA)


def _free_spot(
    shape: Tuple[int, ...], place: Rectangle, size: Tuple[int, int], taken: Sequence[Rectangle]
) -> Optional[Rectangle]:
    """Where beside a face a text fits: inside the frame, and on no face or other text; None if nowhere."""
    width, height = size
    left, top, right, bottom = place
    inside = min(max(0, left), max(0, shape[1] - width))
    level = min(max(0, top), max(0, shape[0] - height))
    corners = [(inside, top - height), (inside, bottom), (right, level), (left - width, level)]
    spots: List[Rectangle] = [(x, y, x + width, y + height) for x, y in corners]
    for spot in spots:
        if spot[0] < 0 or spot[1] < 0 or spot[2] > shape[1] or spot[3] > shape[0]:
            continue
        if not any(_meet(spot, other) for other in taken):
            return spot
    return None


def _meet(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
