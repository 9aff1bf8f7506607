"""A tower that looks at the middle of a picture: for faces that are cut out more widely than those it learned from.

FER-2013's faces fill their pictures. Where others leave more around them, a tower sees every face smaller than it is
used to. A tower that looks closer takes larger pictures and sees their middle, at the size that it learned from. It is
the same ONNX file with one step in front, so a gallery, a device and every command use it as they use any tower.
"""

from __future__ import annotations

import numpy as np

from galleries.errors import ConfigError, require
from siamese.derived import read_card, with_own_card

LARGEST = 2.0
"""How much closer a tower may look at most."""


def check_closer(times: float) -> None:
    """Refuse a number outside 1-2.

    Raises:
        ConfigError: It is.
    """
    if not 1 <= times <= LARGEST:
        raise ConfigError(
            f"--closer {times:g} was given; give 1 (the whole picture) to {LARGEST:g} (its middle half), such as 1.25."
        )


def look_closer(model: bytes, times: float) -> bytes:
    """A tower's ONNX file that takes larger pictures and looks at their middle.

    Args:
        model: The ONNX file's bytes, with a tower's card.
        times: How many times larger, 1-2; rounded to what leaves as many pixels on either side.

    Returns:
        The file of a tower with larger input, vectors as long and a fingerprint of its own; the same bytes if the input
        stays as it is.

    Raises:
        ConfigError: A number outside 1-2.
        MissingExtra: The ``onnx`` package is missing (extra ``train``).
    """
    check_closer(times)
    onnx = require("onnx", "train")
    tower = onnx.load_from_string(model)
    card = read_card(tower)
    sides = [int(card["input"]["height"]), int(card["input"]["width"])]
    edges = [round(side * (times - 1) / 2) for side in sides]
    if not any(edges):
        return model
    graph = tower.graph
    middle = "pixels.middle"
    for node in graph.node:
        node.input[:] = [middle if name == "pixels" else name for name in node.input]
    corners = {
        "starts": edges,
        "ends": [edge + side for edge, side in zip(edges, sides)],
        "axes": [2, 3],
    }
    for name, values in corners.items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(values, np.int64), f"{middle}.{name}"))
    graph.node.insert(
        0, onnx.helper.make_node("Slice", ["pixels", *(f"{middle}.{name}" for name in corners)], [middle])
    )
    height, width = (side + 2 * edge for side, edge in zip(sides, edges))
    shape = ["batch", int(card["input"]["channels"]), height, width]
    graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("pixels", onnx.TensorProto.UINT8, shape))
    return with_own_card(tower, card, closer=times, input={**card["input"], "height": height, "width": width})
