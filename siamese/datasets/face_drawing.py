"""From a person and an expression to pixels: each part of the face moves with the action units that pull on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from siamese.datasets.action_units import Expression, jaw_drop
from siamese.datasets.face_canvas import CIRCLE, Canvas, View, smooth
from siamese.datasets.face_eyes import draw_brow, draw_eye, draw_glasses, draw_lids
from siamese.datasets.face_hair import draw_beard, draw_hair_behind, draw_hair_in_front
from siamese.datasets.face_model import Person
from siamese.datasets.face_mouth import draw_mouth

_SIDES = ((0, -1.0), (1, 1.0))  # (row of Expression.values, sign of x)


def draw_person(person: Person, expression: Expression, view: View, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw a face.

    Args:
        person: Who.
        expression: What the muscles do.
        view: Pose and light.
        background: uint8 (side, side), seen around the person.

    Returns:
        uint8 (side, side).
    """
    canvas = Canvas(view)
    draw_hair_behind(canvas, person)
    _draw_head(canvas, person, expression)
    draw_beard(canvas, person, jaw_drop(expression))
    _draw_brow_furrows(canvas, person, expression)
    _draw_nose(canvas, person, expression)
    _draw_cheeks(canvas, person, expression)
    for side, sign in _SIDES:
        draw_lids(canvas, person, expression, side, sign)
    canvas.fold()
    for side, sign in _SIDES:
        draw_eye(canvas, person, expression, side, sign)
        draw_brow(canvas, person, expression, side, sign)
    _draw_nostrils(canvas, person, expression)
    draw_mouth(canvas, person, expression)
    draw_hair_in_front(canvas, person)
    draw_glasses(canvas, person)
    return canvas.render(background, person.width)


def _draw_head(canvas: Canvas, person: Person, expression: Expression) -> None:
    """Neck, ears, the outline of the head, and the lasting light and shadow on it."""
    width, skin, chin = person.width, person.skin, person.chin + 0.8 * jaw_drop(expression)
    neck = 0.62 * width
    canvas.body(np.array([[-neck, 50], [neck, 50], [neck, 190], [-neck, 190]]), 0.62 * skin, 0.0)
    collar = np.array([[-150, 160], [-neck - 6, 118], [0, 138], [neck + 6, 118], [150, 160], [150, 240], [-150, 240]])
    canvas.body(smooth(collar.astype(float)), person.clothes, 0.0)
    for _, sign in _SIDES:
        ear = CIRCLE * [8.0 * person.ear, 17.0] + [sign * (width + 2.0), 2.0]
        canvas.body(ear, 0.88 * skin, 10.0)
        canvas.fill(ear * [1, 0.6] + [sign, 1], 0.7 * skin, 10.0)
    jaw = (0.74 + 0.16 * person.jaw) * width
    cheek = width * (1.0 + 0.03 * expression.both(12))
    right = np.array(
        [[0.6 * width, -98], [0.93 * width, -62], [width, -18], [cheek * 0.97, 22], [jaw, 60], [person.chin_width, 0]]
    )
    right[-1, 1] = chin - 5.0
    right[-2, 1] += 0.5 * (chin - person.chin)
    left = right[::-1] * [-1, 1]
    outline = np.concatenate([[[0.0, person.crown]], right, [[0.0, chin]], left])
    canvas.body(smooth(outline, closed=True), skin, 24.0)
    canvas.blobs(0.66 * width, 34, 11, 20, -0.13 - 0.1 * person.age, -0.13 - 0.1 * person.age)
    canvas.blobs(0.6 * width, 10, 13, 10, 0.07, 0.07)
    canvas.blob(0, -56, 30, 14, 0.07)
    canvas.blob(0, chin - 14, 11, 7, 0.08)
    canvas.blob(0, chin + 16, 40, 9, -0.25)


def _draw_brow_furrows(canvas: Canvas, person: Person, expression: Expression) -> None:
    """Lines over the forehead (1, 2) and between the brows (4, 9)."""
    inner, outer, lower = expression.both(1), expression.both(2), expression.both(4)
    raised = 0.55 * inner + 0.45 * outer
    span = 22.0 + 26.0 * outer
    arch = 4.0 * outer - 3.0 * max(inner - outer, 0.0)
    depth = (0.2 + 0.8 * person.age) * (0.12 + 1.0 * max(raised - 0.15, 0.0)) * 0.7
    for row in range(3):
        y = person.brow_y - 13.0 - 9.0 * row
        line = np.array([[-span, y + arch], [-0.5 * span, y], [0.0, y + 1.5], [0.5 * span, y], [span, y + arch]])
        canvas.crease(line, depth * (1.0 - 0.2 * row), 1.8)
    depth = (0.3 + 0.5 * person.age) * lower + 0.15 * person.age
    for _, sign in _SIDES:
        x, y = sign * (5.0 - 1.5 * lower), person.brow_y + 5.0
        canvas.crease(np.array([[x - sign, y + 7], [x, y], [x + 2 * sign, y - 11]]), depth, 2.0)
    canvas.blobs(8.0, person.brow_y, 4.5, 6.0, -0.2 * lower, -0.2 * lower)
    canvas.blob(0.0, person.brow_y - 4, 4.0, 8.0, 0.1 * lower)


