"""Eyes, lids, brows and glasses of drawn faces."""

from __future__ import annotations

import numpy as np

from siamese.datasets.action_units import Expression
from siamese.datasets.face_canvas import CIRCLE, Canvas, Points, smooth, xy
from siamese.datasets.face_model import Person

_LID = np.linspace(0.0, 1.0, 11)  # inner to outer corner of an eye
_UPPER_BOW = np.maximum(np.sin(np.pi * _LID**0.9), 0.0) ** 0.8
_LOWER_BOW = np.maximum(np.sin(np.pi * _LID**1.1), 0.0)
_BROW = np.linspace(0.0, 1.0, 9)  # inner to outer end of a brow
_BROW_ARCH = np.sin(np.pi * (0.85 * _BROW + 0.05))
_BROW_INNER, _BROW_OUTER = (1.0 - _BROW) ** 1.3, np.sin(np.pi * 0.5 * _BROW**0.8) ** 1.2  # what 1 and 2 raise
_BROW_LOWER = 11.0 * (1.0 - _BROW) ** 0.9 + 2.5  # what 4 lowers
_BROW_THICK = 0.5 * (0.75 + 0.5 * np.sin(np.pi * _BROW**0.7)) * (1.0 - 0.75 * _BROW**3)
_RINGS = np.concatenate([CIRCLE * radius for radius in (7.2, 6.3, 3.0)])  # edge of the iris, iris, pupil: (60, 2)


def _lids(person: Person, expression: Expression, side: int, sign: float) -> tuple[Points, Points]:
    """The edges of an eye's upper and lower lid, (11, 2) each, from the inner corner to the outer."""
    inner, low, up, cheek, tight, wrinkle = (expression.sides(unit)[side] for unit in (1, 4, 5, 6, 7, 9))
    height = person.eye_upper + 6.5 * up - 1.6 * tight - 1.5 * cheek - 1.5 * wrinkle - 0.6 * low
    floor = person.eye_lower + 1.2 * up - 2.4 * tight - 2.2 * cheek - 1.6 * wrinkle
    height, floor = max(height, 2.2), max(floor, 0.9)
    x = person.eye_x + (2.0 * _LID - 1.0) * person.eye_width
    base = person.eye_y + person.eye_tilt * (2.0 * _LID - 1.0)
    sad = inner * max(low, 0.3)
    slant = (0.5 - _LID) * 5.0 * sad - (0.5 - _LID) * 3.4 * low * (1.0 - inner)
    upper = base - (height + slant) * _UPPER_BOW
    lower = base + floor * _LOWER_BOW ** (0.8 + 0.5 * tight)
    lower = np.maximum(lower, upper + 0.8)
    return xy(sign * x, upper), xy(sign * x, lower)


def draw_lids(canvas: Canvas, person: Person, expression: Expression, side: int, sign: float) -> None:
    """The skin about an eye: socket, crease of the lid, bags and crow's feet (6), tightened lower lid (7)."""
    upper, lower = _lids(person, expression, side, sign)
    inner, low, up, cheek, tight = (expression.sides(unit)[side] for unit in (1, 4, 5, 6, 7))
    x, y = sign * person.eye_x, person.eye_y
    canvas.blob(x - sign * 13, y - 6, 6, 6, -0.2 - 0.12 * low)
    canvas.blob(x, y - 11, 11, 4, -0.12 + 0.08 * up - 0.12 * low)
    canvas.blob(x, y + 9, 12, 3.5, -0.08 - 0.12 * person.age - 0.1 * cheek)
    canvas.blob(x + sign * 4, person.brow_y + 6, 11, 3.5, 0.1)
    gap = 3.0 + 2.0 * person.eye_crease - 1.2 * up + 1.5 * inner
    canvas.crease(upper[1:-1] - [0, gap], 0.42 * (0.3 + person.eye_crease) * (1.0 - 0.5 * low), 1.5)
    bag = np.array([[-12, 9.5], [-2, 12.0 - 2.0 * cheek], [11, 8.5 - cheek]]) * [sign, 1] + [x, y]
    canvas.crease(bag, 0.08 + 0.35 * person.age + 0.5 * cheek, 2.0)
    canvas.crease(lower[2:9] + np.array([0, 3.0]), 0.5 * tight + 0.15 * cheek, 1.5)
    outer = x + sign * (person.eye_width + 4.0)
    feet = (0.2 + 0.8 * person.age) * cheek + 0.12 * person.age
    for rise, drop in ((-5.0, -9.0), (0.0, 0.0), (4.0, 9.0)):
        canvas.crease(np.array([[outer, y + rise * 0.6], [outer + sign * 10, y + drop]]), 0.9 * feet, 1.4)


