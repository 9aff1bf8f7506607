"""A tower that gives what it sees before its last linear layer: for few shots of other people and emotions.

The last layer is trained to tell the training's emotions apart and drops what does not serve that; what goes into it
carries over better, as T. Chen, Kornblith, Norouzi and Hinton found of the layer before a contrastive loss ("A Simple
Framework for Contrastive Learning of Visual Representations", 2020).
It is the same ONNX file with its end taken off, so a gallery, a device and every command use it as they use any tower.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from galleries.errors import TowerError, require
from galleries.providers import open_session
from siamese.derived import read_card, with_own_card

_LINEAR = ("Gemm", "MatMul")
_AFTER = ("Add", "BatchNormalization", "Cast", "DequantizeLinear", "Mul", "QuantizeLinear", "Relu")
"""What may stand between the last linear layer and the vectors: it works on every number of them by itself."""


def cut_before_embedding(model: bytes) -> bytes:
    """A tower's ONNX file without its last linear layer and what follows it.

    Args:
        model: The ONNX file's bytes, with a tower's card.

    Returns:
        The file of a tower with the same input and metric, vectors as long as what went into that layer, and a
        fingerprint of its own.

    Raises:
        TowerError: The tower does not end in a linear layer.
        MissingExtra: The ``onnx`` package is missing (extra ``train``).
    """
    onnx = require("onnx", "train")
    tower = onnx.load_from_string(model)
    graph = tower.graph
    card = read_card(tower)
    made_by = {output: node for node in graph.node for output in node.output}
    output = graph.output[0].name
    features = _into_the_last_layer(made_by, output, str(card.get("tower")))
    needed = _needed(made_by, features)
    kept = [node for node in graph.node if any(output in needed for output in node.output)]
    kept.append(onnx.helper.make_node("Cast", [features], [output], to=onnx.TensorProto.FLOAT))
    del graph.node[:]
    graph.node.extend(kept)
    weights = [weight for weight in graph.initializer if weight.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    del graph.value_info[:]
    graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None))
    dim = _length(tower.SerializeToString(), card)
    graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["batch", dim]))
    return with_own_card(tower, card, layer="features", embedding_dim=dim)


def _into_the_last_layer(made_by: dict[str, Any], name: str, tower: str) -> str:
    """The name of what goes into the last linear layer, found from the vectors back."""
    while name in made_by:
        node = made_by[name]
        if node.op_type in _LINEAR and node.input[0] in made_by:
            return str(node.input[0])
        if node.op_type not in _AFTER:
            break
        name = node.input[0]
    raise TowerError(
        f"Tower {tower!r} does not end in a linear layer, so there is nothing before it to take; use its vectors as "
        "they are."
    )


def _needed(made_by: dict[str, Any], name: str) -> set[str]:
    """The names of all that a value is computed from, with its own."""
    found, waiting = set(), [name]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name in made_by:
            waiting += made_by[name].input
    return found


def _length(model: bytes, card: dict[str, Any]) -> int:
    """How long the vectors are, by one blank picture."""
    side = card["input"]
    blank = np.zeros((1, side["channels"], side["height"], side["width"]), np.uint8)
    shape = open_session(model, "the tower", ["cpu"], 1).run(None, {"pixels": blank})[0].shape
    if len(shape) != 2:
        raise TowerError(
            f"Tower {card.get('tower')!r} gives {shape[1:]} numbers a face before its last layer, not one row of them; "
            "use its vectors as they are."
        )
    return int(shape[1])
