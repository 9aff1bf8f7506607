"""Towers without their last layer: the ONNX file against the torch tower's own features, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Run, the_error, write_faces
from onnx_towers import SIDE, card, write_tower
from tiny_faces import EMOTIONS

from galleries.encoder import CARD_KEY, OnnxEncoder
from galleries.errors import TowerError
from galleries.gallery import Gallery
from galleries.shipped import open_shipped
from galleries.tower_card import Taught
from siamese.export import export_onnx
from siamese.features import cut_before_embedding
from siamese.quantise import halve, quantise_int8, store_halves
from siamese.towers import TOWERS, Tower, make_tower

onnx = pytest.importorskip("onnx", reason="the onnx package is missing")


def lived(name: str) -> Tower:
    """A small tower whose batch norms have statistics of their own."""
    torch.manual_seed(3)
    tower = make_tower(name, input_size={"siamese": 48, "fer_cnn": 20}.get(name, 32)).train()
    with torch.no_grad():
        tower(torch.from_numpy(pixels(tower)))
    return tower.eval()


def pixels(tower: Tower, count: int = 8) -> np.ndarray:
    spec = tower.input_spec
    return np.random.default_rng(1).integers(0, 256, (count, spec.channels, spec.height, spec.width)).astype(np.uint8)


def features(tower: Tower, faces: np.ndarray) -> np.ndarray:
    """What goes into the torch tower's last linear layer."""
    seen: list[torch.Tensor] = []
    layers = [layer for layer in tower.modules() if isinstance(layer, torch.nn.Linear)]
    handles = [layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for layer in layers]
    with torch.inference_mode():
        tower(torch.from_numpy(faces))
    for handle in handles:
        handle.remove()
    return seen[-1].numpy()  # the last that computed


def exported(tower: Tower, folder: Path) -> OnnxEncoder:
    export_onnx(tower, folder / "tower.onnx", EMOTIONS)
    return OnnxEncoder(folder / "tower.onnx")


@pytest.mark.parametrize("name", sorted({*TOWERS, "mobilenet_v2"}))
def test_the_file_gives_what_goes_into_the_last_layer(name: str, tmp_path: Path) -> None:
    tower = lived(name)
    whole = exported(tower, tmp_path)
    cut = OnnxEncoder(cut_before_embedding(whole.model))
    expected = features(tower, pixels(tower))
    found = cut.encode(pixels(tower))
    assert found.shape == expected.shape == (8, cut.embedding_dim)
    assert np.abs(found - expected).max() <= 1e-4 * max(1.0, float(np.abs(expected).max()))
    assert (cut.name, cut.metric, cut.emotions) == (whole.name, whole.metric, whole.emotions)
    assert cut.input_spec == whole.input_spec
    assert cut.fingerprint != whole.fingerprint
    assert OnnxEncoder(cut_before_embedding(whole.model)).fingerprint == cut.fingerprint
    # what is left does not hold the last layer any more
    graph = onnx.load_from_string(cut.model).graph
    assert len(graph.node) < len(onnx.load_from_string(whole.model).graph.node)
    used = {name for node in graph.node for name in node.input}
    assert {weight.name for weight in graph.initializer} <= used
    onnx.checker.check_model(onnx.load_from_string(cut.model))


def test_of_smaller_towers_too(tmp_path: Path) -> None:
    tower = lived("nano")
    whole, faces = exported(tower, tmp_path), pixels(tower, 32)
    expected = features(tower, faces)
    scale = float(np.abs(expected).max())
    for small, close in ((store_halves, 0.01), (halve, 0.01), (lambda model: quantise_int8(model, faces), 0.1)):
        cut = OnnxEncoder(cut_before_embedding(small(whole.model)))
        assert cut.encode(faces) == pytest.approx(expected, abs=close * scale)
        assert cut.embedding_dim == 64