def _draw_nose(canvas: Canvas, person: Person, expression: Expression) -> None:
    """Bridge, tip and wings by light and shadow; wrinkles of the nose (9)."""
    wrinkle, lip = expression.both(9), expression.both(10)
    wide = person.nose_width * (1.0 + 0.1 * wrinkle + 0.08 * expression.both(12))
    y = person.nose_y - 3.0 * wrinkle - lip
    lit = 0.22 * person.nose_bridge
    toward = canvas.view.light[0] + 1.5 * canvas.view.yaw
    canvas.blobs(8.0, -6.0, 4.0, 12.0, lit * (-0.6 - toward), lit * (-0.6 + toward))
    canvas.blobs(9.5, 14.0, 4.5, 9.0, lit * (-0.35 - toward), lit * (-0.35 + toward))
    canvas.blob(0, 2, 3.2, 18, 0.16 * person.nose_bridge)
    canvas.blob(0, y - 5, 5.0, 4.5, 0.2)
    canvas.blob(0, y + 6, 0.8 * wide, 3.0, -0.24)
    for _, sign in _SIDES:
        wing = np.array([[0.62, -9], [1.0, -3], [0.98, 2], [0.6, 4]]) * [wide * sign, 1.0] + [0, y]
        canvas.crease(wing, 0.42 + 0.3 * wrinkle, 1.8)
        for row in range(3):
            at = -6.0 + 5.5 * row
            line = np.array([[1.5, at - 3], [6.0, at], [10.0 + row, at + 5]]) * [sign, 1]
            canvas.crease(line, wrinkle * (0.6 + 0.2 * person.age), 1.7)
    canvas.blob(0, -4, 6, 6, -0.1 * wrinkle)


def _draw_cheeks(canvas: Canvas, person: Person, expression: Expression) -> None:
    """Folds from nose to mouth (9, 10, 12), raised cheeks (6), dimple (14), hanging corner (15), chin (17)."""
    y, width = person.mouth_y, person.mouth_width
    for side, sign in _SIDES:
        cheek, wrinkle, upper, pull, dimple, hang = (expression.sides(unit)[side] for unit in (6, 9, 10, 12, 14, 15))
        fold = 0.1 + 0.35 * person.age + 0.55 * pull + 0.5 * upper + 0.35 * wrinkle + 0.12 * cheek
        nose = person.nose_width + 4.0
        corner = width * (1.0 + 0.26 * pull) + 6.0
        top = person.nose_y - 4.0 - 3.0 * wrinkle - 2.0 * upper
        low = y - 2.0 - 6.0 * pull + 6.0 * hang
        bend = 0.5 * (nose + corner) + 3.0 + 4.0 * pull
        line = np.array([[nose, top], [bend, 0.5 * (top + low) - 2.0], [corner, low], [corner - 1, low + 6]])
        canvas.crease(line * [sign, 1], 0.72 * fold, 2.0)
        canvas.blob(sign * 40.0, 16.0 - 3.0 * cheek, 11.0, 8.0, 0.2 * max(cheek, 0.6 * pull))
        canvas.blob(sign * (bend - 1), 0.5 * (top + low), 4.0, 9.0, -0.16 * fold)
        x = sign * (width * (1.0 + 0.12 * dimple + 0.26 * pull) + 4.0)
        canvas.crease(np.array([[x, y - 6], [x + 2.5 * sign, y - 1], [x, y + 6]]), 0.95 * dimple, 2.4)
        canvas.blob(x + 2 * sign, y - 1.0, 4.0, 6.0, -0.25 * dimple)
        x = sign * (width + 3.0)
        canvas.crease(np.array([[x - 2 * sign, y + 5], [x, y + 11], [x, y + 19]]), 0.5 * hang + 0.25 * person.age, 1.8)
    chin, drop = expression.both(17), jaw_drop(expression)
    canvas.blob(0, y + 14 + drop - 2.0 * chin, 13, 3.5, -0.2 - 0.16 * chin)
    canvas.crease(np.array([[-13, y + 19], [0, y + 13], [13, y + 19]]) + np.array([0, drop]), 0.6 * chin, 1.8)
    for x, dy in ((-6, 27), (0, 24), (6, 28), (-2, 31)):
        canvas.blob(x, y + dy + drop, 1.8, 1.8, -0.16 * chin)


def _draw_nostrils(canvas: Canvas, person: Person, expression: Expression) -> None:
    """The two dark holes, widened and raised by a wrinkled nose."""
    wrinkle = expression.both(9)
    y = person.nose_y + 1.8 - 3.0 * wrinkle - expression.both(10)
    for _, sign in _SIDES:
        hole = CIRCLE[::2] * [0.27 * person.nose_width, 1.7 + 0.9 * wrinkle] + [sign * 0.48 * person.nose_width, y]
        canvas.fill(hole, 0.36 * person.skin)
