"""What a gallery can be asked: vectors of one length, finite, with a direction under cosine; and for how many."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError, GalleryError

METRICS: Tuple[str, ...] = ("cosine", "euclidean")
"""``cosine``: 1 - cosine similarity (0-2), on unit-length copies; ``euclidean``: the ordinary distance."""

Vectors = NDArray[np.float32]


def usable(vectors: Any, metric: str, dim: int = 0, first: int = 0) -> Vectors:
    """Check vectors and bring them to what FAISS takes.

    Args:
        vectors: (B, D) numbers.
        metric: Under ``"cosine"`` the copies returned have unit length.
        dim: The D that is expected; 0 for any.
        first: What errors call the first row, where the vectors follow others.

    Returns:
        float32 (B, D), contiguous; never written to the given array.

    Raises:
        GalleryError: A wrong shape or type, NaN, infinite or too large values, zero vectors under cosine.
    """
    array = vectors if isinstance(vectors, np.ndarray) else np.asarray(vectors)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or array.shape[1] == 0 or (dim and array.shape[1] != dim):
        wanted = f"(B, {dim})" if dim else "(B, D)"
        raise GalleryError(f"Vectors are {array.dtype} of shape {array.shape}; numbers of shape {wanted} are needed.")
    ready = _single(array)
    squares = np.einsum("bd,bd->b", ready, ready)
    least, most = _span(squares)
    if not most < 1e36:
        _refuse(~(squares < 1e36), "hold NaN, infinite or far too large values; a tower gives finite numbers", first)
    if metric == "cosine":
        if least < 1e-30:
            why = "are zero and have no direction, so no cosine; use the euclidean metric or mend them"
            _refuse(squares < 1e-30, why, first)
        ready = ready / np.sqrt(squares)[:, None]
    return ready


def _single(array: Any) -> Vectors:
    """Contiguous float32; what is too large for it becomes infinite."""
    if array.dtype == np.float32:
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(array, np.float32)


def _span(squares: Vectors) -> Tuple[float, float]:
    """The least and the greatest of (B,), NaN if one is; two ordinary numbers where there is none."""
    if len(squares) == 1:
        only = squares.item()
        return only, only
    if not len(squares):
        return 1.0, 1.0
    with np.errstate(invalid="ignore"):
        return float(squares.min()), float(squares.max())


def _refuse(bad: NDArray[np.bool_], what: str, first: int) -> None:
    row = first + int(bad.argmax())
    raise GalleryError(f"{int(bad.sum())} of {len(bad)} vectors (first: row {row}) {what}.")


def squared_distances(vectors: Vectors, queries: Vectors) -> Vectors:
    """Squared distances along the last axis; the same for a pair whatever else is in the arrays."""
    difference = vectors - queries
    squares: Vectors = np.einsum("...d,...d->...", difference, difference)
    return squares


def check_k(k: int, size: int) -> None:
    """Refuse a number of neighbours that is no whole number from 1 to the number of vectors."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ConfigError(f"{k!r} neighbours were asked for; give a whole number from 1.")
    if k > size:
        raise GalleryError(f"{k} neighbours were asked for, but the gallery holds {size}; ask for at most {size}.")
