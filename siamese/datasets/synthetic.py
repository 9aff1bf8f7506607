"""``synthetic``: the embedded data set, drawn on the spot by this project.

People who do not exist show the eight emotions through facial action units, each with its own intensity, seen under
their own pose, light, focus and noise. Weak expressions look almost neutral and people rest differently, so no tower
can be right every time. What is measured on these faces says that the machinery works, not how well real faces are
read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError, unknown_name
from galleries.vocabulary import CANONICAL, canonical
from siamese.datasets.action_units import Expression, sample_expression
from siamese.datasets.base import FaceDataset, PixelStore
from siamese.datasets.face_canvas import View
from siamese.datasets.face_drawing import draw_person
from siamese.datasets.face_model import Person, sample_person

Progress = Callable[[int, int], None]


def make_person(seed: int, subject: int) -> Person:
    """The person with a number; other numbers and how many are drawn play no part."""
    return sample_person(np.random.default_rng([seed, subject]))


def sample_intensity(rng: np.random.Generator) -> float:
    """How strong an expression is, 0.15-1: mostly clear, sometimes hard to tell from neutral."""
    return float(0.15 + 0.85 * rng.beta(2.4, 1.1))


def sample_view(rng: np.random.Generator) -> View:
    """A pose and a light: mostly frontal, up to 28° to the side."""
    yaw, pitch, roll = np.clip(rng.normal(0, (9, 6, 5)), (-28, -15, -16), (28, 15, 16)) * np.pi / 180
    around, high = rng.uniform(-np.pi, np.pi), rng.uniform(0.15, 0.85)
    x, y = high * np.sin(around), -abs(high * np.cos(around)) * 0.8
    z = float(np.sqrt(max(1.0 - x * x - y * y, 0.0)))
    shift = (float(rng.normal(0, 4)) - 35.0 * float(yaw), float(rng.normal(2, 4)) - 35.0 * float(pitch))
    return View(
        yaw=float(yaw),
        pitch=float(pitch),
        roll=float(roll),
        scale=float(np.clip(rng.normal(0.97, 0.05), 0.82, 1.12)),
        shift=shift,
        light=(float(x), float(y), z),
        ambient=float(rng.uniform(0.3, 0.75)),
    )


def _background(side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Something out of focus."""
    coarse = rng.uniform(20, 235) + rng.uniform(0, 40) * rng.standard_normal((5, 5))
    coarse = np.clip(coarse, 5, 250).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _hide(image: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Now and then, put something in front of a part of the face."""
    if rng.random() >= 0.06:
        return
    side = image.shape[0]
    x, y = (rng.uniform(0.15, 0.85, 2) * side).tolist()
    wide, high = (rng.uniform(0.08, 0.3, 2) * side).tolist()
    corners = cv2.boxPoints(((x, y), (wide, high), float(rng.uniform(0, 180))))
    cv2.fillPoly(image, [np.rint(corners).astype(np.int32)], float(rng.uniform(10, 240)), cv2.LINE_AA)


def photograph(image: NDArray[np.uint8], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Take a picture of a drawing: focus, exposure, grain and JPEG.

    Args:
        image: uint8 (side, side), the drawing, at least as large as ``size``.
        size: Side of the picture, pixels.
        rng: Where chance comes from.

    Returns:
        uint8 (size, size).
    """
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    blur = float(rng.uniform(0.0, 0.75)) * size / 64
    if blur > 0.25:
        small = cv2.GaussianBlur(small, (0, 0), blur)
    gain, offset, gamma = rng.uniform(0.8, 1.2), rng.uniform(-15, 20), np.exp(rng.normal(0, 0.18))
    curve = 255.0 * (np.arange(256) / 255.0) ** gamma * gain + offset + 128.0 * (1.0 - gain) * 0.5
    small = cv2.LUT(small, np.clip(curve, 0, 255).astype(np.uint8))
    grain = rng.uniform(1.0, 7.0) * rng.standard_normal((size, size), np.float32)
    small = cv2.add(small, grain, dtype=cv2.CV_8U)
    if rng.random() < 0.5:
        _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 92))])
        small = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
    return np.asarray(small, np.uint8)


