"""FER-2013 as a folder of pictures: ``train/angry/Training_3908.jpg``, ``test/happy/PrivateTest_123.jpg``."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Optional

from galleries.vocabulary import FER2013_LABELS, is_known
from siamese.datasets.base import Skipped
from siamese.datasets.listing import list_folder, sample_pictures
from siamese.datasets.placing import most_match, note_bare_folders, parent_emotion, split_of
from siamese.datasets.reading import FolderSource, PictureItem

_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_\d+", re.IGNORECASE)
_PREFIXES = {"training": "train", "publictest": "val", "privatetest": "test"}
_NUMBERS = {str(number): emotion for number, emotion in enumerate(FER2013_LABELS)}


def recognise(root: Path) -> bool:
    """Whether most pictures are named like ``Training_3908.jpg``."""
    return root.is_dir() and most_match(sample_pictures(root), lambda name: _NAME.match(PurePosixPath(name).stem))


def scan(root: Path) -> FolderSource:
    """List the faces; a folder may be named after its emotion or FER-2013's label number."""
    listing = list_folder(root)
    source = FolderSource("fer2013-folder", "fer2013", root, [], notes=note_bare_folders(listing, is_known))
    items = []
    for path in listing.pictures:
        match = _NAME.match(PurePosixPath(path).stem)
        emotion = parent_emotion(path)
        if match is None:
            source.skipped.append(Skipped(path, "the name is not like Training_3908"))
        elif emotion is None:
            source.skipped.append(Skipped(path, "it stands in no folder named after an emotion"))
        else:
            official = _part(_PREFIXES[match[1].lower()], split_of(path))
            items.append(PictureItem(path, path, _NUMBERS.get(emotion, emotion), official=official))
    source.items = items
    return source


def _part(prefix: str, folder: Optional[str]) -> str:
    """The folder decides, where there is one; but the usual copy has both test sets in ``test``, and public is val."""
    if folder is None or (folder == "test" and prefix == "val"):
        return prefix
    return folder