def test_towers_that_end_otherwise_are_refused(tmp_path: Path) -> None:
    tower = lived("nano")
    once = cut_before_embedding(exported(tower, tmp_path).model)
    with pytest.raises(TowerError, match="'nano' does not end in a linear layer"):
        cut_before_embedding(once)
    # a matrix in front of which nothing is computed, and numbers in rows and columns before the last layer
    helper, proto = onnx.helper, onnx.TensorProto
    matrix = onnx.numpy_helper.from_array(np.ones((SIDE, 4), np.float32), "matrix")
    for nodes, words in (
        (
            [
                helper.make_node("Cast", ["pixels"], ["floats"], to=proto.FLOAT),
                helper.make_node("ReduceMean", ["floats"], ["embedding"], axes=[1, 2], keepdims=0),
            ],
            "does not end in a linear layer",
        ),
        (
            [
                helper.make_node("Cast", ["pixels"], ["floats"], to=proto.FLOAT),
                helper.make_node("MatMul", ["floats", "matrix"], ["embedding"]),
            ],
            "not one row",
        ),
    ):
        graph = helper.make_graph(
            nodes,
            "odd",
            [helper.make_tensor_value_info("pixels", proto.UINT8, ["batch", 1, SIDE, SIDE])],
            [helper.make_tensor_value_info("embedding", proto.FLOAT, None)],
            [matrix],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 7
        helper.set_model_props(model, {CARD_KEY: json.dumps(card())})
        with pytest.raises(TowerError, match=words):
            cut_before_embedding(model.SerializeToString())


def test_of_the_tower_that_comes_along() -> None:
    """Real weights: its own last layer, put behind again, gives its vectors."""
    whole = open_shipped().encoder
    cut = OnnxEncoder(cut_before_embedding(whole.model))
    faces = np.random.default_rng(1).integers(0, 256, (8, 1, 48, 48)).astype(np.uint8)
    found = cut.encode(faces)
    assert found.shape == (8, 176)
    assert (found >= 0).all()
    weights = {
        entry.name: onnx.numpy_helper.to_array(entry).astype(np.float64)
        for entry in onnx.load_from_string(whole.model).graph.initializer
    }
    (matrix,) = (value for value in weights.values() if value.shape == (176, 128))
    norm = {part: weights[name] for name in weights for part in ("mean", "var", "weight", "bias") if ends(name, part)}
    vectors = (found @ matrix - norm["mean"]) / np.sqrt(norm["var"] + 1e-5) * norm["weight"] + norm["bias"]
    assert whole.encode(faces) == pytest.approx(vectors, rel=1e-3, abs=1e-3)


def ends(name: str, part: str) -> bool:
    return name.startswith("tower.norm.") and name.split(".half")[0].endswith(part)


def test_a_gallery_is_built_with_it(run: Run, tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", {"angry": 6, "happy": 6, "bored": 6})
    made = tmp_path / "g"
    code, out, err = run(
        "gallery", "build", "--data", faces, "--tower", "pretrained", "--features", "--out", made, "--json"
    )
    assert code == 0, err
    facts = json.loads(out)
    assert facts["carries_tower"]
    assert facts["tower"]["embedding_dim"] == 176
    assert Gallery.load(made).vectors.shape == (18, 176)
    code, out, err = run("query", made, faces / "bored" / "0.png", "-k", 1, "--json")
    assert code == 0, err
    assert json.loads(out)["results"][0]["faces"][0]["emotion"] == "bored"
    code, _, err = run("gallery", "add", made, faces / "bored" / "1.png", "--emotion", "tired")
    assert code == 0, err
    code, _, err = run("gallery", "build", "--data", faces, "--tower", made, "--features", "--out", tmp_path / "no")
    assert code == 2
    assert "does not end in a linear layer" in the_error(err)
    assert not (tmp_path / "no").exists()


def test_few_shots_with_it(run: Run, tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", {"angry": 9, "happy": 9, "bored": 9})
    asked = ("fewshot", "pretrained", "--data", faces, "--shots", 2, "--queries", 4, "--episodes", 4, "--json")
    results = [json.loads(run(*asked, "--enrol", "--against-gallery", *more)[1]) for more in ((), ("--features",))]
    assert [facts["features"] for facts in results] == [False, True]
    assert results[0]["fingerprint"] != results[1]["fingerprint"]
    assert results[0]["results"][0]["heads"]["logistic"] != results[1]["results"][0]["heads"]["logistic"]
    # its own gallery holds the whole tower's vectors, and is asked with them
    assert results[0]["results"][0]["gallery"] == results[1]["results"][0]["gallery"]
    assert results[0]["enrolled"] == results[1]["enrolled"]
    assert results[0]["own_gallery"]["references"] > 1000


def test_a_tower_without_a_gallery_has_none_to_compare_with(run: Run, tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces", {"angry": 9, "happy": 9})
    alone = write_tower(tmp_path / "tower.onnx")
    code, _, err = run("fewshot", alone, "--data", faces, "--shots", 2, "--queries", 4, "--against-gallery")
    assert code == 2
    assert "holds no gallery of its own" in the_error(err)


def test_what_the_tower_was_trained_on_stays_known(tmp_path: Path) -> None:
    taught = Taught("toy", "official", "ab12")
    export_onnx(lived("nano"), tmp_path / "tower.onnx", EMOTIONS, taught=taught)
    model = (tmp_path / "tower.onnx").read_bytes()
    for made in (model, cut_before_embedding(model), store_halves(model)):
        assert OnnxEncoder(made).taught == taught
    assert open_shipped().encoder.taught.data == open_shipped().card["data"]["name"]
