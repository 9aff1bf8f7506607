"""The paper a face is drawn on: a camera that places points of the head, filled shapes, soft creases and light.

Everything is drawn at several times the final size and averaged down, so edges come out smooth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

UNITS = 182.0
"""Face units across the picture at scale 1."""

_MIDDLE = 8.0  # the y, in face units, that comes to lie in the middle of the picture
_SHIFT = 4  # OpenCV takes coordinates in 1/16 pixel
_COARSE = 48  # side of the grid on which light is worked out

CIRCLE = np.array([np.cos(np.linspace(0, 2 * np.pi, 20)), np.sin(np.linspace(0, 2 * np.pi, 20))]).T
"""A unit circle, (20, 2), closed."""


@dataclass(frozen=True)
class View:
    """How a face is seen.

    Attributes:
        yaw: Head turned to the right of the picture, radians.
        pitch: Head bent down, radians.
        roll: Head leaning clockwise, radians.
        scale: 1 puts 182 face units across the picture.
        shift: Where the face is moved to, face units (right, down).
        light: Direction to the light, unit vector (right, down, towards the camera).
        ambient: Share of the light that comes from everywhere, 0-1.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    light: tuple[float, float, float] = (-0.3, -0.5, 0.81)
    ambient: float = 0.55


def xy(x: NDArray[np.float64], y: NDArray[np.float64]) -> Points:
    """Points (n, 2) from their coordinates (n,)."""
    return np.array([x, y]).T


@lru_cache(maxsize=128)
def _curve_weights(count: int, closed: bool, steps: int) -> NDArray[np.float64]:
    """The matrix (m, count) that turns ``count`` points into a Catmull-Rom curve."""
    t = np.arange(steps) / steps
    basis = 0.5 * np.array([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]).T
    segments = count if closed else count - 1
    weights = np.zeros((segments, steps, count))
    for segment in range(segments):
        for offset in range(4):
            index = segment + offset - 1
            index = index % count if closed else min(max(index, 0), count - 1)
            weights[segment, :, index] += basis[:, offset]
    curve = weights.reshape(-1, count)  # (segments, steps, count) -> (segments * steps, count)
    return curve if closed else np.concatenate([curve, np.eye(count)[-1:]])


def smooth(points: Points, closed: bool = False, steps: int = 5) -> Points:
    """A Catmull-Rom curve through points (n, 2), ``steps`` to a segment."""
    curve: Points = _curve_weights(len(points), closed, steps) @ points
    return curve


class _Mark(NamedTuple):
    """One thing to draw: a run of the canvas's points, and how."""

    kind: str
    size: int
    tone: float
    width: float = 0.0
    lines: int = 1


class Canvas:
    """A list of things to draw, then a grey picture of them.

    Nothing is drawn before :meth:`render`, which places all points at once.

    Attributes:
        view: Pose and light.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self._marks: list[_Mark] = []
        self._points: list[Points] = []
        self._depths: list[float] = []
        self._blobs: list[tuple[float, float, float, float, float]] = []

    def _note(self, mark: _Mark, points: Points, depth: float | None) -> None:
        self._marks.append(mark)
        self._points.append(points)
        self._depths.append(np.nan if depth is None else depth)

    def body(self, points: Points, tone: float, depth: float) -> None:
        """Fill a polygon (n, 2) that is part of the person's outline, so that light falls on it."""
        self._note(_Mark("body", len(points), tone), points, depth)

    def fill(self, points: Points, tone: float, depth: float | None = None) -> None:
        """Fill a polygon (n, 2) with a tone; ``depth`` is its height above the plane of the ears, None the skin's."""
        self._note(_Mark("fill", len(points), tone), points, depth)

    def stroke(self, points: Points, tone: float, width: float, depth: float | None = None) -> None:
        """Draw an open line (n, 2) of a width in face units."""
        self._note(_Mark("stroke", len(points), tone, width), points, depth)

    def strokes(self, lines: Points, tone: float, width: float, depth: float | None = None) -> None:
        """Draw several lines (lines, n, 2) of one tone."""
        points = lines.reshape(-1, 2)  # (lines, n, 2) -> (lines * n, 2)
        self._note(_Mark("stroke", len(points), tone, width, len(lines)), points, depth)

    def crease(self, points: Points, depth: float, width: float = 1.6) -> None:
        """Note a fold of the skin along points (n, 2): ``depth`` 0-1 is how dark its bottom gets."""
        if depth > 0.02:
            curve = smooth(points, steps=4)
            self._note(_Mark("crease", len(curve), min(depth, 1.0) * 255.0, width), curve, None)

    def fold(self) -> None:
        """Press the creases noted so far into what was drawn so far."""
        self._note(_Mark("fold", 0, 0.0), np.zeros((0, 2)), None)

    def blob(self, x: float, y: float, wide: float, high: float, amount: float) -> None:
        """Note a soft patch of light (``amount`` > 0) or shadow (< 0), with its standard deviations in face units."""
        self._blobs.append((x, y, wide, high, amount))

    def blobs(self, x: float, y: float, wide: float, high: float, left: float, right: float) -> None:
        """Note a pair of patches at ±x, with the amount of each."""
        self._blobs += [(-x, y, wide, high, left), (x, y, wide, high, right)]

    def render(self, background: NDArray[np.uint8], width: float) -> NDArray[np.uint8]:
        """Draw everything.

        Args:
            background: uint8 (side, side), what is seen around the person; left as it is.
            width: Half width of the head, face units, for the light.

        Returns:
            uint8 (side, side).
        """
        side = len(background)
        unit = self.view.scale * side / UNITS
        counts = [mark.size for mark in self._marks]
        placed = place(np.concatenate(self._points), np.repeat(self._depths, counts), self.view, side)
        fixed = np.rint(placed * (1 << _SHIFT)).astype(np.int32)[:, None]  # (points, 1, 2)
        image = background.copy()
        person, creases = np.zeros_like(image), np.zeros_like(image)
        start = 0
        for mark in self._marks:
            points = fixed[start : start + mark.size]
            start += mark.size
            if mark.kind == "fold":
                image = _folded(image, creases, unit)
            elif mark.kind in ("body", "fill"):
                cv2.fillPoly(image, [points], mark.tone, cv2.LINE_AA, _SHIFT)
                if mark.kind == "body":
                    cv2.fillPoly(person, [points], 255.0, cv2.LINE_AA, _SHIFT)
            else:
                target = creases if mark.kind == "crease" else image
                lines: Any = list(points.reshape(mark.lines, -1, 1, 2))
                cv2.polylines(target, lines, False, mark.tone, max(1, round(mark.width * unit)), cv2.LINE_AA, _SHIFT)
        light = head_light(self.view, side, width) + _patches(np.array(self._blobs), self.view, side)
        factor = cv2.resize(np.clip(light, 0.15, 1.75).astype(np.float32), (side, side))
        lit = cv2.multiply(image, factor, dtype=cv2.CV_8U)
        return np.asarray(cv2.copyTo(lit, person, background.copy()), np.uint8)


