"""Galleries of very many vectors, measured on few: every number is there, ratios are what they say, truth is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import faiss
import numpy as np
import pytest
from conftest import Run
from made_galleries import scattered

from eval import large_galleries, large_trial
from eval.large_galleries import LargeGallery, exact_neighbors, tables, time_large
from eval.large_trial import Asked, Built, ask, build_bare, build_gallery, share_found
from galleries.errors import ConfigError, GalleryError
from galleries.gallery import Gallery

RNG = np.random.default_rng(4)
REAL = RNG.standard_normal((80, 8)).astype(np.float32)
MADE = LargeGallery(
    "ivf",
    Built(2.0, 200 << 20, 70 << 20, 50 << 20),
    Built(3.0, 300 << 20, 70 << 20, 100 << 20),
    Asked(0.5, 90 << 20, 0.9, 0.45, 1000.0, 2000.0, 0.5, 5000.0, 10000.0, 0.5),
)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_truth_is_found_block_by_block(metric: str) -> None:
    queries = RNG.standard_normal((9, 8)).astype(np.float32)
    if metric == "cosine":
        unit = REAL / np.linalg.norm(REAL, axis=1, keepdims=True)
        order = np.argsort(-(queries @ unit.T), axis=1)
    else:
        order = np.argsort(((queries[:, None] - REAL[None]) ** 2).sum(-1), axis=1)
    for step in (1, 33, 200):
        blocks = [REAL[start : start + step] for start in range(0, 80, step)]
        assert np.array_equal(exact_neighbors(blocks, queries, 5, metric), order[:, :5])
    assert share_found(order[:, :5], order[:, :5]) == 1
    assert share_found(order[:, 5:10], order[:, :5]) == 0
    assert share_found(order[:, 2:7], order[:, :5]) == pytest.approx(0.6)


def given(folder: Path, kind: str, metric: str) -> Dict[str, Any]:
    vectors = RNG.standard_normal((900, 8)).astype(np.float32)
    queries = RNG.standard_normal((20, 8)).astype(np.float32)
    (folder / "v").write_bytes(vectors.tobytes())
    np.save(folder / "q.npy", queries)
    np.save(folder / "t.npy", exact_neighbors([vectors], queries, 5, metric))
    return {
        "vectors": str(folder / "v"), "queries": str(folder / "q.npy"), "truth": str(folder / "t.npy"), "size": 900,
        "dim": 8, "metric": metric, "kind": kind, "bare": str(folder / "bare"), "gallery": str(folder / "g"),
        "seconds": 0.02,
    }  # fmt: skip


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivfpq"])
def test_both_sides_are_the_same_index(kind: str, metric: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_trial, "BLOCK", 256)
    task = given(tmp_path, kind, metric)
    bare, own = build_bare(task), build_gallery(task)
    assert min(bare.seconds, own.seconds) > 0
    assert (bare.disk, own.disk > bare.disk) == ((tmp_path / "bare").stat().st_size, True)
    gallery = Gallery.load(tmp_path / "g")
    assert (len(gallery), gallery.index, gallery.metric) == (900, kind, metric)
    assert gallery.references[899].source == "train/00000899.png"
    inner = faiss.read_index(str(tmp_path / "g" / "index.faiss"))
    plain = faiss.read_index(task["bare"])
    queries = np.load(task["queries"])
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    alike = inner.search(queries, 5)[1] == plain.search(queries, 5)[1]
    assert alike.mean() > 0.98, "the same parameters and training"
    asked = ask(task)
    assert asked.recall >= asked.bare_recall - 0.01
    assert asked.recall > (0.99 if kind == "flat" else 0.5)
    assert min(asked.opening, asked.single, asked.bare_single, asked.batch, asked.bare_batch) > 0
    assert min(asked.single_ratio, asked.batch_ratio) > 0


def test_each_kind_is_measured_in_processes_of_its_own(tmp_path: Path) -> None:
    moved: List[int] = []
    (one,) = time_large(REAL, "cosine", 300, ("ivfpq",), tmp_path, 0.02, progress=lambda done, _: moved.append(done))
    assert moved == [1, 2, 3, 4]
    assert one.kind == "ivfpq"
    assert one.build_ratio == one.own.seconds / one.bare.seconds
    assert one.own.peak is None or one.own.peak >= (one.own.base or 0) > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.faiss", "queries.npy", "truth.npy", "vectors.f32"]
    assert len(tables([one])[0].rows) == len(tables([one])[1].rows) == 1


def test_what_is_told() -> None:
    building, asking = tables([MADE])
    assert building.rows == [["ivf", "3.0 (1.50)", "300 (1.50)", "100 (2.00)"]]
    assert asking.rows == [["ivf", "1,000 (0.50)", "5,000 (0.50)", "0.900 (2.00)", "0.50", "90"]]
    assert (MADE.to_json()["build_ratio"], MADE.to_json()["peak_ratio"]) == (1.5, 1.5)


def test_what_is_refused(tmp_path: Path) -> None:
    for size in (99, 0, 10_000_001):
        with pytest.raises(ConfigError, match="give 100 to 10,000,000"):
            time_large(REAL, "cosine", size, ("flat",), tmp_path)
    with pytest.raises(GalleryError, match=r"100 vectors with the index pq could not be measured .*--scratch"):
        time_large(REAL, "cosine", 100, ("pq",), tmp_path)


def test_the_command(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scattered().save(tmp_path / "g")
    options = ("--size", 200, "--indexes", "flat", "--seconds", 0.02)
    code, out, err = run("benchmark", "sizes", tmp_path / "g", *options)
    assert code == 0, err
    assert "1.000 (1.00)" in out
    assert "in brackets the ratio to plain FAISS" in " ".join(out.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g"], "nothing is left behind"
    for wrong in (("--indexes", "pq"), ("--indexes", ","), ("--size", 5), ("--seconds", 0), ("--scratch", "/none")):
        code, _, err = run("benchmark", "sizes", tmp_path / "g", *options, *wrong)
        assert code == 2
        assert "error:" in err
    monkeypatch.setattr(large_galleries, "time_large", lambda *_: [MADE])
    code, out, err = run("benchmark", "sizes", tmp_path / "g", *options, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["size"], facts["dim"], facts["metric"]) == (200, 6, "cosine")
    assert facts["indexes"] == [json.loads(json.dumps(MADE.to_json()))]
