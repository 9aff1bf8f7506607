"""Where the faces are: a detector (Haar, or YuNet when its model is given) and the square crop a tower is shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError, DataError
from galleries.images import InputSpec, limit, to_grey, validate

DETECTION_SIDE = 800
"""Longest side, in pixels, of what a detector looks at: larger pictures are reduced for it."""

FACE_PICTURE_SIDE = 130
"""Longest side, in pixels, up to which a picture is taken for a face already cut out."""

SMALLEST_FACE = 24
"""Side, in pixels of what the detector looks at, of the smallest face the Haar detector reports."""

_HAAR_FILE = "haarcascade_frontalface_default.xml"
_HAAR_NEIGHBOURS = 6
_YUNET_SCORE = 0.7
_YUNET_SIDE = 64  # OpenCV answers nonsense for pictures with a side of 32 pixels or fewer
_OVERLAP = 0.3  # intersection over union from which two boxes are one face
_SYSTEM_FOLDERS = (
    "/usr/share/opencv4/haarcascades",
    "/usr/local/share/opencv4/haarcascades",
    "/usr/share/opencv/haarcascades",
)


@dataclass(frozen=True)
class Box:
    """A face in a picture, in pixels of the whole picture; it may reach over the border.

    Attributes:
        x: Left edge.
        y: Upper edge.
        width: Width, at least 1.
        height: Height, at least 1.
        score: How sure the detector is: YuNet's 0-1, or Haar's stage weight (about 1-12).
    """

    x: int
    y: int
    width: int
    height: int
    score: float

    def to_json(self) -> Dict[str, Any]:
        """The box as a plain dict."""
        return {"x": self.x, "y": self.y, "width": self.width, "height": self.height, "score": self.score}


class FaceDetector:
    """Finds upright, frontal faces.

    Without a model: the cascade of Viola & Jones (*Rapid object detection using a boosted cascade of simple features*,
    2001) that OpenCV 4 brings; its boxes are what FER-2013 was cut with. With a model: YuNet (Wu et al., *YuNet: a tiny
    millisecond-level face detector*, 2023), which misses fewer turned faces.

    Args:
        model: A YuNet ``.onnx`` file, or None for Haar.

    Raises:
        ConfigError: The model cannot be read, or this OpenCV has no Haar cascade.
    """

    def __init__(self, model: Optional[Union[str, Path]] = None) -> None:
        self.name = "haar" if model is None else "yunet"
        self._finder: Any = _open_haar() if model is None else _open_yunet(Path(model))

    def detect(self, image: NDArray[np.uint8]) -> List[Box]:
        """Find the faces of a picture.

        Args:
            image: uint8 (H, W) grey or (H, W, 3) RGB.

        Returns:
            One box a face, the largest first; possibly none.

        Raises:
            DataError: ``image`` is not a picture.
        """
        image = validate(image)
        scale = min(1.0, DETECTION_SIDE / max(image.shape[:2]))
        small = limit(to_grey(image) if self.name == "haar" else image, DETECTION_SIDE)
        found = self._haar(small) if self.name == "haar" else self._yunet(small)  # (F, 5): x, y, width, height, score
        found = found[_once_each(found)]
        boxes = []
        for row in found:
            x, y, width, height = (round(float(value) / scale) for value in row[:4])
            boxes.append(Box(x, y, max(1, width), max(1, height), round(float(row[4]), 4)))
        return sorted(boxes, key=lambda box: (-box.width * box.height, box.x, box.y))

    def landmarks(self, image: NDArray[np.uint8]) -> Optional[NDArray[np.float64]]:
        """Five points of the largest face of a picture: the eyes, the tip of the nose, the corners of the mouth.

        Args:
            image: As of :meth:`detect`; sides up to 800 pixels.

        Returns:
            float64 (5, 2), x and y in pixels of the picture, those at its left first; None where there is no face.

        Raises:
            ConfigError: This is the Haar detector, which finds none.
            DataError: ``image`` is not a picture.
        """
        if self.name == "haar":
            raise ConfigError("The Haar detector finds no eyes and mouths; give a YuNet model.")
        image = validate(image)
        small = limit(image, DETECTION_SIDE)
        found = self._yunet_rows(small)
        if not len(found):
            return None
        largest = found[np.argmax(found[:, 2] * found[:, 3])]
        points: NDArray[np.float64] = largest[4:14].reshape(5, 2) * (image.shape[0] / small.shape[0])
        return points

    def _haar(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        if min(image.shape[:2]) < SMALLEST_FACE:
            return np.empty((0, 5))
        boxes, _, weights = self._finder.detectMultiScale3(
            image,
            scaleFactor=1.1,
            minNeighbors=_HAAR_NEIGHBOURS,
            minSize=(SMALLEST_FACE, SMALLEST_FACE),
            outputRejectLevels=True,
        )
        if len(boxes) == 0:
            return np.empty((0, 5))
        return np.column_stack([np.asarray(boxes, np.float64), np.asarray(weights, np.float64).reshape(-1)])

    def _yunet(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        return self._yunet_rows(image)[:, [0, 1, 2, 3, 14]]  # between lie the five landmarks

    def _yunet_rows(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_RGB2BGR)
        below, beside = (max(0, _YUNET_SIDE - side) for side in colour.shape[:2])
        colour = cv2.copyMakeBorder(colour, 0, below, 0, beside, cv2.BORDER_CONSTANT)
        self._finder.setInputSize((colour.shape[1], colour.shape[0]))
        found = self._finder.detect(colour)[1]
        if found is None:
            return np.empty((0, 15))
        return np.asarray(found, np.float64)


def crop(image: NDArray[np.uint8], box: Box, margin: float = 0.0) -> NDArray[np.uint8]:
    """Cut a face out as a square around the box's centre; what lies beyond the border repeats the border.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        box: The face.
        margin: Added on each side, as a share of the box's longer side: 0 keeps Haar's box, as in FER-2013; 0-2.

    Returns:
        uint8 (S, S) or (S, S, 3), a copy.

    Raises:
        ConfigError: A margin out of range.
        DataError: A box that does not touch the picture.
    """
    if not 0.0 <= margin <= 2.0:
        raise ConfigError(f"A crop margin of {margin!r} was given; give a share of the face from 0 to 2.")
    height, width = image.shape[:2]
    if box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0:
        raise DataError(f"The box {box} lies outside a picture of {width}x{height} pixels.")
    side = max(1, round(max(box.width, box.height) * (1 + 2 * margin)))
    left = round(box.x + box.width / 2 - side / 2)
    top = round(box.y + box.height / 2 - side / 2)
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return np.ascontiguousarray(image[rows[:, None], columns])  # (S, 1) with (S,) -> (S, S)


def is_face_picture(image: NDArray[np.uint8], spec: InputSpec) -> bool:
    """Whether a picture is taken for a face already cut out, so that none is looked for.

    It is when neither side exceeds 130 pixels or, for towers with a larger input, the longer side of that input.
    """
    longest: int = max(image.shape[:2])
    return longest <= max(FACE_PICTURE_SIDE, spec.height, spec.width)


def _once_each(found: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of (F, 5) to keep: those with a positive score, and of boxes that overlap the surest."""
    kept = cv2.dnn.NMSBoxes(found[:, :4].tolist(), found[:, 4].tolist(), 0.0, _OVERLAP)
    return np.asarray(kept, np.int64).reshape(-1)


def _open_haar() -> Any:
    if not hasattr(cv2, "CascadeClassifier"):
        raise ConfigError(
            f"OpenCV {cv2.__version__} has no Haar detector; install 'opencv-python-headless>=4.8,<5' or give a YuNet "
            f"model."
        )
    own = getattr(getattr(cv2, "data", None), "haarcascades", None)  # a system's OpenCV has no cv2.data
    folders = [*([own] if own else []), *_SYSTEM_FOLDERS]
    for folder in folders:
        path = Path(folder) / _HAAR_FILE
        if path.is_file():
            cascade = cv2.CascadeClassifier(str(path))
            if not cascade.empty():
                return cascade
    raise ConfigError(
        f"{_HAAR_FILE} was not found in {', '.join(folders)}; reinstall opencv-python-headless or give a YuNet model."
    )


def _open_yunet(path: Path) -> Any:
    if not path.is_file():
        raise ConfigError(f"{path} is not a file; give a YuNet face detector's .onnx file.")
    try:
        return cv2.FaceDetectorYN.create(str(path), "", (320, 320), _YUNET_SCORE)
    except (cv2.error, AttributeError) as error:
        raise ConfigError(f"{path} cannot be used as a YuNet face detector by OpenCV {cv2.__version__}.") from error