def place(points: Points, depths: NDArray[np.float64], view: View, side: int) -> Points:
    """Where points of the face come to lie.

    Args:
        points: (n, 2) face units.
        depths: (n,) heights above the plane of the ears, face units; NaN: on the skin of an egg-shaped head.
        view: Pose.
        side: Of the picture, pixels.

    Returns:
        (n, 2) pixels (x, y).
    """
    squares = points * points @ np.array([1 / 88.0**2, 1 / 138.0**2])
    z = np.where(np.isnan(depths), 80.0 * np.sqrt(np.maximum(1.0 - squares, 0.04)), depths) - 28.0
    sines = np.sin([view.yaw, view.pitch])
    moved = points * (1.0 - 0.5 * sines * sines) + z[:, None] * sines - [0.0, _MIDDLE]
    turn = np.array([[np.cos(view.roll), -np.sin(view.roll)], [np.sin(view.roll), np.cos(view.roll)]])
    unit = view.scale * side / UNITS
    placed: Points = (moved + view.shift) @ (unit * turn.T) + 0.5 * side
    return placed


def _folded(image: NDArray[np.uint8], creases: NDArray[np.uint8], unit: float) -> NDArray[np.uint8]:
    """Creases pressed into the skin: a dark bottom, and a bright lip below where the light falls."""
    soft = cv2.GaussianBlur(creases, (0, 0), 0.9 * unit)
    step = max(1, round(1.8 * unit))
    bright = np.zeros_like(soft)
    bright[step:] = soft[:-step]
    factor = cv2.addWeighted(soft, -0.5, bright, 0.22, 170.0)  # 170 stands for 1
    return np.asarray(cv2.multiply(image, factor, scale=1 / 170.0), np.uint8)


def head_light(view: View, side: int, width: float) -> NDArray[np.float64]:
    """Lambert's law on an egg-shaped head of a half width in face units: brightness about 1, (48, 48)."""
    grid = _grid(side)
    unit = view.scale * side / UNITS
    middle = place(np.array([[0.0, -8.0]]), np.array([40.0]), view, side)[0]
    nx, ny = (grid[None, :] - middle[0]) / (1.2 * width * unit), (grid[:, None] - middle[1]) / (140.0 * unit)
    radius = nx * nx + ny * ny
    nz = np.sqrt(np.maximum(1.0 - radius, 0.0))
    toward = np.maximum(nx * view.light[0] + ny * view.light[1] + nz * view.light[2], 0.0)
    lit: NDArray[np.float64] = view.ambient + (1.0 - view.ambient) * 1.25 * toward
    return lit


def _grid(side: int) -> NDArray[np.float64]:
    """Pixel coordinate of each coarse cell's middle, (48,)."""
    return (np.arange(_COARSE) + 0.5) * side / _COARSE


def _patches(table: NDArray[np.float64], view: View, side: int) -> NDArray[np.float64]:
    """Sum of Gaussian patches given as rows (x, y, wide, high, amount): (48, 48)."""
    unit = view.scale * side / UNITS
    centre = place(table[:, :2], np.full(len(table), np.nan), view, side)
    grid = _grid(side)
    across = np.exp(-0.5 * ((grid - centre[:, :1]) / (unit * table[:, 2:3])) ** 2)  # (k, 48)
    down = np.exp(-0.5 * ((grid - centre[:, 1:]) / (unit * table[:, 3:4])) ** 2)  # (k, 48)
    summed: NDArray[np.float64] = (down * table[:, 4:]).T @ across  # (48, k) @ (k, 48)
    return summed
