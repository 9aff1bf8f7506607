"""Area averaging in whole numbers: the pixels of OpenCV's, in less time, for the sides that films have."""

from __future__ import annotations

from math import gcd
from typing import Tuple

import cv2
import numpy as np

_MOST = 257  # input pixels a sum may weigh, so that it stays within 16 bits: 257 * 255 = 65535
_PHASES = 4  # q up to which there are few sums to be made, each of long lines


def shrink(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Reduce a picture by averaging areas, as ``cv2.resize`` with ``INTER_AREA``, to the bit.

    Where p pixels become q on an axis, in lowest terms, an average is a whole number over the product of both
    axes' p. If that is odd no average lies half-way between two values, and the nearest is at least 1 / 514 away from
    half-way: far more than the rounding of OpenCV's sums in float32. Whole numbers are summed by lines, as for 640x360
    (5 to 2 on both axes), 640x480, 960x540 or 1920x1080 pixels to 256. All other sizes, and whole factors, are left to
    OpenCV.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        width: At most W.
        height: At most H.

    Returns:
        uint8 (height, width) or (height, width, 3).
    """
    (tall, low), (wide, narrow) = _ratio(image.shape[0], height), _ratio(image.shape[1], width)
    weighed = tall * wide
    if weighed % 2 == 0 or weighed > _MOST or not 1 < max(low, narrow) <= _PHASES:
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    colours = image.shape[2:]
    lines = _sums(image.reshape(len(image), -1), tall, low)  # (height, W * C)
    turned = cv2.transpose(lines.reshape(height, -1, *colours))  # (W, height, C)
    sums = _sums(turned.reshape(len(turned), -1), wide, narrow)  # (width, height * C)
    means = cv2.convertScaleAbs(sums.reshape(width, height, *colours), alpha=1 / weighed)
    return cv2.transpose(means)  # (height, width, C)


def _ratio(before: int, after: int) -> Tuple[int, int]:
    shared = gcd(before, after)
    return before // shared, after // shared


def _sums(lines: np.ndarray, p: int, q: int) -> np.ndarray:
    """Every p lines (N * p, M) as q: uint16 (N * q, M), q times what each covers of the p, in lines.

    Lines of bytes are made 16 bits wide before they are summed: numpy adds unlike numbers far slower.
    """
    groups = lines.reshape(-1, p, lines.shape[1])
    sums = np.empty((len(groups), q, lines.shape[1]), np.uint16)
    spare = np.empty((len(groups), lines.shape[1]), np.uint16)
    shared = []
    for place in range(q):
        begin, end = place * p, (place + 1) * p  # in q-ths of a line
        first, last = -(-begin // q), end // q  # of the lines that are covered whole
        total = sums[:, place]
        total[:] = groups[:, first] if first < last else 0
        for line in range(first + 1, last):
            total += _wide(groups[:, line], spare)
        shared += [(total, first - 1, first * q - begin), (total, last, end - last * q)]
    if q > 1:
        sums *= np.uint16(q)
    for total, line, share in shared:
        if share == 1:
            total += _wide(groups[:, line], spare)
        elif share:
            total += np.multiply(groups[:, line], share, out=spare, dtype=np.uint16)
    return sums.reshape(-1, lines.shape[1])


def _wide(lines: np.ndarray, spare: np.ndarray) -> np.ndarray:
    if lines.dtype == np.uint16:
        return lines
    spare[:] = lines
    return spare
