"""KDEF: seventy people, seven expressions, five angles, two sessions; the name says all of it.

Lundqvist, Flykt and Öhman, "The Karolinska Directed Emotional Faces", 1998. ``AF01ANS.JPG``: session A, female, person
01, angry, straight. Note that a leading ``AF`` is session and sex, while ``AF`` behind the number is "afraid".
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from galleries.errors import unknown_name
from galleries.vocabulary import canonical
from siamese.datasets.base import Skipped
from siamese.datasets.listing import list_folder, sample_pictures
from siamese.datasets.placing import most_match, split_of
from siamese.datasets.reading import FolderSource, PictureItem

ANGLES = ("FL", "HL", "S", "HR", "FR")
"""Full left, half left, straight, half right, full right."""

_NAME = re.compile(r"([AB])([FM])(\d{2})(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)$", re.IGNORECASE)


@dataclass(frozen=True)
class CentreSquare:
    """Crops the largest square about the centre: KDEF's 562x762 pictures have the face there."""

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The square part of a picture (H, W) or (H, W, 3)."""
        side = min(picture.shape[:2])
        top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
        return picture[top : top + side, left : left + side]


def recognise(root: Path) -> bool:
    """Whether most pictures are named like ``AF01ANS.JPG``."""
    return root.is_dir() and most_match(sample_pictures(root), lambda name: _NAME.match(PurePosixPath(name).stem))


def scan(root: Path, angles: Optional[Collection[str]] = None) -> FolderSource:
    """List the faces. The subject is sex and number (sessions A and B show the same person); the sequence is one pose.

    Args:
        root: The folder.
        angles: Which of :data:`ANGLES` to keep; None for all.

    Raises:
        ConfigError: An angle is unknown.
    """
    wanted = {angle.upper() for angle in (ANGLES if angles is None else angles)}
    for angle in sorted(wanted - set(ANGLES)):
        raise unknown_name("KDEF angle", angle, ANGLES)
    source = FolderSource("kdef", "kdef", root, [])
    items, other_angles = [], 0
    for path in list_folder(root).pictures:
        match = _NAME.match(PurePosixPath(path).stem)
        if match is None:
            source.skipped.append(Skipped(path, "the name is not like AF01ANS.JPG"))
        elif match[5].upper() not in wanted:
            other_angles += 1
        else:
            session, sex, number, code = (part.upper() for part in match.groups()[:4])
            sequence = f"{session}{sex}{number}{code}"
            emotion = canonical(code)
            items.append(PictureItem(path, path, emotion, f"{sex}{number}", sequence, split_of(path), CentreSquare()))
    source.items = items
    if other_angles:
        kept = " ".join(angle for angle in ANGLES if angle in wanted)
        source.notes.append(f"{other_angles} pictures from other angles than {kept} were not asked for.")
    return source
