"""Which emotion and which split a picture's place among folders tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Optional

from galleries.vocabulary import canonical, fold
from siamese.datasets.listing import Listing

SPLIT_FOLDERS: dict[str, str] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Folder name (lower case) to the part of the official split it holds."""


def split_of(path: str) -> Optional[str]:
    """The part of the split a path's folders name, the outermost first; None if none does."""
    for part in path.split("/")[:-1]:
        if part.lower() in SPLIT_FOLDERS:
            return SPLIT_FOLDERS[part.lower()]
    return None


def parent_emotion(path: str) -> Optional[str]:
    """The canonical emotion of the folder a picture stands in; None if that is a split's folder or the root."""
    folder = PurePosixPath(path).parent.name
    return canonical(folder) if fold(folder) and folder.lower() not in SPLIT_FOLDERS else None


def note_bare_folders(listing: Listing, is_class: Callable[[str], bool] = lambda name: True) -> list[str]:
    """A sentence naming the class folders without any picture, or nothing.

    Args:
        listing: The folder.
        is_class: Whether a folder of this name (without its parents) should hold pictures of one class.
    """
    names = [name for name in listing.bare if is_class(PurePosixPath(name).name)]
    if not names:
        return []
    subject = "The class folder" if len(names) == 1 else f"{len(names)} class folders, among them"
    verb = "holds" if len(names) == 1 else "hold"
    return [f"{subject} {', '.join(names[:6])} {verb} no picture, so no class was made of it."]


def most_match(names: list[str], matches: Callable[[str], object]) -> bool:
    """Whether more than half of the names match."""
    return bool(names) and 2 * sum(bool(matches(name)) for name in names) > len(names)


def name_of(root: Path) -> str:
    """A data set's short name: its folder's."""
    return root.resolve().name or "faces"