def draw_face(person: Person, expression: Expression, size: int = 64, view: Optional[View] = None) -> NDArray[np.uint8]:
    """Draw a person's face cleanly: no background, blur or noise.

    Args:
        person: Who, as from :func:`make_person`.
        expression: What the muscles do, as from :func:`siamese.datasets.action_units.prototype`.
        size: Side of the picture, pixels, 24-256.
        view: Pose and light; frontal if None.

    Returns:
        uint8 (size, size), grey.
    """
    background = np.full((_drawing_side(size), _drawing_side(size)), 150, np.uint8)
    drawing = draw_person(person, expression, view or View(), background)
    return np.asarray(cv2.resize(drawing, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def draw_picture(person: Person, emotion: str, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a person showing an emotion, with everything else left to chance.

    Args:
        person: Who.
        emotion: A canonical emotion.
        size: Side of the picture, pixels.
        rng: Where chance comes from; the same state gives the same picture.

    Returns:
        uint8 (size, size), grey.
    """
    intensity = sample_intensity(rng)
    expression = sample_expression(emotion, intensity, rng, person.rest, person.expressivity)
    drawing = draw_person(person, expression, sample_view(rng), _background(_drawing_side(size), rng))
    _hide(drawing, rng)
    return photograph(drawing, size, rng)


def _drawing_side(size: int) -> int:
    """Side of the drawing a picture is reduced from."""
    return size * (3 if size <= 80 else 2)


def load_synthetic(
    subjects: int = 400,
    pictures_per_subject: int = 14,
    size: int = 64,
    seed: int = 0,
    emotions: Optional[Sequence[str]] = None,
    progress: Optional[Progress] = None,
) -> FaceDataset:
    """Draw the synthetic data set.

    Picture ``subject0003/happiness/02`` of a seed is always the same, whatever else is drawn with it.

    Args:
        subjects: How many people, at least 1.
        pictures_per_subject: How many pictures of each, at least 1; emotions take turns, so all are equally frequent.
        size: Side of the pictures, pixels, 24-256.
        seed: Another seed gives other people, 0 or more.
        emotions: Which emotions, in any spelling; all eight if None.
        progress: Called with (people drawn, people in all).

    Returns:
        Grey faces with subjects, their emotions in alphabetical order.

    Raises:
        ConfigError: A number is out of range, or an emotion cannot be drawn.
    """
    names = _check(subjects, pictures_per_subject, size, seed, emotions)
    pixels = np.empty((subjects * pictures_per_subject, size, size), np.uint8)
    labels, ids, people = [], [], []
    for subject in range(subjects):
        person = make_person(seed, subject)
        taken = dict.fromkeys(names, 0)
        for turn in range(pictures_per_subject):
            row = subject * pictures_per_subject + turn
            label = row % len(names)
            emotion = names[label]
            rng = np.random.default_rng([seed, subject, CANONICAL.index(emotion), taken[emotion]])
            pixels[row] = draw_picture(person, emotion, size, rng)
            labels.append(label)
            ids.append(f"subject{subject:04d}/{emotion}/{taken[emotion]:02d}")
            people.append(f"s{subject:04d}")
            taken[emotion] += 1
        if progress is not None:
            progress(subject + 1, subjects)
    present = sorted(set(labels))
    return FaceDataset(
        name="synthetic",
        format="synthetic",
        root=Path("synthetic"),
        emotions=tuple(names[k] for k in present),
        labels=np.searchsorted(present, labels).astype(np.int64),
        ids=tuple(ids),
        store=PixelStore.from_array(pixels),
        rows=np.arange(len(labels), dtype=np.int64),
        subjects=tuple(people),
        notes=(f"Drawn by this project with seed {seed}; no real person is shown.",),
    )


def _check(
    subjects: int, pictures_per_subject: int, size: int, seed: int, emotions: Optional[Sequence[str]]
) -> tuple[str, ...]:
    """Check what was asked for and give the emotions' canonical names in alphabetical order."""
    if subjects < 1 or pictures_per_subject < 1:
        raise ConfigError(
            f"{subjects} subjects with {pictures_per_subject} pictures each were asked for; give at least 1 of each."
        )
    if not 24 <= size <= 256:
        raise ConfigError(f"Synthetic faces of {size} pixels were asked for; give a size from 24 to 256.")
    if seed < 0:
        raise ConfigError(f"The seed is {seed}; give a whole number of 0 or more.")
    names = sorted({canonical(name) for name in (CANONICAL if emotions is None else emotions)})
    if not names:
        raise ConfigError(f"No emotion was asked for; give some of: {', '.join(CANONICAL)}.")
    for name in names:
        if name not in CANONICAL:
            raise unknown_name("drawn emotion", name, CANONICAL)
    return tuple(names)