def draw_eye(canvas: Canvas, person: Person, expression: Expression, side: int, sign: float) -> None:
    """White, iris, pupil and lashes; the lids cut off what they cover."""
    upper, lower = _lids(person, expression, side, sign)
    canvas.fill(np.concatenate([upper, lower[::-1]]), 0.35 * person.skin + 0.65 * 225.0)
    low, inner = expression.both(4), expression.both(1)
    centre = np.array([sign * (person.eye_x - 0.4), person.eye_y - 1.4 + 1.6 * low * inner])
    centre = centre + 4.0 * np.array([np.sin(canvas.view.yaw) * -0.4, np.sin(canvas.view.pitch) * -0.4])
    rings = _RINGS + centre
    across, along = sign * upper[:, 0], sign * rings[:, 0]  # both grow outwards
    top, bottom = np.interp(along, across, upper[:, 1]), np.interp(along, across, lower[:, 1])
    rings[:, 1] = np.minimum(np.maximum(rings[:, 1], top), bottom)
    for ring, tone in zip(rings.reshape(3, -1, 2), (0.55 * person.iris, person.iris, 8.0)):  # (60, 2) -> (3, 20, 2)
        canvas.fill(ring, tone)
    canvas.fill(CIRCLE[::3] * 1.3 + centre + [-2.2, -1.8], 235.0)
    canvas.stroke(upper + np.array([0, 0.9]), 0.45 * person.skin, 1.4)
    canvas.stroke(upper, min(0.3 * person.skin, 45.0), 1.5 + 1.3 * person.lashes)
    canvas.stroke(lower[1:], 0.62 * person.skin, 1.0)


def draw_brow(canvas: Canvas, person: Person, expression: Expression, side: int, sign: float) -> None:
    """A brow: raised inside (1) and outside (2), pulled down and together (4, 9)."""
    inner, outer, low, wrinkle = (expression.sides(unit)[side] for unit in (1, 2, 4, 9))
    t = _BROW
    lowered = low * (1.0 - 0.75 * inner) + 0.5 * wrinkle
    x = person.brow_gap - 3.6 * low - 1.5 * wrinkle + t * (person.brow_length + 1.5 * low)
    y = person.brow_y - person.brow_arch * _BROW_ARCH + person.brow_tilt * (t - 0.5)
    y = y + 3.0 * t**2 - 13.0 * inner * _BROW_INNER - 13.5 * outer * _BROW_OUTER
    y = y + lowered * _BROW_LOWER + 1.5 * inner * low * t
    half = person.brow_thick * _BROW_THICK
    top, bottom = xy(sign * x, y - half), xy(sign * x, y + half)
    tone = 0.85 * person.brow_tone + 0.15 * person.skin
    canvas.fill(smooth(np.concatenate([top, bottom[::-1]]), closed=True, steps=3), tone)
    hairs = np.stack([bottom[:-2], top[2:] + np.array([0, -0.4])], axis=1)  # (7, 2, 2)
    canvas.strokes(hairs, 0.9 * person.brow_tone, 1.0)


def draw_glasses(canvas: Canvas, person: Person) -> None:
    """Rims, bridge and temples."""
    if person.glasses == "none":
        return
    power = 2.0 if person.glasses == "round" else 4.0
    bent = np.sign(CIRCLE) * np.abs(CIRCLE) ** (2.0 / power)
    width, tone = (3.4, 18.0) if person.glasses == "thick" else (1.8, 45.0)
    for sign in (-1.0, 1.0):
        rim = bent * [21.5, 17.0] + [sign * (person.eye_x + 0.5), person.eye_y + 3.0]
        canvas.stroke(rim, tone, width, 82.0)
        temple = np.array([[sign * (person.eye_x + 22), person.eye_y - 3.0], [sign * person.width, person.eye_y - 4.0]])
        canvas.stroke(temple, tone, width, 55.0)
    canvas.stroke(
        np.array([[-10.5, -9.0], [0, -12.0], [10.5, -9.0]]) + np.array([0, person.eye_y + 11]), tone, width, 84.0
    )
