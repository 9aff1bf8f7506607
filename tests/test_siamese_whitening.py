"""Whitened towers: the matrix against its definition, the ONNX file against the product, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, the_error, write_faces
from onnx_towers import DIM, SIDE, write_tower

from galleries.encoder import OnnxEncoder
from galleries.errors import ConfigError, DataError
from galleries.gallery import Gallery
from galleries.separation import left_out_answers
from galleries.shipped import open_shipped
from siamese.whitening import whiten, whitening_matrix

pytest.importorskip("onnx", reason="the onnx package is missing")


def uneven(size: int = 500, dim: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(size, dim)) * np.logspace(0, -2, dim) + np.array([3.0] + [0.0] * (dim - 1))
    return (mixed @ np.linalg.qr(rng.normal(size=(dim, dim)))[0]).astype(np.float32)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_second_moment_afterwards(metric: str, power: float) -> None:
    vectors = uneven()
    matrix = whitening_matrix(vectors, metric, power)
    plain = vectors.astype(np.float64)
    if metric == "cosine":
        plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    before = np.linalg.eigvalsh(plain.T @ plain / len(plain))
    made = plain @ matrix
    after = np.linalg.eigvalsh(made.T @ made / len(made))
    wanted = before ** (1 - power)
    assert after / after.sum() == pytest.approx(wanted / wanted.sum(), rel=1e-3)
    assert after.sum() == pytest.approx(before.sum(), rel=1e-5)
    assert matrix == pytest.approx(matrix.T, abs=1e-5)
    if power == 0:
        assert matrix == pytest.approx(np.eye(len(matrix)), abs=1e-5)


def test_a_direction_without_any_length_stays_finite() -> None:
    vectors = uneven()
    vectors[:, 0] = 0
    assert np.isfinite(whitening_matrix(vectors, "euclidean", 1.0)).all()


def test_what_cannot_be_whitened() -> None:
    for power in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="--whiten"):
            whitening_matrix(uneven(), "cosine", power)
    with pytest.raises(DataError, match="11 vectors are too few to whiten 6 directions"):
        whitening_matrix(uneven(11), "cosine")


def test_the_file_gives_the_product(tmp_path: Path) -> None:
    encoder = OnnxEncoder(write_tower(tmp_path / "tower.onnx"))
    pixels = np.random.default_rng(1).integers(0, 256, (40, 1, SIDE, SIDE)).astype(np.uint8)
    vectors = encoder.encode(pixels)
    matrix = whitening_matrix(vectors, encoder.metric, 0.5)
    other = OnnxEncoder(whiten(encoder.model, matrix, 0.5))
    assert other.encode(pixels) == pytest.approx(vectors @ matrix, rel=1e-4, abs=1e-4)
    assert other.fingerprint != encoder.fingerprint
    assert (other.name, other.embedding_dim, other.emotions) == (encoder.name, DIM, encoder.emotions)
    assert OnnxEncoder(whiten(encoder.model, matrix, 0.5)).fingerprint == other.fingerprint
    assert OnnxEncoder(whiten(encoder.model, 2 * matrix, 0.5)).fingerprint != other.fingerprint


def test_the_gallery_that_comes_along_needs_no_picture_for_it() -> None:
    """Real vectors: its references as the whitened tower sees them, by their vectors alone and by their pixels."""
    found = open_shipped()
    matrix = whitening_matrix(found.gallery.vectors, "cosine", 0.5)
    encoder = OnnxEncoder(whiten(found.encoder.model, matrix, 0.5))
    made = found.gallery.with_vectors(found.gallery.vectors @ matrix, encoder)
    assert [known.label for known in made.references] == [known.label for known in found.gallery.references]
    pixels = np.random.default_rng(1).integers(0, 256, (8, 1, 48, 48)).astype(np.uint8)
    plain, other = found.encoder.encode(pixels), encoder.encode(pixels)
    assert made.metric == "cosine"
    assert other == pytest.approx(plain @ matrix, rel=1e-3, abs=1e-3)
    # most references stay nearest to the same ones: it is the same tower
    everyone = np.arange(len(made))
    same = (left_out_answers(made, everyone) == left_out_answers(found.gallery, everyone)).mean()
    assert 0.9 < same < 1
    spread = np.linalg.eigvalsh(made.vectors.T @ made.vectors)
    before = np.linalg.eigvalsh(found.gallery.vectors.T @ found.gallery.vectors)
    assert spread[-1] / spread.sum() < 0.8 * before[-1] / before.sum()


def test_a_gallery_is_built_with_it(run: Run, tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", {"angry": 6, "happy": 6, "bored": 6})
    code, _, err = run("gallery", "build", "--data", faces, "--tower", "pretrained", "--out", tmp_path / "plain")
    assert code == 0, err
    options = ("--data", faces, "--tower", "pretrained", "--whiten", 0.5, "--out", tmp_path / "g", "--json")
    code, out, err = run("gallery", "build", *options)
    assert code == 0, err
    facts = json.loads(out)
    assert facts["carries_tower"]
    assert facts["tower"]["fingerprint"] != Gallery.load(tmp_path / "plain").tower.fingerprint
    code, out, err = run("query", tmp_path / "g", faces / "bored" / "0.png", "-k", 1, "--json")
    assert code == 0, err
    assert json.loads(out)["results"][0]["faces"][0]["emotion"] == "bored"
    for tower, options in (("pretrained", ("--whiten", 1.5)), (tmp_path / "g", ("--whiten", 0.5))):
        code, _, err = run("gallery", "build", "--data", faces, "--tower", tower, "--out", tmp_path / "no", *options)
        assert code == 2
        the_error(err)
    alone = tmp_path / "g" / "tower.onnx"
    code, _, err = run("gallery", "build", "--data", faces, "--tower", alone, "--whiten", 0.5, "--out", tmp_path / "no")
    assert code == 2
    assert "holds no gallery of its own" in the_error(err)


def test_few_shots_with_it(run: Run, tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", {"angry": 9, "happy": 9, "bored": 9})
    asked = ("fewshot", "pretrained", "--data", faces, "--shots", 2, "--queries", 4, "--episodes", 4, "--json")
    results = [json.loads(run(*asked, "--enrol", "--whiten", power)[1]) for power in (0, 0.5)]
    assert results[0]["whiten"] == 0
    assert results[1]["whiten"] == 0.5
    assert results[0]["fingerprint"] != results[1]["fingerprint"]
    for facts in results:
        assert facts["own_gallery"]["references"] > 1000
        assert facts["enrolled"][0]["new"] == ["bored"]
