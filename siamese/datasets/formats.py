"""The layouts that can be read, and how to tell them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galleries.errors import DataError
from siamese.datasets import affectnet_yolo, ckplus, fer2013, fer2013_folder, folder, jaffe, kdef, rafdb
from siamese.datasets.listing import list_folder
from siamese.datasets.reading import Source
from siamese.datasets.synthetic_source import SyntheticSource, is_synthetic


@dataclass(frozen=True)
class Format:
    """A layout on disk.

    Attributes:
        description: One line for a person, with an example of a file's name.
        recognise: Whether a path looks like it.
        scan: Lists the faces at a path, undecoded.
        options: Names of ``load_dataset``'s options that ``scan`` takes.
    """

    description: str
    recognise: Callable[[Path], bool]
    scan: Callable[..., Source]
    options: tuple[str, ...] = ()


def _scan_csv(path: str | Path) -> Source:
    found = fer2013.find_csv(Path(path))
    if found is None:
        missing = "does not exist" if not Path(path).exists() else "holds no fer2013.csv (plain, .gz, .xz or .zip)"
        raise DataError(f"{path} {missing}; give the path of FER-2013's CSV file.")
    return fer2013.CsvSource(found)


def _in_folder(scan: Callable[..., Source]) -> Callable[..., Source]:
    def checked(path: str | Path, **options: Any) -> Source:
        root = Path(path)
        if not root.is_dir():
            what = "is a file" if root.exists() else "does not exist"
            raise DataError(f"{path} {what}; a folder with pictures was expected.")
        return scan(root, **options)

    return checked


FORMATS: dict[str, Format] = {
    "synthetic": Format(
        "Faces drawn by this toolkit, no file needed: synthetic or synthetic:subjects=200,seed=3",
        is_synthetic,
        SyntheticSource.from_path,
    ),
    "fer2013-csv": Format(
        "FER-2013's CSV, plain, .gz, .xz or .zip: emotion,pixels,Usage",
        lambda path: fer2013.find_csv(path) is not None,
        _scan_csv,
    ),
    "affectnet-yolo": Format(
        "AffectNet in YOLO form: train/images/image0000006.jpg with train/labels/image0000006.txt",
        affectnet_yolo.recognise,
        _in_folder(affectnet_yolo.scan),
        ("crop_margin",),
    ),
    "fer2013-folder": Format(
        "FER-2013 as pictures: train/angry/Training_3908.jpg, test/happy/PrivateTest_123.jpg",
        fer2013_folder.recognise,
        _in_folder(fer2013_folder.scan),
    ),
    "ckplus": Format("CK+ 48: anger/S010_004_00000017.png", ckplus.recognise, _in_folder(ckplus.scan)),
    "jaffe": Format("JAFFE: KA.AN1.39.tiff", jaffe.recognise, _in_folder(jaffe.scan)),
    "kdef": Format("KDEF: AF01ANS.JPG, flat or in folders", kdef.recognise, _in_folder(kdef.scan), ("angles",)),
    "rafdb": Format(
        "RAF-DB aligned: train/1/train_00001_aligned.jpg, or flat with train_labels.csv or list_patition_label.txt",
        rafdb.recognise,
        _in_folder(rafdb.scan),
    ),
    "folder": Format(
        "A folder for each emotion: anger/x.jpg, or train/anger/x.jpg",
        folder.recognise,
        _in_folder(folder.scan),
    ),
}
"""Every layout by name; where several would do, the first recognises it."""


def recognise_format(path: str | Path) -> str:
    """Tell the layout at a path: a key of :data:`FORMATS`.

    Raises:
        DataError: The path is missing or of no known layout; the sentence says what was found and what could be read.
    """
    place = Path(path)
    for name, layout in FORMATS.items():
        if layout.recognise(place):
            return name
    if not place.exists():
        raise DataError(f"{path} does not exist; give a folder of faces, FER-2013's CSV file, or 'synthetic'.")
    if place.is_dir():
        found = f"a folder with {len(list_folder(place).pictures)} pictures that stand in no class folder"
    else:
        found = f"a file of {place.stat().st_size} bytes"
    known = "; ".join(layout.description for layout in FORMATS.values())
    raise DataError(f"{path} is {found}; none of the known layouts fits: {known}.")
