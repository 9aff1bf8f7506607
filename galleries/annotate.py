"""Drawing what was recognised: boxes on the frame, and beside it a card a person. No face is ever covered."""

from __future__ import annotations

from functools import lru_cache
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.errors import unknown_name
from galleries.faces import Box
from galleries.film_results import FaceResult, FrameResult
from galleries.gallery import Gallery
from galleries.lettering import GROUND, Colour, drop, stamp, text_size, write

Pixels = NDArray[np.uint8]
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
_TRACK: Colour = (62, 66, 74)
_INK: Colour = (236, 238, 240)
_WORDS: Dict[str, Dict[str, str]] = {
    "en": {"no face": "no face", "nearest": "nearest", "more": "more"},
    "es": {"no face": "sin rostro", "nearest": "cerca", "more": "más"},
}
_KEPT = 64  # thumbnails that are kept in the size they are shown


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
        self._shown: Dict[Tuple[int, int], Pixels] = {}

    def draw(self, result: FrameResult) -> Pixels:
        """Draw a frame and its panel.

        Args:
            result: The frame.

        Returns:
            uint8 (H', W', 3) RGB, the same size for frames of the same size; both sides are even.
        """
        image, factor = _enlarged(result.image)
        tall, wide = image.shape[:2]
        unit = min(max(tall / 480, 0.85), 4.0)
        height = max(tall, _LEAST_HEIGHT)
        height += height % 2
        width = round(260 * unit)
        canvas = np.empty((height, wide + width + (wide + width) % 2, 3), np.uint8)
        canvas[:tall, :wide] = image
        _clear(canvas[tall:, :wide])
        _clear(canvas[:, wide:])
        self._mark_faces(canvas[:tall, :wide], image, result.faces, factor, unit)
        self._fill_panel(canvas[:, wide : wide + width], result, unit)
        return canvas

    def _mark_faces(self, frame: Pixels, image: Pixels, faces: Sequence[FaceResult], factor: int, unit: float) -> None:
        places = [_scaled(face.box, factor) for face in faces]
        thick = max(1, round(2 * unit))
        taken = [_grown(place, thick) for place in places]
        for face, (left, top, right, bottom) in zip(faces, places):
            corners = (left - thick, top - thick), (right + thick - 1, bottom + thick - 1)
            cv2.rectangle(frame, *corners, _colour(face.track), thick)
        for face, place in zip(faces, places):
            text = f"{face.track} {self._name(face.emotion)} {face.confidence:.0%}"
            spot = _free_spot(frame.shape, _grown(place, thick), text_size(text, 0.5 * unit), taken)
            if spot is not None:
                taken.append(spot)
                cv2.rectangle(frame, spot[:2], (spot[2] - 1, spot[3] - 1), _colour(face.track), cv2.FILLED)
                write(frame, text, (spot[0] + 3, spot[3] - drop(0.5 * unit)), 0.5 * unit, GROUND)
        if len(places) == 1:
            return
        for left, top, right, bottom in places:  # another person's box may cross a face
            rows, columns = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
            frame[rows, columns] = image[rows, columns]

    def _fill_panel(self, panel: Pixels, result: FrameResult, unit: float) -> None:
        height = len(panel)
        minutes, seconds = divmod(result.time, 60)
        said = f"{int(minutes)}:{seconds:04.1f}"
        if result.fps > 0:  # the first frame has no rate yet
            said += f"   {result.fps:.1f} FPS"
        if not result.faces:
            said += f"   {self._words['no face']}"
        write(panel, said, (round(8 * unit), round(18 * unit)), 0.5 * unit, _INK)
        top, gap = round(28 * unit), round(6 * unit)
        head, bar = round(60 * unit), round(15 * unit)
        full = head + bar * min(BARS, len(self._emotions)) + gap
        for place, face in enumerate(result.faces):
            others = len(result.faces) - place - 1
            reserve = others * (head + gap)
            if top + head > height:
                said = f"+ {others + 1} {self._words['more']}"
                write(panel, said, (round(8 * unit), height - 2), 0.45 * unit, _INK)
                break
            self._head(panel, face, top, head, unit)
            if top + full + reserve <= height or (place == 0 and top + full <= height):
                self._bars(panel, face, top + head, bar, unit)
                top += full
            else:
                top += head + gap

    def _head(self, panel: Pixels, face: FaceResult, top: int, height: int, unit: float) -> None:
        """The first part of a card: who, which emotion, how sure, and the nearest reference."""
        cv2.rectangle(panel, (0, top), (round(4 * unit), top + height - 4), _colour(face.track), cv2.FILLED)
        left, line = round(12 * unit), round(18 * unit)
        stamp(panel, f"{face.track}  {self._name(face.emotion)}", (left, top + line), 0.6 * unit, _colour(face.track))
        stamp(panel, f"{face.confidence:.0%}", (left, top + 2 * line), 0.5 * unit, _INK)
        nearest = f"{self._words['nearest']}: {self._name(face.nearest.emotion)}"
        stamp(panel, nearest, (left, top + 3 * line), 0.42 * unit, _INK)
        picture = self._thumbnail(face.nearest.number, height - 4)
        if picture is not None:
            panel[top : top + height - 4, -height:-4] = picture

    def _bars(self, panel: Pixels, face: FaceResult, top: int, row: int, unit: float) -> None:
        """The second part of a card: the votes."""
        most = sorted(self._emotions, key=lambda name: -face.scores[name])[:BARS]
        shown = [emotion for emotion in self._emotions if emotion in most]
        empty = _empty_bars(tuple(map(self._name, shown)), panel.shape[1], row, unit)
        panel[top : top + len(empty)] = empty
        left, right = _bar_ends(panel.shape[1], unit)
        for place, emotion in enumerate(shown):
            y = top + place * row
            end = left + round((right - left) * face.scores[emotion])
            if end > left:
                cv2.rectangle(panel, (left, y + 2), (end, y + row - 4), _colour(face.track), cv2.FILLED)

    def _thumbnail(self, number: int, side: int) -> Optional[Pixels]:
        if self._thumbnails is None:
            return None
        kept = self._shown.get((number, side))
        if kept is not None:
            return kept
        picture = _coloured(self._thumbnails[int(np.searchsorted(self._numbers, number))])
        how = cv2.INTER_AREA if min(picture.shape[:2]) > side else cv2.INTER_CUBIC
        small: Pixels = cv2.resize(picture, (side, side), interpolation=how).astype(np.uint8, copy=False)
        if len(self._shown) == _KEPT:
            self._shown.pop(next(iter(self._shown)))
        self._shown[number, side] = small
        return small

    def _name(self, emotion: str) -> str:
        return self._names.get(emotion, emotion)


