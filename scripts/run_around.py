"""The run that a tower or a gallery lies in, read without torch: what its data was, and how many vote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

from galleries.errors import DataError
from galleries.gallery import DEFAULT_NEIGHBORS
from galleries.records import parse_json


@dataclass(frozen=True)
class RunAround:
    """What a run says of itself in its ``run.json``.

    Attributes:
        folder: Where it is.
        data: The data set it was trained on.
        format: Its layout, if forced.
        ferplus: FER+ votes laid over it, or None.
        emotions: The emotions kept, or None for all.
        n_neighbors: How many references vote in its gallery.
    """

    folder: Path
    data: str
    format: Optional[str]
    ferplus: Optional[str]
    emotions: Optional[Tuple[str, ...]]
    n_neighbors: int


def run_around(path: Path) -> Optional[RunAround]:
    """The run that a path is, or lies in; None if there is none that can be read."""
    for folder in (path, path.parent):
        try:
            values = parse_json((folder / "run.json").read_text(encoding="utf-8"))
            emotions = values.get("emotions")
            return RunAround(
                folder,
                str(values["data"]),
                values.get("format"),
                values.get("ferplus"),
                None if emotions is None else tuple(map(str, emotions)),
                max(1, int(values["training"].get("n_neighbors", DEFAULT_NEIGHBORS))),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return None


def read_data(path: Path, run: Optional[RunAround], typed: Mapping[str, Any]) -> Any:
    """Read the data set that a person named, or that of the run.

    Args:
        path: The tower or gallery.
        run: The run around it, or None.
        typed: ``data``, ``format`` and ``ferplus`` as typed.

    Returns:
        The :class:`siamese.datasets.base.FaceDataset`.

    Raises:
        DataError: None was named and there is no run; or it cannot be read.
    """
    from emotions_cli import console
    from siamese.datasets import load_dataset

    data, form, ferplus = typed["data"], typed["format"], typed["ferplus"]
    if data is None:
        if run is None:
            raise DataError(f"{path} does not lie in a run, so say with --data where its faces are to come from.")
        data, form, ferplus = run.data, form or run.format, ferplus or run.ferplus
    with console.bar("reading pictures") as progress:
        return load_dataset(data, form, ferplus=ferplus, progress=progress)
