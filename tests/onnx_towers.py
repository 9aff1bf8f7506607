"""Tiny ONNX towers for tests: one matrix product from pixels to vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import pytest

SIDE = 8
DIM = 4


def card(**changes: Any) -> Dict[str, Any]:
    """A tower's card as ``emotions export`` writes it."""
    made: Dict[str, Any] = {
        "tower": "tiny",
        "input": {"height": SIDE, "width": SIDE, "channels": 1, "interpolation": "auto"},
        "embedding_dim": DIM,
        "fingerprint": "ab" * 16,
        "metric": "cosine",
        "emotions": ["anger", "fear"],
    }
    made.update(changes)
    return made


def weights() -> np.ndarray:
    """The matrix of the tiny tower, float32 (SIDE * SIDE, DIM)."""
    return np.random.default_rng(5).standard_normal((SIDE * SIDE, DIM)).astype(np.float32)


def write_tower(
    path: Path, metadata: Optional[str] = "", input_name: str = "pixels", out_dim: int = DIM, opset: int = 13
) -> Path:
    """Write an ONNX tower; ``metadata`` replaces its card's text, None leaves the card out."""
    onnx = pytest.importorskip("onnx", reason="the onnx package is missing (pip install onnx)")
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", [input_name], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(input_name, TensorProto.UINT8, ["batch", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", out_dim])],
        [numpy_helper.from_array(np.resize(weights(), (SIDE * SIDE, out_dim)), "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 7
    if metadata is not None:
        helper.set_model_props(model, {"emotions.card": metadata or json.dumps(card())})
    onnx.save(model, str(path))
    return path
