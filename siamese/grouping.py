"""Which pictures belong together, so that no split tears them apart: one person, one film, copies and near copies."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.errors import SplitError
from galleries.images import to_grey
from siamese.datasets.base import FaceDataset

HASH_BITS = 64
_HASH_SIDE = 8
_BLOCK = 1024


class Groups:
    """Rows that belong together, directly or through others: connected components, found by union."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def _find(self, row: int) -> int:
        parent = self._parent
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    def join(self, a: int, b: int) -> None:
        """Put two rows, and all that belong to either, together."""
        a, b = self._find(a), self._find(b)
        self._parent[max(a, b)] = min(a, b)

    def join_equal(self, values: Sequence[Hashable]) -> None:
        """Put rows with equal values together; one value for each row."""
        first: dict[Hashable, int] = {}
        for row, value in enumerate(values):
            self.join(row, first.setdefault(value, row))

    def numbers(self) -> NDArray[np.int64]:
        """Each row's group, int64 (size,), numbered 0 … in the order of first appearance."""
        numbers: dict[int, int] = {}
        return np.array(
            [numbers.setdefault(self._find(row), len(numbers)) for row in range(len(self._parent))], np.int64
        )


def group_rows(dataset: FaceDataset, by: str, near: int | None = None) -> NDArray[np.int64]:
    """Group a data set's pictures for a split.

    Args:
        dataset: The faces.
        by: ``"subject"``, ``"sequence"`` or ``"duplicate"``. Exact copies are kept together whichever it is, so two
            people's groups become one where they share a picture.
        near: Also keep pictures together whose difference hashes differ in at most this many of 64 bits, 0-16.

    Returns:
        int64 (N,): group numbers.

    Raises:
        SplitError: The data set does not say who is on its pictures or from which film they are, or ``near`` is out
            of range.
    """
    groups = Groups(len(dataset))
    groups.join_equal(dataset.digests())
    if by != "duplicate":
        known = dataset.subjects if by == "subject" else dataset.sequences
        if known is None:
            raise SplitError(
                f"{dataset.name} ({dataset.root}) does not say which {by} a picture belongs to, so it cannot be split "
                f"by {by}; choose the method duplicate or random."
            )
        groups.join_equal(known)
    if near is not None:
        if not 0 <= near <= 16:
            raise SplitError(f"Near copies within {near!r} bits were asked for; give a number from 0 to 16 (of 64).")
        for a, b in near_pairs(difference_hashes(dataset), near):
            groups.join(a, b)
    return groups.numbers()


def difference_hashes(dataset: FaceDataset) -> NDArray[np.bool_]:
    """Difference hash (dHash) of every picture: is each cell of an 8x9 reduction darker than its right neighbour.

    Krawetz, "Kind of Like That", 2013. Pictures that differ in size, compression or brightness have close hashes.

    Returns:
        bool (N, 64).
    """
    hashes = np.empty((len(dataset), HASH_BITS), np.bool_)
    for row in range(len(dataset)):
        cells = cv2.resize(to_grey(dataset.image(row)), (_HASH_SIDE + 1, _HASH_SIDE), interpolation=cv2.INTER_AREA)
        hashes[row] = (cells[:, :-1] < cells[:, 1:]).reshape(-1)  # (8, 9) -> (8, 8) -> (64,)
    return hashes


def near_pairs(hashes: NDArray[np.bool_], most: int) -> Iterator[tuple[int, int]]:
    """Pairs of rows (a < b) whose hashes differ in at most ``most`` bits.

    Args:
        hashes: bool (N, 64).
        most: Largest number of differing bits.
    """
    signs = np.where(hashes, np.float32(1), np.float32(-1))
    for start in range(0, len(signs), _BLOCK):
        agreement = signs[start : start + _BLOCK] @ signs[start:].T  # 64 - 2 * differing bits
        rows, columns = np.nonzero(agreement >= HASH_BITS - 2 * most)
        for a, b in zip(rows.tolist(), columns.tolist()):
            if a < b:
                yield start + a, start + b
