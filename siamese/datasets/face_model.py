"""People who do not exist: the parameters of a drawn face, and how one is made up.

Lengths are in face units: the origin lies between the eyes' line and the nose, x goes right and y down in the picture,
the chin of an average face is at y = 97 and its cheeks at x = ±70.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siamese.datasets.action_units import unit_vector

HAIR_STYLES = ("shaved", "short", "parted", "fringe", "long", "bob", "curly", "bun", "scarf")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
GLASSES = ("none", "round", "square", "thick")


@dataclass(frozen=True)
class Person:
    """One identity: everything about a face that stays the same from picture to picture.

    Lengths are in face units, tones are grey values 0-255, everything else is 0-1 unless it says otherwise.
    """

    width: float
    jaw: float
    chin: float
    chin_width: float
    crown: float
    skin: float
    age: float
    ear: float
    brow_y: float
    brow_gap: float
    brow_length: float
    brow_arch: float
    brow_tilt: float
    brow_thick: float
    brow_tone: float
    eye_x: float
    eye_y: float
    eye_width: float
    eye_upper: float
    eye_lower: float
    eye_tilt: float
    eye_crease: float
    iris: float
    lashes: float
    nose_y: float
    nose_width: float
    nose_bridge: float
    mouth_y: float
    mouth_width: float
    lip_upper: float
    lip_lower: float
    lip_tone: float
    corner: float
    hair_style: str
    hair: float
    hair_volume: float
    hairline: float
    hair_side: float
    beard: str
    glasses: str
    clothes: float
    expressivity: float
    rest: NDArray[np.float64]
    texture_seed: int


def _choose(rng: np.random.Generator, names: tuple[str, ...], weights: tuple[float, ...]) -> str:
    return names[int(rng.choice(len(names), p=np.asarray(weights) / sum(weights)))]


def _head(rng: np.random.Generator, skin: float) -> dict[str, float]:
    """Head and skin."""
    return {
        "width": rng.normal(69, 3.5),
        "jaw": float(np.clip(rng.normal(0.5, 0.25), 0, 1)),
        "chin": rng.normal(96, 3.5),
        "chin_width": rng.uniform(20, 34),
        "crown": rng.normal(-114, 4),
        "skin": skin,
        "age": float(rng.beta(1.3, 2.2)),
        "ear": rng.uniform(0.7, 1.2),
    }


def _brows(rng: np.random.Generator, tone: float) -> dict[str, float]:
    """Brows at rest: some lie low or slant, so that their height alone tells no emotion."""
    return {
        "brow_y": rng.normal(-33, 2.6),
        "brow_gap": rng.normal(13.5, 2),
        "brow_length": rng.normal(37, 2.5),
        "brow_arch": rng.uniform(1.0, 7.0),
        "brow_tilt": rng.normal(0, 2.2),
        "brow_thick": rng.uniform(3.0, 8.5),
        "brow_tone": tone,
    }


def _eyes(rng: np.random.Generator) -> dict[str, float]:
    """Eyes at rest."""
    return {
        "eye_x": rng.normal(31, 1.6),
        "eye_y": rng.normal(-11, 1.8),
        "eye_width": rng.normal(15.5, 1.1),
        "eye_upper": rng.normal(7.0, 1.0),
        "eye_lower": rng.normal(4.4, 0.6),
        "eye_tilt": rng.normal(-0.8, 1.6),
        "eye_crease": rng.uniform(0.0, 1.0),
        "iris": rng.choice([25.0, 40.0, 60.0, 95.0, 120.0]),
        "lashes": rng.uniform(0.2, 1.0),
    }


def _nose_and_mouth(rng: np.random.Generator, skin: float) -> dict[str, float]:
    """Nose, and mouth at rest: some corners hang, some smile."""
    return {
        "nose_y": rng.normal(29, 2.5),
        "nose_width": rng.normal(13.5, 2.0),
        "nose_bridge": rng.uniform(0.4, 1.2),
        "mouth_y": rng.normal(55, 2.2),
        "mouth_width": rng.normal(25.5, 2.2),
        "lip_upper": rng.uniform(3.0, 7.0),
        "lip_lower": rng.uniform(4.5, 9.0),
        "lip_tone": skin * rng.uniform(0.58, 0.86),
        "corner": rng.normal(0, 1.9),
    }


def sample_person(rng: np.random.Generator) -> Person:
    """Make up a person.

    Args:
        rng: Where chance comes from; the same state gives the same person.

    Returns:
        A person whose face differs from others in proportions, skin, hair, beard, glasses, age, and in how it rests.
    """
    skin = float(rng.uniform(92, 212))
    darkest = 12.0 if skin < 140 else float(rng.uniform(12, 45))
    hair = float(rng.choice([darkest, rng.uniform(35, 90), rng.uniform(110, 200)], p=[0.6, 0.25, 0.15]))
    hair = min(hair, skin * 0.95) if skin < 150 else hair
    style = _choose(rng, HAIR_STYLES, (0.07, 0.2, 0.17, 0.1, 0.14, 0.09, 0.1, 0.08, 0.05))
    bearded = style in ("shaved", "short", "parted", "curly") and rng.random() < 0.6
    beard = _choose(rng, BEARDS, (0.2, 0.32, 0.12, 0.12, 0.24)) if bearded else "none"
    units = rng.choice([1, 2, 4, 7, 10, 12, 15, 17, 23, 24], size=3, replace=False)
    rest = unit_vector({int(unit): float(value) for unit, value in zip(units, 0.32 * rng.beta(1.2, 2.0, 3))})
    return Person(
        **_head(rng, skin),
        **_brows(rng, min(hair, 110.0) * 0.8 + 0.06 * skin),
        **_eyes(rng),
        **_nose_and_mouth(rng, skin),
        hair_style=style,
        hair=hair if style != "scarf" else float(rng.uniform(30, 225)),
        hair_volume=float(rng.uniform(0.5, 1.4)),
        hairline=float(rng.normal(-72, 5)),
        hair_side=float(rng.choice([-1.0, 1.0])),
        beard=beard,
        glasses=_choose(rng, GLASSES, (0.8, 0.07, 0.07, 0.06)),
        clothes=float(rng.uniform(20, 230)),
        expressivity=float(np.clip(rng.normal(1.0, 0.13), 0.65, 1.25)),
        rest=rest,
        texture_seed=int(rng.integers(2**31)),
    )
