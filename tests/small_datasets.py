"""Data sets of a few made-up people, for the tests of splits."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np

from siamese.datasets.base import FaceDataset, PixelStore
from siamese.splits import Split

EMOTIONS = ("anger", "fear", "happiness")


def dataset_of(
    labels: list[int],
    subjects: list[str] | None = None,
    sequences: list[str] | None = None,
    official: list[str] | None = None,
    copies: dict[int, int] | None = None,
) -> FaceDataset:
    """Faces of noise; ``copies`` says which row has the pixels of which."""
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), 12, 12), dtype=np.uint8)
    for row, source in (copies or {}).items():
        pixels[row] = pixels[source]
    return FaceDataset(
        name="toy",
        format="folder",
        root=Path("/toy"),
        emotions=EMOTIONS[: max(labels) + 1],
        labels=np.array(labels, np.int64),
        ids=tuple(f"face{row}" for row in range(len(labels))),
        store=PixelStore.from_array(pixels),
        rows=np.arange(len(labels)),
        subjects=None if subjects is None else tuple(subjects),
        sequences=None if sequences is None else tuple(sequences),
        official=None if official is None else tuple(official),
    )


def people(count: int = 20, each: int = 6) -> FaceDataset:
    rows = range(count * each)
    subjects = [f"s{row // each:02d}" for row in rows]
    sequences = [f"s{row // each:02d}_{row % each // 2}" for row in rows]
    return dataset_of([row % 3 for row in rows], subjects, sequences, copies={0: 119 if count == 20 else 1})


def sides(split: Split, column: tuple[str, ...]) -> list[set[str]]:
    return [{column[int(row)] for row in rows} for rows in split.parts().values()]


def disjoint(sets: list[set[str]]) -> bool:
    return all(not a & b for a, b in combinations(sets, 2))


def covers(split: Split, dataset: FaceDataset) -> bool:
    return sorted(np.concatenate(list(split.parts().values())).tolist()) == list(range(len(dataset)))
