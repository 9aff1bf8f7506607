"""RAF-DB, aligned faces, numbered emotions: in numbered folders, or flat with a file of labels.

Li, Deng and Du, "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the
Wild", 2017.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Optional

from galleries.errors import DataError
from siamese.datasets.base import Skipped
from siamese.datasets.listing import Listing, list_folder, sample_pictures
from siamese.datasets.placing import most_match, note_bare_folders, split_of
from siamese.datasets.reading import FolderSource, PictureItem

NUMBERS = {
    "1": "surprise",
    "2": "fear",
    "3": "disgust",
    "4": "happiness",
    "5": "sadness",
    "6": "anger",
    "7": "neutral",
}

_NAME = re.compile(r"((train|test)_\d+)(_aligned)?$", re.IGNORECASE)
_LABEL_FILES = ("list_patition_label.txt", "list_partition_label.txt", "train_labels.csv", "test_labels.csv")


def recognise(root: Path) -> bool:
    """Whether most pictures are named like ``train_00001_aligned.jpg``."""
    return root.is_dir() and most_match(sample_pictures(root), lambda name: _NAME.match(PurePosixPath(name).stem))


def scan(root: Path) -> FolderSource:
    """List the faces: a numbered folder gives the emotion, else the label file; the name's beginning gives the split.

    Raises:
        DataError: A label file cannot be read.
    """
    listing = list_folder(root)
    source = FolderSource("rafdb", "rafdb", root, [], notes=note_bare_folders(listing, NUMBERS.__contains__))
    labels, malformed = _read_labels(root, listing)
    source.skipped.extend(malformed)
    pictures = _aligned_only(listing.pictures, source.notes)
    items, found = [], set()
    for path in pictures:
        place = PurePosixPath(path)
        match = _NAME.match(place.stem)
        key = match[1].lower() if match else place.stem.lower()
        number = place.parent.name if place.parent.name in NUMBERS else labels.get(key)
        if number is None:
            source.skipped.append(Skipped(path, "it has no label: no folder 1-7 around it, no entry in a label file"))
        else:
            official = match[2].lower() if match else split_of(path)
            items.append(PictureItem(path, path, NUMBERS[number], official=official))
        found.add(key)
    source.skipped.extend(Skipped(name, "it has a label but no picture") for name in sorted(labels.keys() - found))
    source.items = items
    return source


def _aligned_only(pictures: tuple[str, ...], notes: list[str]) -> list[str]:
    """The aligned faces, where the folder holds both them and the originals."""
    aligned = [path for path in pictures if PurePosixPath(path).stem.lower().endswith("_aligned")]
    if not aligned or len(aligned) == len(pictures):
        return list(pictures)
    notes.append(f"{len(pictures) - len(aligned)} pictures without _aligned in their name were passed over.")
    return aligned


def _read_labels(root: Path, listing: Listing) -> tuple[dict[str, str], list[Skipped]]:
    """Picture name (lower case, without ending and ``_aligned``) to label number, and the malformed lines."""
    labels: dict[str, str] = {}
    malformed: list[Skipped] = []
    for file in (name for name in listing.others if PurePosixPath(name).name.lower() in _LABEL_FILES):
        try:
            lines = (root / file).read_text("utf-8-sig", errors="replace").splitlines()
        except OSError as error:
            raise DataError(f"{root / file} cannot be read: {error.strerror or error}.") from error
        for number, line in enumerate(lines, 1):
            entry = _read_entry(line)
            if entry is not None:
                labels[entry[0]] = entry[1]
            elif line.strip() and number > 1:
                malformed.append(Skipped(f"{file}:{number}", f"{line.strip()[:40]!r}; a picture name and 1-7 expected"))
    return labels, malformed


def _read_entry(line: str) -> Optional[tuple[str, str]]:
    cells = [cell.strip(" \"'") for cell in re.split(r"[,;\s]+", line.strip())]
    if len(cells) != 2 or cells[1] not in NUMBERS:
        return None
    stem = PurePosixPath(cells[0]).stem.lower()
    return re.sub("_aligned$", "", stem), cells[1]
