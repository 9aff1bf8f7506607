"""CK+ in its 48x48 form: one folder an emotion, files named subject_sequence_frame.

Lucey et al., "The Extended Cohn-Kanade Dataset (CK+)", 2010. The common copy holds the last three frames of each
labelled film, so pictures of one sequence are nearly alike and must stay on one side of a split.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from galleries.vocabulary import is_known
from siamese.datasets.base import Skipped
from siamese.datasets.listing import list_folder, sample_pictures
from siamese.datasets.placing import most_match, note_bare_folders, parent_emotion, split_of
from siamese.datasets.reading import FolderSource, PictureItem

_NAME = re.compile(r"(S\d{3})_(\d{3})_\d{6,8}$", re.IGNORECASE)


def recognise(root: Path) -> bool:
    """Whether most pictures are named like ``S010_004_00000017.png``."""
    return root.is_dir() and most_match(sample_pictures(root), lambda name: _NAME.match(PurePosixPath(name).stem))


def scan(root: Path) -> FolderSource:
    """List the faces: ``anger/S010_004_00000017.png`` is subject S010, sequence S010_004, anger."""
    listing = list_folder(root)
    source = FolderSource("ckplus", "ckplus", root, [], notes=note_bare_folders(listing, is_known))
    items = []
    for path in listing.pictures:
        match = _NAME.match(PurePosixPath(path).stem)
        emotion = parent_emotion(path)
        if match is None:
            source.skipped.append(Skipped(path, "the name is not like S010_004_00000017"))
        elif emotion is None:
            source.skipped.append(Skipped(path, "it stands in no folder named after an emotion"))
        else:
            subject = match[1].upper()
            items.append(PictureItem(path, path, emotion, subject, f"{subject}_{match[2]}", split_of(path)))
    source.items = items
    return source
