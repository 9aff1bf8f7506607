"""A tower whose vectors use their directions more evenly: what a few shots of other people and emotions need.

Training with few classes leaves nearly all of a vector's length in about as many directions as there are classes; what
else a tower sees, and what other emotions would need, is there but small. Whitening (Jégou and Chum, "Negative
evidences and co-occurences in image retrieval: The benefit of PCA and whitening", 2012) makes all directions equally
large; a power says how far to go. It is one matrix after the tower, so a gallery, a device and every command use it as
they use any tower.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

from galleries.encoder import CARD_KEY
from galleries.errors import ConfigError, DataError, require
from galleries.vectors import usable

POWER = 0.5
"""How far to whiten unless told otherwise.

Of 0, 0.25, 0.5, 0.75 and 1 it is the best on AffectNet (8,161 pictures of its validation and test parts, 8 emotions, 5
shots) with recipe ``shipped``'s tower: 42.3 % by vote, as 0.25, and 45.5 % by the nearest mean, where 0 gives 41.9 and
44.5 %: ``emotions fewshot SHIPPED --data YOLO_format --ways all --shots 5 --whiten 0.5``.
"""

_SMALLEST = 1e-6  # of the largest eigenvalue: smaller ones are noise, and are enlarged no further


def check_power(power: float) -> None:
    """Refuse a power outside 0-1.

    Raises:
        ConfigError: It is.
    """
    if not 0 <= power <= 1:
        raise ConfigError(f"--whiten {power:g} was given; give 0 (as it is) to 1 (all directions equal), such as 0.5.")


def whitening_matrix(vectors: NDArray[np.float32], metric: str, power: float = POWER) -> NDArray[np.float32]:
    """The matrix that whitens vectors: their second moment, to the power of ``-power / 2``.

    Nothing is subtracted, so that under cosine it may be applied to vectors of any length.

    Args:
        vectors: float32 (N, D), at least twice as many as D, of faces like those the tower learned from.
        metric: ``"cosine"`` (they count by their direction) or ``"euclidean"``.
        power: 0 (no change) to 1 (a second moment of one in every direction).

    Returns:
        float32 (D, D), symmetric; ``vectors @ matrix`` have on average the squared length they had.

    Raises:
        ConfigError: A power outside 0-1.
        DataError: Too few vectors.
    """
    check_power(power)
    count, dim = vectors.shape
    if count < 2 * dim:
        raise DataError(
            f"{count} vectors are too few to whiten {dim} directions; take a tower whose gallery has {2 * dim} or more."
        )
    ready = usable(vectors, metric).astype(np.float64)
    moment = ready.T @ ready / count  # (D, D)
    values, directions = np.linalg.eigh(moment)
    scaled = np.maximum(values, values.max() * _SMALLEST) ** (-power / 2)
    matrix = (directions * scaled) @ directions.T
    matrix *= np.sqrt(np.trace(moment) / np.trace(matrix @ moment @ matrix))
    found: NDArray[np.float32] = matrix.astype(np.float32)
    return found


def whiten(model: bytes, matrix: NDArray[np.float32], power: float) -> bytes:
    """A tower's ONNX file with a matrix after it.

    Args:
        model: The ONNX file's bytes, with a tower's card.
        matrix: float32 (D, D) of :func:`whitening_matrix`.
        power: For the card.

    Returns:
        The whitened tower's file: the same input and length of vectors, a fingerprint of its own.

    Raises:
        MissingExtra: The ``onnx`` package is missing (extra ``train``).
    """
    onnx = require("onnx", "train")
    tower = onnx.load_from_string(model)
    output = tower.graph.output[0].name
    plain = f"{output}.plain"
    for node in tower.graph.node:
        node.output[:] = [plain if name == output else name for name in node.output]
        node.input[:] = [plain if name == output else name for name in node.input]
    tower.graph.initializer.append(onnx.numpy_helper.from_array(matrix, f"{output}.whitening"))
    tower.graph.node.append(onnx.helper.make_node("MatMul", [plain, f"{output}.whitening"], [output]))
    card = json.loads({entry.key: entry.value for entry in tower.metadata_props}[CARD_KEY])
    card["made_from"] = card["fingerprint"]
    card["whitened"] = power
    card["fingerprint"] = hashlib.blake2b(card["made_from"].encode() + matrix.tobytes(), digest_size=16).hexdigest()
    onnx.helper.set_model_props(tower, {CARD_KEY: json.dumps(card)})
    data: bytes = tower.SerializeToString()
    return data
