"""From an embedding to a map: UMAP, PCA or t-SNE in two or three dimensions, seeded."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from galleries.errors import ConfigError, DataError, require, unknown_name

METHODS = ("umap", "pca", "tsne")
"""How a map can be made."""

FEWEST_FOR_UMAP = 20
"""With fewer faces UMAP's graph says nothing, and its spectral start fails."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Projection:
    """A map.

    Attributes:
        places: float32 (N, d), where the references lie; d is 2 or 3.
        overlay: float32 (Q, d), where the queries lie.
        method: The one of :data:`METHODS` that was used.
        instead_of: The one that was asked for, where it is another; else None.
        reason: Why another was used: ``"missing"`` (the library) or ``"few"`` (faces); else None.
        variance: PCA: share of the references' variance that the map shows, 0-1; else None.
    """

    places: Vectors
    overlay: Vectors
    method: str
    instead_of: Optional[str] = None
    reason: Optional[str] = None
    variance: Optional[float] = None


def project(
    vectors: Vectors, overlay: Optional[Vectors] = None, method: str = "umap", dimensions: int = 2, seed: int = 0
) -> Projection:
    """Map vectors.

    Distances are Euclidean; for a cosine gallery give unit vectors, whose Euclidean distance orders neighbours alike.
    UMAP and PCA are fitted to the references alone and place the queries in that map; t-SNE cannot place new points,
    so it maps references and queries together.

    Args:
        vectors: float32 (N, D), the references; N ≥ 3.
        overlay: float32 (Q, D), queries laid over them, or None.
        method: ``"umap"`` (McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection",
            2018), ``"pca"``, or ``"tsne"`` (van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008).
            Without the umap-learn library, or with fewer than 20 references, PCA is used instead of UMAP.
        dimensions: 2 or 3.
        seed: Of everything random; the same seed gives the same map on the same machine.

    Raises:
        ConfigError: Another method or number of dimensions.
        DataError: Fewer than three vectors, or vectors that are not finite.
    """
    if method not in METHODS:
        raise unknown_name("way to map", method, METHODS)
    if dimensions not in (2, 3):
        raise ConfigError(f"A map of {dimensions} dimensions was asked for; choose 2 or 3.")
    queries = vectors[:0] if overlay is None else overlay
    if len(vectors) < 3 or not np.isfinite(vectors).all() or not np.isfinite(queries).all():
        raise DataError(f"{len(vectors)} vectors were given; a map needs at least 3, of finite numbers.")
    if method == "tsne":
        return _tsne(vectors, queries, dimensions, seed)
    reason = None
    if method == "umap":
        library = _umap_library()
        reason = "missing" if library is None else "few" if len(vectors) < FEWEST_FOR_UMAP else None
        if reason is None:
            return _umap(library, vectors, queries, dimensions, seed)
    return _pca(vectors, queries, dimensions, reason)


def _pca(vectors: Vectors, queries: Vectors, dimensions: int, reason: Optional[str]) -> Projection:
    count = min(dimensions, *vectors.shape)
    model: Any = require("sklearn.decomposition", "eval").PCA(count, svd_solver="full")
    missing = np.zeros((1, dimensions - count))  # an embedding of two numbers has no third axis
    total = float(vectors.astype(np.float64).var(axis=0).sum())
    if total == 0:  # all faces at one point
        nowhere, none = (np.zeros((len(v), dimensions), np.float32) for v in (vectors, queries))
        return Projection(nowhere, none, "pca", None if reason is None else "umap", reason)
    model.fit(vectors.astype(np.float64))
    places, overlay = (
        np.hstack([model.transform(v), np.repeat(missing, len(v), axis=0)]) if len(v) else np.empty((0, dimensions))
        for v in (vectors, queries)
    )
    return Projection(
        places.astype(np.float32),
        overlay.astype(np.float32),
        "pca",
        None if reason is None else "umap",
        reason,
        float(model.explained_variance_ratio_.sum()),
    )


def _umap_library() -> Any:
    try:
        return importlib.import_module("umap")
    except ImportError:
        return None


def _umap(library: Any, vectors: Vectors, queries: Vectors, dimensions: int, seed: int) -> Projection:
    neighbours = min(15, len(vectors) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and the spectral start's advice is for programmers
        model = library.UMAP(n_components=dimensions, n_neighbors=neighbours, random_state=seed, n_jobs=1)
        places = model.fit_transform(vectors)
        overlay = model.transform(queries) if len(queries) else np.empty((0, dimensions))
    return Projection(_finite(places), _finite(overlay), "umap")


def _tsne(vectors: Vectors, queries: Vectors, dimensions: int, seed: int) -> Projection:
    everything = np.concatenate([vectors, queries])
    model: Any = require("sklearn.manifold", "eval").TSNE(
        dimensions,
        perplexity=min(30.0, (len(everything) - 1) / 3),
        init="pca" if min(everything.shape) >= dimensions and everything.var() > 0 else "random",
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # equal vectors make its PCA start divide by zero
        places = _finite(model.fit_transform(everything))
    return Projection(places[: len(vectors)], places[len(vectors) :], "tsne")


def _finite(places: NDArray[Any]) -> Vectors:
    """UMAP leaves a point without neighbours nowhere; it is put at the map's middle."""
    found: Vectors = np.asarray(places, np.float32)
    lost = ~np.isfinite(found).all(axis=1)
    if lost.any():
        found[lost] = found[~lost].mean(axis=0) if not lost.all() else 0.0
    return found
