"""A folder of classes: ``root/<emotion>/*.jpg``, optionally ``root/{train,val,test}/<emotion>/*.jpg``."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Optional

from galleries.vocabulary import canonical, fold, is_known
from siamese.datasets.base import Skipped
from siamese.datasets.listing import list_folder, sample_pictures
from siamese.datasets.placing import SPLIT_FOLDERS, name_of, note_bare_folders
from siamese.datasets.reading import FolderSource, PictureItem


def recognise(root: Path) -> bool:
    """Whether any picture stands in a folder below."""
    return root.is_dir() and any("/" in name for name in sample_pictures(root))


def scan(root: Path) -> FolderSource:
    """List the faces. A class may have folders within; one folder around all others is passed through."""
    listing = list_folder(root)
    wrapper = _wrapper(listing.pictures)
    bare = note_bare_folders(listing, lambda name: bool(fold(name)) and name.lower() not in SPLIT_FOLDERS)
    source = FolderSource("folder", name_of(root), root, [], notes=bare)
    items = []
    for path in listing.pictures:
        folders = path.split("/")[wrapper:-1]
        official: Optional[str] = None
        if folders and folders[0].lower() in SPLIT_FOLDERS:
            official = SPLIT_FOLDERS[folders[0].lower()]
            folders = folders[1:]
        if not folders or not fold(folders[0]):
            source.skipped.append(Skipped(path, "it stands in no class folder"))
        else:
            items.append(PictureItem(path, path, canonical(folders[0]), official=official))
    source.items = items
    return source


def _wrapper(pictures: tuple[str, ...]) -> int:
    """How many folders stand around all pictures, above the classes: ``archive/anger/x.png`` has one."""
    places = [PurePosixPath(path).parent.parts for path in pictures]
    depth = 0
    while all(len(place) > depth + 1 for place in places) and len({place[depth] for place in places}) == 1:
        if places[0][depth].lower() in SPLIT_FOLDERS or is_known(places[0][depth]):
            break
        depth += 1
    return depth