@lru_cache(maxsize=16)
def _empty_bars(names: Tuple[str, ...], width: int, row: int, unit: float) -> Pixels:
    """The names of votes and the tracks of their bars, (rows, ``width``, 3): the same in most frames of a film."""
    rows = np.empty((len(names) * row + round(6 * unit), width, 3), np.uint8)
    _clear(rows)
    left, right = _bar_ends(width, unit)
    for place, name in enumerate(names):
        y = place * row
        stamp(rows, name, (round(12 * unit), y + round(11 * unit)), 0.42 * unit, _INK)
        cv2.rectangle(rows, (left, y + 2), (right, y + row - 4), _TRACK, cv2.FILLED)
    return rows


def _bar_ends(width: int, unit: float) -> Tuple[int, int]:
    """Columns of a panel in which a bar begins and ends at most."""
    return round(100 * unit), width - round(8 * unit)


def _clear(part: Pixels) -> None:
    """Fill a part of a picture with the ground. Whole rows are copied: colour by colour it takes far longer."""
    part[:] = np.tile(np.array(GROUND, np.uint8), (part.shape[1], 1))


def _enlarged(image: Pixels) -> Tuple[Pixels, int]:
    """A frame in colour, enlarged if it is small; and by how much. It may be the frame itself."""
    factor = -(-SMALLEST_SIDE // max(image.shape[:2]))
    colour = _coloured(image)
    if factor == 1:
        return colour, 1
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
