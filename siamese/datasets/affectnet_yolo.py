"""AffectNet in YOLO form: ``train/images/x.jpg`` with ``train/labels/x.txt``, a line ``class cx cy w h`` for each face.

Mollahosseini, Hasani and Mahoor, "AffectNet: A Database for Facial Expression, Valence, and Arousal Computing in the
Wild", 2019. Names recur across the splits, so an id is the whole path; a picture with several boxes gives several
faces. Of ``data.yaml`` only the class names are used: its paths point to somebody else's disk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError
from galleries.vocabulary import CANONICAL, canonical, fold
from siamese.datasets.base import Skipped
from siamese.datasets.listing import list_folder, sample_pictures
from siamese.datasets.placing import split_of
from siamese.datasets.reading import FolderSource, PictureItem
from siamese.datasets.yaml_names import read_names


@dataclass(frozen=True)
class BoxCrop:
    """Crops a face's box, grown to a square that stays within the picture.

    Attributes:
        x: Centre, share of the width.
        y: Centre, share of the height.
        width: Share of the width, above 0.
        height: Share of the height, above 0.
        margin: Added on each side, share of the box's longer side.
    """

    x: float
    y: float
    width: float
    height: float
    margin: float = 0.0

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The square part of a picture (H, W) or (H, W, 3)."""
        rows, columns = picture.shape[:2]
        longer = max(self.width * columns, self.height * rows)
        side = max(1, min(round(longer * (1 + 2 * self.margin)), rows, columns))
        top = min(max(0, round(self.y * rows - side / 2)), rows - side)
        left = min(max(0, round(self.x * columns - side / 2)), columns - side)
        return picture[top : top + side, left : left + side]


def recognise(root: Path) -> bool:
    """Whether pictures stand in ``images`` folders with a ``labels`` folder of text files beside or above."""
    if not root.is_dir():
        return False
    places = {PurePosixPath(name).parent for name in sample_pictures(root)}
    return any("images" in place.parts and (root / _label_path(f"{place}/x")).parent.is_dir() for place in places)


def scan(root: Path, crop_margin: float = 0.0) -> FolderSource:
    """List the faces, one for each line of each label file.

    Args:
        root: The folder with ``train``, ``valid`` and ``test``, or one of them.
        crop_margin: Added on each side of a box, as a share of its longer side, 0-2.

    Raises:
        ConfigError: The margin is out of range.
    """
    if not 0 <= crop_margin <= 2:
        raise ConfigError(f"A crop margin of {crop_margin!r} was given; give a number from 0 to 2.")
    listing = list_folder(root)
    names, note = _class_names(root, listing.others)
    source = FolderSource("affectnet-yolo", "affectnet", root, [], notes=[note] if note else [])
    label_files = {path for path in listing.others if path.endswith(".txt") and "labels" in PurePosixPath(path).parts}
    items: list[PictureItem] = []
    for path in listing.pictures:
        label_path = _label_path(path)
        if label_path not in label_files:
            source.skipped.append(Skipped(path, "it has no label file"))
            continue
        label_files.discard(label_path)
        items.extend(_faces(root, path, label_path, names, crop_margin, source.skipped))
    source.skipped.extend(Skipped(path, "the label file has no picture") for path in sorted(label_files))
    source.items = items
    return source


def _label_path(picture: str) -> str:
    """``train/images/x.jpg`` → ``train/labels/x.txt`` (the last ``images`` on the way becomes ``labels``)."""
    parts = list(PurePosixPath(picture).with_suffix(".txt").parts)
    places = [index for index, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return "/".join(parts)


def _faces(
    root: Path, path: str, label_path: str, names: tuple[str, ...], margin: float, skipped: list[Skipped]
) -> list[PictureItem]:
    try:
        text = (root / label_path).read_text("utf-8", errors="replace")
    except OSError as error:
        skipped.append(Skipped(label_path, f"cannot be read: {error.strerror or error}"))
        return []
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        skipped.append(Skipped(label_path, "the label file is empty"))
    items = []
    for number, line in enumerate(lines):
        face_id = path if len(lines) == 1 else f"{path}#{number}"
        parsed = _read_box(line, names, margin)
        if isinstance(parsed, str):
            skipped.append(Skipped(face_id, parsed))
        else:
            items.append(PictureItem(path, face_id, parsed[0], official=split_of(path), crop=parsed[1]))
    return items


def _read_box(line: str, names: tuple[str, ...], margin: float) -> tuple[str, BoxCrop] | str:
    """Emotion and crop of a label line, or what is wrong with it."""
    try:
        number, *box = (float(cell) for cell in line.split())
    except ValueError:
        return f"label line {line[:40]!r}; class cx cy w h expected"
    if len(box) != 4 or not all(math.isfinite(value) for value in (number, *box)):
        return f"label line {line[:40]!r}; class cx cy w h expected"
    if not number.is_integer() or not 0 <= number < len(names):
        return f"class {number:g}; a whole number from 0 to {len(names) - 1} expected"
    x, y, width, height = box
    if not (0 <= x <= 1 and 0 <= y <= 1 and 0 < width <= 1.001 and 0 < height <= 1.001):
        return f"box {x:g} {y:g} {width:g} {height:g}; shares of the picture from 0 to 1 expected"
    return names[int(number)], BoxCrop(x, y, width, height, margin)


def _class_names(root: Path, others: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Canonical class names by number, and a note if they had to be assumed."""
    for name in sorted((n for n in others if n.lower().endswith((".yaml", ".yml"))), key=lambda n: (n.count("/"), n)):
        try:
            names = read_names((root / name).read_text("utf-8-sig", errors="replace"))
        except OSError:
            continue
        if names and all(fold(entry) for entry in names):
            return tuple(canonical(entry) for entry in names), ""
    order = ", ".join(CANONICAL)
    return CANONICAL, f"No data.yaml with class names was found, so the classes 0-7 were taken as {order}."
