"""Facial action units: which muscles move for which emotion, and how strongly.

Ekman and Friesen, *Facial Action Coding System* (1978) names the visible movements of a face by number; their EMFACS
tables say which of them make up an emotion. An emotion is drawn from its prototype times a continuous intensity, so a
weak fear lies between a strong one and the neutral face, and emotions that share action units look alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

import numpy as np
from numpy.typing import NDArray

from galleries.errors import unknown_name

ACTION_UNITS: Mapping[int, str] = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    27: "mouth stretch",
}
"""The action units a drawn face has, by number."""

_COLUMN = {unit: column for column, unit in enumerate(ACTION_UNITS)}

PROTOTYPES: Mapping[str, Mapping[int, float]] = {
    "anger": {4: 1.0, 5: 0.55, 7: 0.8, 23: 0.9},
    "contempt": {12: 0.75, 14: 1.0},
    "disgust": {9: 1.0, 15: 0.5, 16: 0.6},
    "fear": {1: 0.9, 2: 0.6, 4: 0.75, 5: 0.9, 7: 0.3, 20: 0.9, 26: 0.5},
    "happiness": {6: 0.9, 12: 1.0},
    "neutral": {},
    "sadness": {1: 0.9, 4: 0.7, 15: 1.0},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.8, 26: 1.0},
}
"""Emotion to its EMFACS action units and how far each goes, 0-1, when the emotion is at full intensity."""

OPTIONAL: Mapping[str, Mapping[int, tuple[float, float]]] = {
    "anger": {17: (0.35, 0.6), 24: (0.4, 0.7), 9: (0.12, 0.5), 10: (0.2, 0.6), 25: (0.3, 0.9)},
    "contempt": {10: (0.15, 0.4), 17: (0.25, 0.4), 2: (0.3, 0.6)},
    "disgust": {10: (0.65, 1.0), 17: (0.4, 0.7), 4: (0.55, 0.6), 7: (0.5, 0.7), 25: (0.45, 0.8)},
    "fear": {25: (0.85, 1.0)},
    "happiness": {25: (0.65, 1.0), 26: (0.25, 0.5), 7: (0.2, 0.5)},
    "neutral": {25: (0.06, 0.5), 7: (0.06, 0.4)},
    "sadness": {17: (0.6, 0.8), 7: (0.3, 0.5), 25: (0.12, 0.6), 20: (0.1, 0.5)},
    "surprise": {25: (0.95, 1.0), 27: (0.4, 0.8)},
}
"""Emotion to the action units that may join in: (probability, how far at full intensity)."""

ONE_SIDED = ("contempt",)
"""Emotions shown by one half of the face."""


@dataclass(frozen=True)
class Expression:
    """What the muscles of a face do.

    Attributes:
        values: float64 (2, 19): activation 0-1 of each unit of :data:`ACTION_UNITS`, on the side that lies left in the
            picture and on the right one.
    """

    values: NDArray[np.float64]
    _rows: tuple[list[float], list[float]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        left, right = self.values.tolist()
        object.__setattr__(self, "_rows", (left, right))

    def sides(self, unit: int) -> tuple[float, float]:
        """Activation of an action unit, 0-1: (left in the picture, right in the picture)."""
        column = _COLUMN[unit]
        return self._rows[0][column], self._rows[1][column]

    def both(self, unit: int) -> float:
        """Mean activation of an action unit over the two sides, 0-1."""
        column = _COLUMN[unit]
        return 0.5 * (self._rows[0][column] + self._rows[1][column])


def jaw_drop(expression: Expression) -> float:
    """How far the lower lip and chin go down as the mouth opens (25, 26, 27), face units, 0 to about 32."""
    return 1.5 * expression.both(25) + 15.0 * expression.both(26) + 16.0 * expression.both(27)


def unit_vector(units: Mapping[int, float]) -> NDArray[np.float64]:
    """Activations by number, ``{12: 0.8}``, as a float64 vector (19,) in the order of :data:`ACTION_UNITS`."""
    vector = np.zeros(len(ACTION_UNITS))
    for unit, value in units.items():
        vector[_COLUMN[unit]] = value
    return vector


def prototype(emotion: str, intensity: float) -> Expression:
    """The pure expression of an emotion: its prototype times the intensity, no chance involved.

    Args:
        emotion: A canonical emotion, a key of :data:`PROTOTYPES`.
        intensity: 0 (the neutral face) to 1 (as strong as it gets).

    Returns:
        The expression. A one-sided emotion shows on the right of the picture only.

    Raises:
        ConfigError: The emotion has no prototype.
    """
    if emotion not in PROTOTYPES:
        raise unknown_name("drawn emotion", emotion, PROTOTYPES)
    both = np.tile(intensity * unit_vector(PROTOTYPES[emotion]), (2, 1))
    if emotion in ONE_SIDED:
        both[0] = 0.0
    return Expression(both)


def sample_expression(
    emotion: str,
    intensity: float,
    rng: np.random.Generator,
    rest: NDArray[np.float64] | None = None,
    expressivity: float = 1.0,
) -> Expression:
    """A person's expression of an emotion as it happens: units vary, others join in, the halves differ a little.

    Args:
        emotion: A canonical emotion, a key of :data:`PROTOTYPES`.
        intensity: 0-1.
        rng: Where chance comes from.
        rest: float64 (19,): what this person's face does at rest; none if None.
        expressivity: How much this person shows, about 0.6-1.2.

    Returns:
        The expression, every activation within 0-1.

    Raises:
        ConfigError: The emotion has no prototype.
    """
    values = prototype(emotion, intensity).values * rng.uniform(0.6, 1.15, len(ACTION_UNITS))
    for unit, (probability, strength) in OPTIONAL[emotion].items():
        joins, amount = rng.random() < probability, rng.uniform(0.4, 1.0) * strength
        if joins:
            sides = (0.3, 1.0) if emotion in ONE_SIDED and unit in (2, 10) else (1.0, 1.0)
            values[:, _COLUMN[unit]] += max(intensity, 0.25) * amount * np.array(sides)
    stray = rng.integers(len(ACTION_UNITS) - 3, size=2)  # the last three open the mouth: not by chance
    values[:, stray] += rng.uniform(0.0, 0.25, 2)
    values *= expressivity * rng.normal(1.0, 0.1, values.shape)
    if rest is not None:
        values = values + rest
    if rng.random() < 0.5:
        values = values[::-1]
    return Expression(np.clip(values, 0.0, 1.0))
