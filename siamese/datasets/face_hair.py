"""Hair and beards of drawn faces."""

from __future__ import annotations

import numpy as np

from siamese.datasets.face_canvas import Canvas, Points, smooth
from siamese.datasets.face_model import Person

_LENGTH = {"long": 135.0, "bob": 78.0, "curly": 45.0, "scarf": 150.0}


def _around(person: Person, volume: float, bottom: float) -> Points:
    """Outline of the hair from low on the left, over the crown, to low on the right."""
    wide, top = person.width + volume, person.crown - volume
    half = np.array([[wide - 3, bottom], [wide + 3, 25], [wide + 2, -30], [0.92 * wide, -75], [0.5 * wide, top + 8]])
    outline = smooth(np.concatenate([half * [-1, 1], [[0.0, top]], half[::-1]]))
    if person.hair_style == "curly":
        outline *= 1.0 + 0.035 * np.sin(1.9 * np.arange(len(outline)))[:, None]
    return outline


def draw_hair_behind(canvas: Canvas, person: Person) -> None:
    """What hangs or stands out behind the head."""
    style, tone = person.hair_style, 0.8 * person.hair
    if style in _LENGTH:
        volume = 13.0 * person.hair_volume + (12.0 if style == "curly" else 3.0)
        canvas.body(_around(person, volume, _LENGTH[style]), tone, 10.0)
    elif style == "bun":
        turn = np.linspace(0, 2 * np.pi, 16)
        canvas.body(np.stack([26 * np.cos(turn), person.crown - 12 + 20 * np.sin(turn)], 1), tone, 0.0)


def _hairline(person: Person) -> Points:
    """The lower edge of the hair on the face, from the left temple to the right."""
    wide, line = person.width, person.hairline
    if person.hair_style == "fringe":
        y = np.array([8, -25, line + 24, line + 29, line + 27, line + 30, line + 24, -25, 8])
        x = np.array([-1.0, -0.93, -0.8, -0.4, 0.0, 0.4, 0.8, 0.93, 1.0])
    elif person.hair_style == "parted":
        x = np.array([-1.0, -0.92, -0.78, -0.45, -0.25, 0.2, 0.7, 0.92, 1.0])
        y = np.array([0, -28, line + 10, line - 6, line - 14, line + 4, line + 20, -26, 0])
    elif person.hair_style == "scarf":
        x = np.array([-0.9, -0.96, -0.88, -0.5, 0.0, 0.5, 0.88, 0.96, 0.9])
        y = np.array([50, -10, line + 24, line + 8, line + 4, line + 8, line + 24, -10, 50])
    else:
        low = {"long": 40.0, "bob": 40.0, "bun": -30.0}.get(person.hair_style, -6.0)
        x = np.array([-0.99, -0.93, -0.82, -0.5, 0.0, 0.5, 0.82, 0.93, 0.99])
        y = np.array([low, -30, line + 18, line + 3, line, line + 3, line + 18, -30, low])
    if person.hair_side < 0:
        x, y = -x[::-1], y[::-1]
    return np.stack([x * wide, y], axis=1)


def draw_hair_in_front(canvas: Canvas, person: Person) -> None:
    """Hair on the head down to the hairline, with strands."""
    if person.hair_style == "shaved":
        canvas.blob(0, person.crown + 12, 50, 20, -0.16 * (1.0 - person.hair / 255.0))
        return
    volume = {"curly": 15.0, "bun": 3.0, "short": 5.0, "scarf": 5.0}.get(person.hair_style, 8.0) * person.hair_volume
    line = _hairline(person)
    low = float(line[0, 1])
    outer = _around(person, volume, max(low, float(line[-1, 1])))
    edge = smooth(line)
    canvas.body(np.concatenate([outer, edge[::-1]]), person.hair, 30.0)
    canvas.blob(-14 * person.hair_side, person.crown + 16, 30, 9, 0.25)
    if person.hair_style != "scarf":
        _draw_strands(canvas, person, outer, edge)


def _draw_strands(canvas: Canvas, person: Person, outer: Points, edge: Points) -> None:
    """Lighter and darker lines from the crown to the hairline; curls for curly hair."""
    rng = np.random.default_rng(person.texture_seed)
    count = 26
    start = outer[np.sort(rng.integers(13, len(outer) - 13, count))]
    end = edge[np.sort(rng.integers(6, len(edge) - 6, count))]
    bulge = rng.normal(0, 9.0 if person.hair_style == "curly" else 3.0, (count, 2))
    middle = 0.5 * (start + end) + bulge
    lines = np.stack([start, middle, 0.1 * middle + 0.9 * end], axis=1)  # (26, 3, 2)
    canvas.strokes(lines[::2], 0.84 * person.hair, 1.6, 30.0)
    canvas.strokes(lines[1::2], min(1.14 * person.hair + 6, 245), 1.2, 30.0)


def draw_beard(canvas: Canvas, person: Person, drop: float) -> None:
    """Stubble, moustache or beard under the mouth; ``drop`` is how far the jaw has gone down, face units."""
    if person.beard == "none":
        return
    rng = np.random.default_rng(person.texture_seed + 1)
    chin, mouth, wide = person.chin + 0.8 * drop, person.mouth_y, person.mouth_width
    cover = {"stubble": 0.25, "moustache": 0.7, "goatee": 0.42, "full": 0.65}[person.beard]
    tone = cover * min(person.hair, 0.85 * person.skin) + (1.0 - cover) * person.skin
    if person.beard in ("stubble", "full"):
        jaw = 0.985 * (0.74 + 0.16 * person.jaw) * person.width
        right = np.array([[0.97 * person.width, 18], [jaw, 58], [person.chin_width, chin - 5], [0, chin]])
        inner = np.array([[0, mouth - 13], [wide, mouth - 9], [wide + 14, mouth - 2], [0.85 * person.width, 14]])
        half = np.concatenate([right, inner])
        canvas.fill(smooth(half, closed=True), tone, 30.0)
        canvas.fill(smooth(half * [-1, 1], closed=True), tone, 30.0)
    if person.beard in ("goatee", "moustache"):
        top = np.array(
            [[-wide - 4, mouth + 1], [-10, mouth - 12], [0, mouth - 10], [10, mouth - 12], [wide + 4, mouth + 1]]
        )
        canvas.fill(np.concatenate([smooth(top), [[0.0, mouth - 1]]]), tone)
    if person.beard == "goatee":
        right = np.array([[wide, mouth - 8], [wide + 5, mouth + 8], [23, chin - 9], [0, chin - 1]])
        canvas.fill(smooth(np.concatenate([right, right[-2::-1] * [-1, 1]]), closed=True), tone)
    if person.beard == "full":
        x, y = rng.uniform(-0.8, 0.8, 40) * person.width, rng.uniform(mouth + 4, chin - 6, 40)
        seen = (np.abs(x) > wide) | (y > mouth + 12 + drop)
        root = np.stack([x, y], axis=1)[seen]
        canvas.strokes(np.stack([root, root * [1.03, 1.0] + [0, 5]], axis=1), 0.75 * tone, 1.0)
