"""JAFFE: ten women, seven expressions, 256x256 TIFFs named subject.expression-take.number.

Lyons et al., "Coding Facial Expressions with Gabor Wavelets", 1998.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from galleries.vocabulary import canonical
from siamese.datasets.base import Skipped
from siamese.datasets.listing import list_folder, sample_pictures
from siamese.datasets.placing import most_match, split_of
from siamese.datasets.reading import FolderSource, PictureItem

_NAME = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)\d+\.\d+\.", re.IGNORECASE)


def recognise(root: Path) -> bool:
    """Whether most pictures are named like ``KA.AN1.39.tiff``."""
    return root.is_dir() and most_match(sample_pictures(root), lambda name: _NAME.match(PurePosixPath(name).name))


def scan(root: Path) -> FolderSource:
    """List the faces: ``KA.AN1.39.tiff`` is subject KA, anger. Folders play no part but for train/val/test."""
    source = FolderSource("jaffe", "jaffe", root, [])
    items = []
    for path in list_folder(root).pictures:
        match = _NAME.match(PurePosixPath(path).name)
        if match is None:
            source.skipped.append(Skipped(path, "the name is not like KA.AN1.39.tiff"))
        else:
            items.append(PictureItem(path, path, canonical(match[2]), match[1].upper(), None, split_of(path)))
    source.items = items
    return source
