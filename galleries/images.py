"""Pictures: decode, validate, and bring to a tower's input. The ONE preprocessing, for training and device alike.

A picture is a uint8 array, grey ``(H, W)`` or colour ``(H, W, 3)`` in **RGB** order, values 0-255.
Scaling, mean and standard deviation live inside the tower, so nothing but :func:`prepare` stands between a
picture and a tower.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Mapping, Union

import cv2
import numpy as np

from galleries.errors import ConfigError, DataError
from galleries.shrinking import shrink

MAX_SIDE = 256
"""Longest side, in pixels, a face keeps: larger ones are reduced by area averaging before any other resize."""

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm")
"""File endings (lower case) taken for pictures when a folder is listed."""

_INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


@dataclass(frozen=True)
class InputSpec:
    """What a tower takes: a uint8 array of shape (channels, height, width).

    Attributes:
        height: Rows, 8-1024.
        width: Columns, 8-1024.
        channels: 1 for grey, 3 for RGB (a grey picture is copied three times).
        interpolation: ``"auto"`` (area when shrinking, cubic when enlarging), ``"nearest"``, ``"linear"``, ``"cubic"``
            or ``"area"``.
    """

    height: int
    width: int
    channels: int = 1
    interpolation: str = "auto"

    def __post_init__(self) -> None:
        for side in (self.height, self.width):
            if isinstance(side, bool) or not isinstance(side, int) or not 8 <= side <= 1024:
                raise ConfigError(f"An input side of {side!r} pixels was given; give a whole number from 8 to 1024.")
        if self.channels not in (1, 3):
            raise ConfigError(f"{self.channels!r} input channels were given; a tower takes 1 (grey) or 3 (RGB).")
        if self.interpolation != "auto" and self.interpolation not in _INTERPOLATIONS:
            names = ", ".join(["auto", *_INTERPOLATIONS])
            raise ConfigError(f"{self.interpolation!r} is not a known interpolation. Choose one of: {names}.")

    def to_json(self) -> Dict[str, Any]:
        """The spec as a plain dict for a JSON card."""
        return {
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "interpolation": self.interpolation,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> InputSpec:
        """Read a spec back from a card, checked.

        Raises:
            ConfigError: A field is missing or out of range.
        """
        try:
            return cls(data["height"], data["width"], data["channels"], data.get("interpolation", "auto"))
        except (KeyError, TypeError) as error:
            raise ConfigError(f"An input spec needs height, width and channels; got {data!r}.") from error

    def __str__(self) -> str:
        return f"{self.height}x{self.width}x{self.channels}"


def decode(data: bytes, name: str = "picture") -> np.ndarray:
    """Decode an encoded picture; EXIF orientation is applied, 16-bit is brought to 8, alpha dropped, palette expanded.

    Args:
        data: The file's bytes (JPEG, PNG, WebP, TIFF, BMP, GIF, PGM …).
        name: What to call the picture in an error.

    Returns:
        uint8 array, (H, W) if every pixel is grey, else (H, W, 3) in RGB order.

    Raises:
        DataError: The bytes are no picture OpenCV can read.
    """
    if not data:
        raise DataError(f"{name} is empty (0 bytes); a picture was expected.")
    try:
        bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DataError(f"{name} could not be decoded as a picture ({error.err}).") from error
    if bgr is None:
        raise DataError(f"{name} is not a picture OpenCV can read (JPEG, PNG, WebP, TIFF, BMP … expected).")
    blue, green, red = bgr[..., 0], bgr[..., 1], bgr[..., 2]
    if np.array_equal(blue, green) and np.array_equal(green, red):
        return np.ascontiguousarray(green)
    return np.ascontiguousarray(bgr[..., ::-1])


def read_picture(path: Union[str, Path]) -> np.ndarray:
    """Read and decode a picture file.

    Args:
        path: The file; any unicode path works.

    Returns:
        As :func:`decode`.

    Raises:
        DataError: The file is missing, unreadable, or no picture.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; give the path of a picture.") from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder; a picture file was expected.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    return decode(data, str(path))


def validate(image: np.ndarray, name: str = "picture") -> np.ndarray:
    """Check that an array is a picture and bring it to uint8 grey or RGB.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA; uint8, or uint16 (its high byte is kept).
        name: What to call the picture in an error.

    Returns:
        uint8 array (H, W) or (H, W, 3).

    Raises:
        DataError: Wrong type, dtype, shape, or no pixels.
    """
    if not isinstance(image, np.ndarray):
        raise DataError(f"{name} is a {type(image).__name__}; a numpy array of pixels was expected.")
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise DataError(f"{name} has pixels of type {image.dtype}; uint8 (0-255) was expected.")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    elif image.ndim == 3 and image.shape[2] == 4:
        image = image[..., :3]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or image.size == 0:
        raise DataError(f"{name} has shape {image.shape}; (height, width) or (height, width, 3) was expected.")
    return image


def is_blank(image: np.ndarray, span: int = 0) -> bool:
    """Whether a picture shows nothing: its pixels span at most ``span`` of 255 steps (0: all have the same value)."""
    return bool(image.size == 0 or int(image.max()) - int(image.min()) <= span)


def limit(image: np.ndarray, side: int = MAX_SIDE) -> np.ndarray:
    """Reduce a picture whose longest side exceeds ``side`` pixels to it, by area averaging; others pass unchanged.

    What :func:`prepare` does first, so ``prepare(limit(x)) == prepare(x)``: a cache may hold limited pictures.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= side:
        return image
    new = (max(1, round(width * side / longest)), max(1, round(height * side / longest)))
    return shrink(image, *new)


def to_grey(image: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3) to grey (H, W) by ITU-R BT.601 weights; grey passes unchanged."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def prepare(image: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Bring one picture of a face to a tower's input.

    Args:
        image: uint8, (H, W) grey or (H, W, 3) RGB, any size from 1x1.
        spec: The tower's input.

    Returns:
        uint8 array (C, H, W), contiguous.

    Raises:
        DataError: ``image`` is not a picture.
    """
    image = limit(validate(image))
    if spec.channels == 1:
        image = to_grey(image)
    if image.shape[:2] != (spec.height, spec.width):
        shrinks = image.shape[0] >= spec.height and image.shape[1] >= spec.width
        how = ("area" if shrinks else "cubic") if spec.interpolation == "auto" else spec.interpolation
        image = cv2.resize(image, (spec.width, spec.height), interpolation=_INTERPOLATIONS[how])
    if image.ndim == 2:
        planes = np.broadcast_to(image, (spec.channels, spec.height, spec.width))  # (H, W) -> (C, H, W)
    else:
        planes = image.transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    return np.ascontiguousarray(planes)


def prepare_batch(images: Iterable[np.ndarray], spec: InputSpec) -> np.ndarray:
    """Bring several pictures to a tower's input.

    Returns:
        uint8 array (B, C, H, W); B may be 0.
    """
    prepared = [prepare(image, spec) for image in images]
    if not prepared:
        return np.empty((0, spec.channels, spec.height, spec.width), dtype=np.uint8)
    return np.stack(prepared)
