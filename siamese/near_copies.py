"""Near copies: one photograph that was stored twice, cut, scaled, brightened or compressed differently."""

from __future__ import annotations

from typing import Optional

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray

from galleries.images import InputSpec
from siamese.datasets.base import PixelStore

NEAR_BITS = 6
"""Difference hashes of near copies differ in at most so many of 64 bits."""

NEAR_CORRELATION = 0.95
"""… and their pixels correlate at least so much. Faces that are merely alike share hashes, but not this."""

VIEW = InputSpec(48, 48, 1)
"""The form in which pictures are compared."""

_SIDE = 8
_CHUNK = 4096


def near_copies(
    references: NDArray[np.uint8],
    queries: NDArray[np.uint8],
    hashes: Optional[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = None,
) -> NDArray[np.int64]:
    """Pairs of a reference and a query that show one photograph, exact copies among them.

    Candidates are found by difference hash (Krawetz, "Kind of Like That", 2013) and kept if their pixels correlate.

    Args:
        references: uint8 (R, 48, 48), grey.
        queries: uint8 (Q, 48, 48), grey.
        hashes: Both sides' :func:`difference_hashes`, if they are known already.

    Returns:
        int64 (M, 2): indices of the query and of the reference, in no order.
    """
    index = faiss.IndexBinaryFlat(_SIDE * _SIDE)
    theirs, ours = hashes or (difference_hashes(references), difference_hashes(queries))
    index.add(theirs)
    starts, _, nearest = index.range_search(ours, NEAR_BITS + 1)  # fewer than so many bits differ
    ends: NDArray[np.int64] = starts.astype(np.int64)
    asked = np.repeat(np.arange(len(queries), dtype=np.int64), ends[1:] - ends[:-1])
    pairs = np.stack([asked, nearest.astype(np.int64)], axis=1)
    kept = [np.zeros(0, bool)]
    for start in range(0, len(pairs), _CHUNK):
        chunk = pairs[start : start + _CHUNK]
        agreed = np.einsum("md,md->m", _shown(queries, chunk[:, 0]), _shown(references, chunk[:, 1]))
        kept.append(agreed >= NEAR_CORRELATION)
    alike: NDArray[np.int64] = pairs[np.concatenate(kept)]
    return alike


def view(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures in the form they are compared in.

    Args:
        pictures: uint8 (N, h, w) or (N, h, w, 3).

    Returns:
        uint8 (N, 48, 48).
    """
    if pictures.shape[1:] == (VIEW.height, VIEW.width):
        return pictures
    return PixelStore.from_array(pictures).batch(np.arange(len(pictures)), VIEW)[:, 0]


def difference_hashes(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Difference hash of every picture: of 64 bits, 1 where a cell is darker than its right neighbour.

    Args:
        pictures: uint8 (N, 48, 48), grey.

    Returns:
        uint8 (N, 8); equal for equal pictures.
    """
    out = np.empty((len(pictures), _SIDE), np.uint8)
    for start in range(0, len(pictures), _CHUNK):
        part = np.ascontiguousarray(pictures[start : start + _CHUNK])
        # one tall picture: its rows are cut into eighths of 48, so no cell mixes two pictures
        tall = cv2.resize(part.reshape(-1, VIEW.width), (_SIDE + 1, len(part) * _SIDE), interpolation=cv2.INTER_AREA)
        cells = tall.reshape(-1, _SIDE, _SIDE + 1)  # (n * 8, 9) -> (n, 8, 9)
        out[start : start + _CHUNK] = np.packbits(cells[:, :, :-1] < cells[:, :, 1:], axis=2)[:, :, 0]
    return out


def _shown(pictures: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """:func:`_standard` of the pictures at some places, each made once."""
    some, at = np.unique(places, return_inverse=True)
    return _standard(pictures[some])[at]


def _standard(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures as vectors float32 (N, 48 * 48) of mean 0 and length 1, so that their product is their correlation."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.float32(1e-6))
    return flat
