"""The mouth of drawn faces: its corners, its lips and what shows between them."""

from __future__ import annotations

import numpy as np

from siamese.datasets.action_units import Expression, jaw_drop
from siamese.datasets.face_canvas import Canvas, Points, xy
from siamese.datasets.face_model import Person

_ACROSS = np.linspace(-1.0, 1.0, 21)  # left to right corner


def _mouth(person: Person, expression: Expression) -> tuple[Points, Points, Points, Points]:
    """The four edges of the lips from top to bottom, (21, 2) each: outer and inner upper, inner and outer lower."""
    e = expression.both
    t, bow = _ACROSS, 1.0 - _ACROSS**2
    reach, fall = [], []
    for side in (0, 1):
        s = {unit: expression.sides(unit)[side] for unit in (12, 14, 15, 20, 23, 26, 27)}
        width = 1.0 + 0.34 * s[12] + 0.28 * s[20] + 0.08 * s[14] - 0.1 * s[23] - 0.1 * s[26] - 0.16 * s[27]
        reach.append(person.mouth_width * width)
        fall.append(
            person.corner - 14.0 * s[12] + 11.0 * s[15] + 5.5 * s[20] - 3.0 * s[14] + 0.25 * jaw_drop(expression)
        )
    x = np.where(t < 0, reach[0], reach[1]) * t
    bend = np.where(t < 0, fall[0], fall[1]) * np.abs(t) ** 1.9
    middle = person.mouth_y + 2.0 * e(12) - 4.0 * e(17) * (1.0 - np.abs(t) ** 1.5) - 3.0 * e(10) * bow
    parted = max(e(25), e(26) * 0.8, e(27))
    opening = np.maximum(bow, 0.0) ** (0.75 - 0.25 * e(27) + 0.2 * e(12) - 0.3 * e(20))
    up = parted * (2.5 + 5.0 * e(10) + 3.0 * e(27) + 2.5 * e(12) + 2.0 * e(20))
    down = (
        parted * (3.0 + 5.0 * e(16) + 3.5 * e(12) + 3.5 * e(20)) + (0.9 - 0.35 * e(20)) * jaw_drop(expression) * parted
    )
    thin = (1.0 - 0.45 * e(12)) * (1.0 - 0.6 * e(23)) * (1.0 - 0.7 * e(24)) * (1.0 - 0.35 * e(20)) * (1.0 - 0.3 * e(27))
    cupid = bow**0.7 * (1.0 - 0.28 * np.exp(-((t / 0.16) ** 2)))
    inner_up, inner_low = middle + bend - up * opening, middle + bend + down * opening
    outer_up = inner_up - person.lip_upper * thin * cupid * (1.0 + 0.25 * e(10))
    full = person.lip_lower * max(thin * (1.0 + 0.3 * e(17) + 0.3 * e(16)), 0.2)
    outer_low = inner_low + full * bow**0.8 + 3.0 * e(16) * bow * (1.0 - parted)
    return xy(x, outer_up), xy(x, inner_up), xy(x, inner_low), xy(x, outer_low)


def draw_mouth(canvas: Canvas, person: Person, expression: Expression) -> None:
    """Lips, what shows between them, and the shadow below."""
    outer_up, inner_up, inner_low, outer_low = _mouth(person, expression)
    tone = person.lip_tone
    canvas.fill(np.concatenate([outer_up, inner_up[::-1]]), 0.86 * tone)
    canvas.fill(np.concatenate([inner_low, outer_low[::-1]]), tone)
    gap = inner_low[:, 1] - inner_up[:, 1]
    if gap.max() > 1.2:
        canvas.fill(np.concatenate([inner_up, inner_low[::-1]]), 0.1 * person.skin + 12.0)
        jaw = expression.both(26) + expression.both(27)
        if gap.max() > 9.0:
            tongue = np.maximum(inner_low[5:16, 1] - 0.35 * gap[5:16] * (1.0 - _ACROSS[5:16] ** 2), inner_up[5:16, 1])
            canvas.fill(np.concatenate([xy(inner_low[5:16, 0], tongue), inner_low[5:16][::-1]]), 0.5 * tone)
        show = 6.0 * min(1.0, 0.35 + expression.both(12) + expression.both(10) + 0.5 * expression.both(20)) - 1.5 * jaw
        teeth = np.minimum(inner_up[2:-2, 1] + max(show, 1.5), inner_low[2:-2, 1])
        canvas.fill(np.concatenate([inner_up[2:-2], xy(inner_up[2:-2, 0], teeth)[::-1]]), 216.0)
        below = 5.0 * (expression.both(16) + 0.6 * expression.both(20)) - 1.0
        if below > 0.8:
            teeth = np.maximum(inner_low[4:-4, 1] - below, inner_up[4:-4, 1])
            canvas.fill(np.concatenate([inner_low[4:-4], xy(inner_low[4:-4, 0], teeth)[::-1]]), 196.0)
    else:
        canvas.stroke(inner_up, 0.42 * tone, 1.5 + 0.8 * expression.both(24))
    canvas.stroke(inner_up[[0, 1]], 0.4 * tone, 2.0)
    canvas.stroke(inner_up[[-2, -1]], 0.4 * tone, 2.0)
    middle = float(outer_low[10, 1])
    canvas.blob(0, 0.5 * (inner_low[10, 1] + middle), 9, 2.2, 0.14)
    canvas.blob(0, middle + 4, 13, 3, -0.16)
    canvas.blob(0, float(outer_up[10, 1]) - 5, 2.5, 4, -0.08)
