"""Towers that look closer: the same vectors as of the middle alone, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, the_error, write_faces
from onnx_towers import SIDE, write_tower

from galleries.encoder import OnnxEncoder
from galleries.errors import ConfigError
from galleries.gallery import Gallery
from galleries.shipped import open_shipped
from siamese.closer import look_closer
from siamese.features import cut_before_embedding

onnx = pytest.importorskip("onnx", reason="the onnx package is missing")


@pytest.mark.parametrize(("times", "side"), [(1.25, 10), (1.5, 12), (2.0, 16)])
def test_it_sees_the_middle(tmp_path: Path, times: float, side: int) -> None:
    plain = OnnxEncoder(write_tower(tmp_path / "tower.onnx"))
    closer = OnnxEncoder(look_closer(plain.model, times))
    assert (closer.input_spec.height, closer.input_spec.width) == (side, side)
    pixels = np.random.default_rng(1).integers(0, 256, (40, 1, side, side)).astype(np.uint8)
    edge = (side - SIDE) // 2
    middle = np.ascontiguousarray(pixels[:, :, edge : edge + SIDE, edge : edge + SIDE])
    np.testing.assert_array_equal(closer.encode(pixels), plain.encode(middle))
    assert closer.fingerprint != plain.fingerprint
    assert (closer.name, closer.metric, closer.embedding_dim) == (plain.name, plain.metric, plain.embedding_dim)
    onnx.checker.check_model(onnx.load_from_string(closer.model))


def test_nothing_changes_where_not_a_pixel_is_gained(tmp_path: Path) -> None:
    plain = OnnxEncoder(write_tower(tmp_path / "tower.onnx"))
    assert look_closer(plain.model, 1.0) == plain.model
    assert look_closer(plain.model, 1.1) == plain.model  # of 8 pixels, less than one on either side
    for times in (0.9, 2.1, float("nan")):
        with pytest.raises(ConfigError, match="--closer"):
            look_closer(plain.model, times)


def test_of_the_tower_that_comes_along() -> None:
    """Real weights, without the last layer, too, in either order."""
    whole = open_shipped().encoder
    closer = OnnxEncoder(look_closer(cut_before_embedding(whole.model), 1.25))
    assert (closer.input_spec.height, closer.embedding_dim) == (60, 176)
    pixels = np.random.default_rng(1).integers(0, 256, (4, 1, 60, 60)).astype(np.uint8)
    middle = np.ascontiguousarray(pixels[:, :, 6:54, 6:54])
    cut = OnnxEncoder(cut_before_embedding(whole.model))
    np.testing.assert_allclose(closer.encode(pixels), cut.encode(middle), atol=1e-5)
    other = OnnxEncoder(cut_before_embedding(look_closer(whole.model, 1.25)))
    np.testing.assert_allclose(other.encode(pixels), closer.encode(pixels), atol=1e-5)


def test_a_gallery_is_built_with_it(run: Run, tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", {"angry": 6, "happy": 6, "bored": 6})
    made = tmp_path / "g"
    asked = ("gallery", "build", "--data", faces, "--tower", "pretrained", "--features", "--closer", 1.25)
    code, _, err = run(*asked, "--out", made)
    assert code == 0, err
    held = Gallery.load(made).tower
    assert (held.input_spec.height, held.embedding_dim) == (60, 176)
    code, out, err = run("query", made, faces / "bored" / "0.png", "-k", 1, "--json")
    assert code == 0, err
    assert json.loads(out)["results"][0]["faces"][0]["emotion"] == "bored"
    code, _, err = run(
        "gallery", "build", "--data", faces, "--tower", "pretrained", "--closer", 3, "--out", tmp_path / "no"
    )
    assert code == 2
    assert "--closer 3 was given; give 1" in the_error(err)


def test_few_shots_with_it(run: Run, tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", {"angry": 9, "happy": 9, "bored": 9})
    asked = ("fewshot", "pretrained", "--data", faces, "--shots", 2, "--queries", 4, "--episodes", 4, "--json")
    results = [json.loads(run(*asked, "--against-gallery", *more)[1]) for more in ((), ("--closer", 1.25))]
    assert [facts["closer"] for facts in results] == [1, 1.25]
    assert results[0]["fingerprint"] != results[1]["fingerprint"]
    assert results[0]["results"][0]["gallery"] == results[1]["results"][0]["gallery"]
