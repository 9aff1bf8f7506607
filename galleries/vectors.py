"""What vectors a gallery takes: numbers of one length, finite, with a direction where the metric is cosine."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError

METRICS: Tuple[str, ...] = ("cosine", "euclidean")
"""``cosine``: 1 - cosine similarity (0-2), on unit-length copies; ``euclidean``: the ordinary distance."""

Vectors = NDArray[np.float32]


def usable(vectors: Any, metric: str, dim: int = 0) -> Vectors:
    """Check vectors and bring them to what FAISS takes.

    Args:
        vectors: (B, D) numbers.
        metric: Under ``"cosine"`` the copies returned have unit length.
        dim: The D that is expected; 0 for any.

    Returns:
        float32 (B, D), contiguous; never written to the given array.

    Raises:
        GalleryError: A wrong shape or type, NaN, infinite or too large values, zero vectors under cosine.
    """
    array = np.asarray(vectors)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or array.shape[1] == 0 or (dim and array.shape[1] != dim):
        wanted = f"(B, {dim})" if dim else "(B, D)"
        raise GalleryError(f"Vectors are {array.dtype} of shape {array.shape}; numbers of shape {wanted} are needed.")
    with np.errstate(over="ignore", invalid="ignore"):
        ready: Vectors = np.ascontiguousarray(array, np.float32)
        squares = np.einsum("bd,bd->b", ready, ready)
    _refuse(~(squares < 1e36), "hold NaN, infinite or far too large values; a tower gives finite numbers")
    if metric == "cosine":
        _refuse(squares < 1e-30, "are zero and have no direction, so no cosine; use the euclidean metric or mend them")
        ready = ready / np.sqrt(squares)[:, None]
    return ready


def _refuse(bad: NDArray[np.bool_], what: str) -> None:
    if bad.any():
        raise GalleryError(f"{int(bad.sum())} of {len(bad)} vectors (first: row {int(bad.argmax())}) {what}.")
