"""Data sets of faces: recognise a layout, read it, and give a :class:`FaceDataset` in the canonical vocabulary."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path
from typing import Optional

from galleries.atomic import write_text
from galleries.errors import ConfigError, unknown_name
from siamese.datasets.base import FaceDataset, PixelStore, Skipped
from siamese.datasets.cache import read_cached
from siamese.datasets.formats import FORMATS, Format, recognise_format
from siamese.datasets.reading import MemorySink, Progress, assemble

__all__ = [
    "FORMATS",
    "FaceDataset",
    "Format",
    "PixelStore",
    "Skipped",
    "load_dataset",
    "recognise_format",
    "write_skip_report",
]


def load_dataset(
    path: str | Path,
    format: Optional[str] = None,
    ferplus: Optional[str | Path] = None,
    soft: bool = False,
    cache: bool = True,
    progress: Optional[Progress] = None,
    crop_margin: Optional[float] = None,
    angles: Optional[Collection[str]] = None,
    votes: Optional[str | Path] = None,
    votes_share: float = 0.5,
) -> FaceDataset:
    """Read a data set of faces.

    Args:
        path: A folder, a FER-2013 CSV file (plain, .gz, .xz, .zip), ``"synthetic"``, or
            ``"synthetic:subjects=200,seed=3"``.
        format: A key of :data:`FORMATS`; None recognises it.
        ferplus: FER+'s ``fer2013new.csv``: its majority labels replace FER-2013's.
        soft: With ``ferplus``, also give the votes as soft labels.
        cache: Keep the decoded pictures on disk, and use them next time.
        progress: Called with (done, total) while reading.
        crop_margin: ``affectnet-yolo`` only: share of a box's longer side added around it, 0-2 (default 0).
        angles: ``kdef`` only: which of FL, HL, S, HR, FR to keep (default all).
        votes: FER+'s ``fer2013new.csv`` beside FER-2013's own labels: soft labels are a blend of both.
        votes_share: Their share of it, 0-1.

    Returns:
        The data set, every picture decoded.

    Raises:
        DataError: The path is missing, of an unknown layout, or holds no usable face.
        ConfigError: The format is unknown, or an option does not belong to it.
    """
    if soft and ferplus is None:
        raise ConfigError("Soft labels were asked for without votes; give FER+'s fer2013new.csv with --ferplus.")
    if votes is not None and ferplus is not None:
        raise ConfigError("FER+ votes either replace FER-2013's labels (--ferplus) or stand beside them (--votes).")
    name = recognise_format(path) if format is None else format
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    options = {"crop_margin": crop_margin, "angles": angles}
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in FORMATS[name].options:
            raise ConfigError(f"The option {option} does not belong to the format {name}; leave it out.")
    source = FORMATS[name].scan(path, **given)
    dataset = read_cached(source, progress) if cache else assemble(source, MemorySink(), progress)
    if ferplus is None and votes is None:
        return dataset
    from siamese.datasets.ferplus import lay_votes, votes_beside

    if votes is not None:
        return votes_beside(dataset, Path(votes), votes_share)
    assert ferplus is not None
    return lay_votes(dataset, Path(ferplus), soft)


def write_skip_report(dataset: FaceDataset, path: str | Path) -> None:
    """Write the pictures that were left out, a tab-separated line ``source, reason`` each, in the order met.

    Raises:
        EmotionsError: The file cannot be written.
    """
    table = io.StringIO()
    writer = csv.writer(table, delimiter="\t", lineterminator="\n")
    writer.writerow(["source", "reason"])
    writer.writerows((entry.source, entry.reason) for entry in dataset.skipped)
    write_text(path, table.getvalue().encode("utf-8", "backslashreplace").decode())
