"""A smaller tower gives nearly the same vectors, under a name of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict

import numpy as np
import pytest

pytest.importorskip("torch", reason="the learning part is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra [train])")

import torch  # noqa: E402 - only where it is installed

from galleries.encoder import CARD_KEY, OnnxEncoder  # noqa: E402
from galleries.errors import MissingExtra, TowerError  # noqa: E402
from siamese.export import export_onnx  # noqa: E402
from siamese.quantise import halve, quantise_int8, store_halves  # noqa: E402
from siamese.towers import make_tower  # noqa: E402

SIDE = 32
NAMES = ("compact", "liexnet")


def faces(name: str, count: int = 24) -> np.ndarray:
    """Smooth random pictures, which are more like faces than noise is."""
    rng = np.random.default_rng(3)
    channels = make_tower(name, input_size=SIDE).input_spec.channels
    coarse = rng.integers(0, 256, (count, channels, 5, 5)).astype(np.float32)
    large = torch.nn.functional.interpolate(torch.from_numpy(coarse), size=(SIDE, SIDE), mode="bilinear")
    return large.numpy().astype(np.uint8)


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, bytes]:
    """Exported towers, their batch norms settled."""
    made = {}
    for name in NAMES:
        torch.manual_seed(1)
        tower = make_tower(name, input_size=SIDE)
        pixels = torch.from_numpy(faces(name))
        for part in tower.modules():
            if hasattr(part, "momentum"):
                part.momentum = 1.0  # the statistics of these pictures, so that vectors differ as trained ones do
        tower.train()
        with torch.no_grad():
            tower(pixels)
        path = tmp_path_factory.mktemp("towers") / "tower.onnx"
        export_onnx(tower, path, ("anger", "fear"))
        made[name] = path.read_bytes()
    return made


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """The mean cosine of vectors that belong together, around their common mean."""
    a, b = a - a.mean(0), b - a.mean(0)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return float(cosine.mean())


@pytest.mark.parametrize("name", NAMES)
def test_int8_gives_nearly_the_same_vectors(towers: Dict[str, bytes], name: str, capfd: pytest.CaptureFixture) -> None:
    whole = OnnxEncoder(towers[name], ["cpu"], 1)
    small = OnnxEncoder(quantise_int8(towers[name], faces(name)), ["cpu"], 1)
    like = likeness(whole.encode(faces(name)), small.encode(faces(name)))
    assert like > {"compact": 0.9, "liexnet": 0.6}[name]  # untrained; a trained tower is judged by its accuracy
    assert (small.name, small.input_spec, small.metric) == (whole.name, whole.input_spec, whole.metric)
    assert (small.precision, whole.precision) == ("int8", "float32")
    assert name != "compact" or len(small.model) < 0.5 * len(whole.model)  # LiExNet is 40 kB, mostly names
    kinds = [node.op_type for node in onnx.load_from_string(small.model).graph.node]
    assert "DequantizeLinear" in kinds
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize("name", NAMES)
def test_float16_gives_the_same_vectors_but_for_rounding(towers: Dict[str, bytes], name: str) -> None:
    whole = OnnxEncoder(towers[name], ["cpu"], 1)
    small = OnnxEncoder(halve(towers[name]), ["cpu"], 1)
    vectors = small.encode(faces(name))
    assert vectors.dtype == np.float32
    assert likeness(whole.encode(faces(name)), vectors) > 0.99
    assert small.precision == "float16"
    assert len(small.model) < (0.6 if name == "compact" else 0.8) * len(whole.model)


def test_a_smaller_tower_is_symmetric_and_has_an_opset_that_a_jetson_takes(towers: Dict[str, bytes]) -> None:
    model = onnx.load_from_string(quantise_int8(towers["compact"], faces("compact")))
    values = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            assert values[node.input[2]].dtype == np.int8
            assert not values[node.input[2]].any()
    assert {entry.domain: entry.version <= 17 for entry in model.opset_import if entry.domain == ""} == {"": True}


def test_it_has_a_fingerprint_of_its_own_that_its_weights_decide(towers: Dict[str, bytes]) -> None:
    whole = OnnxEncoder(towers["compact"], ["cpu"], 1)
    found = [quantise_int8(towers["compact"], faces("compact", count)) for count in (24, 24, 5)]
    half = halve(towers["compact"])
    prints = [OnnxEncoder(data, ["cpu"], 1).fingerprint for data in (*found, half)]
    assert prints[0] == prints[1]
    assert len({whole.fingerprint, *prints}) == 4
    (entry,) = (e for e in onnx.load_from_string(half).metadata_props if e.key == CARD_KEY)
    assert json.loads(entry.value)["made_from"] == whole.fingerprint


def test_without_faces(towers: Dict[str, bytes]) -> None:
    with pytest.raises(TowerError, match="training pictures to calibrate on"):
        quantise_int8(towers["compact"], faces("compact")[:0])


def test_a_tower_that_cannot_be_quantised_is_told(towers: Dict[str, bytes]) -> None:
    with pytest.raises(TowerError, match=r"cannot be quantised .* without --int8"):
        quantise_int8(towers["compact"], faces("compact")[:, :, :7, :7].astype(np.float32))


def test_without_onnx(towers: Dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    for make in (lambda: quantise_int8(towers["compact"], faces("compact")), lambda: halve(towers["compact"])):
        with pytest.raises(MissingExtra, match=r"siamese-emotions\[train\]"):
            make()


@pytest.mark.parametrize("name", NAMES)
def test_weights_stored_as_halves_are_computed_with_as_floats(name: str, towers: Dict[str, bytes]) -> None:
    before, after = OnnxEncoder(towers[name]), OnnxEncoder(store_halves(towers[name]))
    shown = faces(name)
    expected, found = before.encode(shown), after.encode(shown)
    assert np.abs(found - expected).max() <= 0.01 * np.abs(expected).max()
    assert not np.array_equal(found, expected)
    assert (after.precision, after.name, after.emotions) == ("float16", before.name, before.emotions)
    assert after.fingerprint != before.fingerprint
    assert after.fingerprint == OnnxEncoder(store_halves(towers[name])).fingerprint
    if name == "compact":
        assert len(after.model) < 0.55 * len(before.model)
    weights = {entry.name: entry for entry in onnx.load_from_string(after.model).graph.initializer}
    rounded = {key[: -len(".half")] for key in weights if key.endswith(".half")}
    for entry in onnx.load_from_string(towers[name]).graph.initializer:
        values = onnx.numpy_helper.to_array(entry)
        kept = weights[f"{entry.name}.half" if entry.name in rounded else entry.name]
        expected = values.astype(np.float16) if entry.name in rounded else values
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(kept), expected)


def test_a_weight_that_no_half_can_hold_is_refused(towers: Dict[str, bytes]) -> None:
    model = onnx.load_from_string(towers["compact"])
    entry = next(entry for entry in model.graph.initializer if len(entry.raw_data) > 1000)
    values = onnx.numpy_helper.to_array(entry).copy()
    values.flat[0] = 1e6
    entry.CopyFrom(onnx.numpy_helper.from_array(values, entry.name))
    with pytest.raises(TowerError, match="too much for float16"):
        store_halves(model.SerializeToString())
