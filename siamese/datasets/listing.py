"""What lies in a folder: its pictures, its other files, and the folders without a picture."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from galleries.errors import DataError
from galleries.images import PICTURE_SUFFIXES

_IGNORED = {"thumbs.db", "desktop.ini", "__macosx"}


@dataclass(frozen=True)
class Listing:
    """What lies in a folder.

    Attributes:
        pictures: Paths of the pictures below the root, with ``/``, sorted.
        others: Paths of the other files, sorted.
        bare: Folders in which, at any depth, no picture stands, sorted.
    """

    pictures: tuple[str, ...]
    others: tuple[str, ...]
    bare: tuple[str, ...]


def walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Visit a folder and all below it, sorted: (path below the root or ``""``, its file names).

    Hidden files and folders, Thumbs.db and the like are left out; links to folders are followed once.

    Raises:
        DataError: A folder cannot be read, so faces would be missing without a word.
    """
    seen: set[str] = set()
    for place, folders, files in os.walk(root, onerror=_refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if _counts(name))
        relative = os.path.relpath(place, root).replace(os.sep, "/")
        yield "" if relative == "." else relative, sorted(name for name in files if _counts(name))


def _refuse(error: OSError) -> None:
    raise DataError(
        f"{error.filename} cannot be read ({error.strerror}); allow reading it, or move it out of the data set."
    ) from error


def _counts(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _IGNORED


def is_picture_name(name: str) -> bool:
    """Whether a file name ends like a picture's."""
    return name.lower().endswith(PICTURE_SUFFIXES)


def list_folder(root: Path) -> Listing:
    """List a folder's pictures, other files, and folders without a picture.

    Raises:
        DataError: There is no picture in it.
    """
    pictures: list[str] = []
    others: list[str] = []
    folders: set[str] = set()
    for place, names in walk(root):
        folders.add(place)
        for name in names:
            (pictures if is_picture_name(name) else others).append(f"{place}/{name}" if place else name)
    if not pictures:
        endings = Counter(Path(name).suffix.lower() or "no ending" for name in others).most_common(3)
        found = f"{len(others)} other files ({', '.join(ending for ending, _ in endings)})" if others else "nothing"
        raise DataError(
            f"{root} holds no picture, only {found}; give a folder with pictures ({' '.join(PICTURE_SUFFIXES)}), "
            "or a FER-2013 CSV file."
        )
    filled = {parent.as_posix() for name in pictures for parent in Path(name).parents} | {"", "."}
    return Listing(tuple(pictures), tuple(others), tuple(sorted(folders - filled)))


def sample_pictures(root: Path, most: int = 200) -> list[str]:
    """The first pictures of a folder, in sorted order, without listing all of it: paths below the root."""
    names: list[str] = []
    for place, files in walk(root):
        names.extend(f"{place}/{name}" if place else name for name in files if is_picture_name(name))
        if len(names) >= most:
            break
    return names[:most]
