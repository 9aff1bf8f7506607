"""Near copies: one photograph that was stored twice, cut, scaled, brightened or compressed differently."""

from __future__ import annotations

import cv2
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
_TILE = (256, 2048)  # pictures of each side compared at a time, so that it stays in the cache
_CHUNK = 4096


def near_copies(references: NDArray[np.uint8], queries: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pairs of a reference and a query that show one photograph, exact copies among them.

    Candidates are found by difference hash (Krawetz, "Kind of Like That", 2013) and kept if their pixels correlate.

    Args:
        references: uint8 (R, 48, 48), grey.
        queries: uint8 (Q, 48, 48), grey.

    Returns:
        int64 (M, 2): indices of the query and of the reference, in no order.
    """
    found = [np.zeros((0, 2), np.int64)]
    ours, theirs = _signs(queries), _signs(references)
    for row in range(0, len(ours), _TILE[0]):
        for column in range(0, len(theirs), _TILE[1]):
            agreement = ours[row : row + _TILE[0]] @ theirs[column : column + _TILE[1]].T  # 64 - 2 * differing bits
            places = np.flatnonzero(agreement >= ours.shape[1] - 2 * NEAR_BITS)
            found.append(np.stack(np.divmod(places, agreement.shape[1]), axis=1) + np.array([row, column]))
    pairs = np.concatenate(found)
    kept = [np.zeros(0, bool)]
    for start in range(0, len(pairs), _CHUNK):
        chunk = pairs[start : start + _CHUNK]
        agreed = (_standard(queries[chunk[:, 0]]) * _standard(references[chunk[:, 1]])).sum(axis=1)
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


def _signs(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Difference hash of every picture, float32 (N, 64): 1 where a cell is darker than its right neighbour, else -1."""
    out = np.empty((len(pictures), _SIDE * _SIDE), np.float32)
    for start in range(0, len(pictures), _CHUNK):
        part = np.ascontiguousarray(pictures[start : start + _CHUNK])
        # one tall picture: its rows are cut into eighths of 48, so no cell mixes two pictures
        tall = cv2.resize(part.reshape(-1, VIEW.width), (_SIDE + 1, len(part) * _SIDE), interpolation=cv2.INTER_AREA)
        cells = tall.reshape(-1, _SIDE, _SIDE + 1)  # (n * 8, 9) -> (n, 8, 9)
        out[start : start + _CHUNK] = np.where(cells[:, :, :-1] < cells[:, :, 1:], 1, -1).reshape(len(part), -1)
    return out


def _standard(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pictures as vectors float32 (N, 48 * 48) of mean 0 and length 1, so that their product is their correlation."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.float32(1e-6))
    return flat
