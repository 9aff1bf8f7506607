"""Maps: PCA against numpy, equal twice with one seed, queries in the references' map, and what is asked wrongly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.projection import METHODS, project
from galleries.errors import ConfigError, DataError

pytest.importorskip("sklearn", reason="the judging part is not installed")


def blobs(size: int = 60, dim: int = 8, seed: int = 0) -> NDArray[np.float32]:
    """Three clouds of vectors, far apart."""
    rng = np.random.default_rng(seed)
    centres = 10 * rng.standard_normal((3, dim))
    return (centres[np.arange(size) % 3] + rng.standard_normal((size, dim))).astype(np.float32)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_pca_is_the_svd(dimensions: int) -> None:
    vectors, queries = blobs(), blobs(size=5, seed=3)
    made = project(vectors, queries, "pca", dimensions)
    centre = vectors.astype(np.float64).mean(axis=0)
    _, sizes, axes = np.linalg.svd(vectors - centre, full_matrices=False)
    for places, points in ((made.places, vectors), (made.overlay, queries)):
        expected = (points - centre) @ axes[:dimensions].T
        signs = np.sign((places * expected).sum(axis=0))  # an axis may point either way
        assert places == pytest.approx(expected * signs, abs=1e-3)
    assert made.variance == pytest.approx((sizes[:dimensions] ** 2).sum() / (sizes**2).sum())
    assert (made.method, made.instead_of, made.reason) == ("pca", None, None)


def test_tsne_is_equal_twice_and_maps_queries_along() -> None:
    vectors = blobs(30)
    made = [project(vectors, vectors[:4] + 0.01, "tsne", seed=7) for _ in range(2)]
    assert np.array_equal(made[0].places, made[1].places)
    assert np.array_equal(made[0].overlay, made[1].overlay)
    distance = np.linalg.norm(made[0].places[None] - made[0].overlay[:, None], axis=2)  # (4, 30)
    assert (distance.argmin(axis=1) % 3 == np.arange(4) % 3).all()


def test_umap_is_equal_twice_keeps_clouds_apart_and_places_queries() -> None:
    pytest.importorskip("umap", reason="umap-learn is not installed")
    vectors = blobs(60)
    made = [project(vectors, vectors[:3], "umap", seed=5) for _ in range(2)]
    assert np.array_equal(made[0].places, made[1].places)
    assert np.array_equal(made[0].overlay, made[1].overlay)
    assert made[0].method == "umap"
    distance = np.linalg.norm(made[0].places[:, None] - made[0].places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (distance.argmin(axis=1) % 3 == np.arange(60) % 3).all()
    distance = np.linalg.norm(made[0].places[None] - made[0].overlay[:, None], axis=2)
    assert (distance.argmin(axis=1) % 3 == np.arange(3)).all()


def test_without_umap_the_pca_map_is_drawn_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    made = project(blobs(), method="umap")
    assert (made.method, made.instead_of, made.reason) == ("pca", "umap", "missing")
    assert np.array_equal(made.places, project(blobs(), method="pca").places)


def test_few_faces_get_pca() -> None:
    pytest.importorskip("umap", reason="umap-learn is not installed")
    made = project(blobs(19), method="umap")
    assert (made.method, made.reason) == ("pca", "few")


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_equal_vectors_and_narrow_embeddings_have_a_map(method: str) -> None:
    same = project(np.ones((6, 4), np.float32), np.ones((2, 4), np.float32), method)
    assert same.places.shape == (6, 2)
    assert same.overlay.shape == (2, 2)
    assert np.isfinite(same.places).all()
    thin = project(blobs(9, dim=2), method=method, dimensions=3)
    assert thin.places.shape == (9, 3)
    assert thin.overlay.shape == (0, 3)
    assert np.isfinite(thin.places).all()


def test_what_cannot_be_mapped() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'umap'"):
        project(blobs(), method="umpa")
    with pytest.raises(ConfigError, match="4 dimensions"):
        project(blobs(), dimensions=4)
    with pytest.raises(DataError, match="2 vectors"):
        project(blobs(2), method="pca")
    broken = blobs()
    broken[3, 2] = np.nan
    for method in METHODS:
        with pytest.raises(DataError, match="finite"):
            project(broken, method=method)


def test_importing_it_loads_no_umap() -> None:
    code = (
        "import sys, eval.map_page, eval.run_report; print([name for name in ('umap', 'torch') if name in sys.modules])"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "[]", done.stderr
