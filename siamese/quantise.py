"""A smaller tower for a device: static int8 and float16, made from a tower's ONNX file.

The int8 way is that of B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-
Only Inference" (2018), after training: scales of the weights a channel, of the activations a tensor, the latter from
the values that real faces cause (calibration). ONNX Runtime's ``quantization`` writes them as QuantizeLinear and
DequantizeLinear pairs, symmetric, as TensorRT wants them. A smaller tower gives other vectors, so it has a fingerprint
of its own and needs a gallery of its own vectors.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galleries.errors import TowerError, first_line, require
from siamese.derived import read_card, with_own_card

PRECISIONS = ("float32", "float16", "int8")

_BATCH = 32
_WORTH_HALVING = 64
"""Weights in an array from which on :func:`store_halves` stores them as float16."""

_KINDS = ("Conv", "MatMul", "Gemm", "Add", "Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat")
"""What is computed in int8; scaling the pixels and the end of a tower stay as they are."""


def quantise_int8(model: bytes, faces: NDArray[np.uint8]) -> bytes:
    """Make the int8 tower of a float32 one.

    Args:
        model: The ONNX file's bytes, with a tower's card.
        faces: uint8 (N, C, H, W) prepared training pictures to calibrate on; some hundreds do.

    Returns:
        The int8 tower's ONNX file: the same input and output, its own fingerprint.

    Raises:
        MissingExtra: The ``onnx`` package is missing (extra ``train``).
        TowerError: There are no faces, or the tower cannot be quantised.
    """
    onnx = require("onnx", "train")
    quantization = require("onnxruntime.quantization", "train")
    if not len(faces):
        raise TowerError("Int8 needs training pictures to calibrate on and was given none; export without --int8.")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        """Feeds the faces in batches."""

        def __init__(self) -> None:
            self.batches = iter(np.array_split(faces, range(_BATCH, len(faces), _BATCH)))

        def get_next(self) -> Any:
            """The next batch, or None."""
            batch = next(self.batches, None)
            return None if batch is None else {"pixels": np.ascontiguousarray(batch)}

    with _quietly(), tempfile.TemporaryDirectory(prefix="emotions-") as folder:
        source, target = Path(folder, "tower.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(model)
        try:
            quantization.quantize_static(
                str(source),
                str(target),
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(_KINDS),
                per_channel=True,
                reduce_range=True,
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
                extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
            )
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise TowerError(f"The tower cannot be quantised ({first_line(error)}); export without --int8.") from error
        return with_own_card(onnx.load(str(target)), read_card(onnx.load_from_string(model)), precision="int8")


def halve(model: bytes) -> bytes:
    """Make the float16 tower of a float32 one: half the file, and quick where a GPU computes in float16.

    Args:
        model: The ONNX file's bytes, with a tower's card.

    Returns:
        The float16 tower's ONNX file: uint8 pixels in, float32 vectors out, its own fingerprint.

    Raises:
        MissingExtra: The ``onnx`` package is missing (extra ``train``).
        TowerError: The tower cannot be converted.
    """
    onnx = require("onnx", "train")
    float16 = require("onnxruntime.transformers.float16", "train")
    with _quietly():
        try:
            tower = onnx.load_from_string(model)
            card = read_card(tower)
            small = float16.convert_float_to_float16(tower, keep_io_types=True)
        except Exception as error:  # onnx's exceptions share no public base class
            raise TowerError(f"The tower has no float16 form ({first_line(error)}); export without --fp16.") from error
        return with_own_card(small, card, precision="float16")


def store_halves(model: bytes) -> bytes:
    """Make a tower whose weights are stored as float16 and computed with as float32: half the file, the same speed.

    ONNX Runtime widens them once, when the tower is opened. Small arrays, such as the pixels' mean, stay as they are.

    Args:
        model: The ONNX file's bytes, with a tower's card.

    Returns:
        The smaller file: the same input and output, its own fingerprint.

    Raises:
        MissingExtra: The ``onnx`` package is missing (extra ``train``).
        TowerError: A weight is too large for float16.
    """
    onnx = require("onnx", "train")
    small = onnx.load_from_string(model)
    casts = []
    for entry in small.graph.initializer:
        weights = onnx.numpy_helper.to_array(entry)
        if weights.dtype != np.float32 or weights.size < _WORTH_HALVING:
            continue
        with np.errstate(over="ignore"):
            halves = weights.astype(np.float16)
        if not np.isfinite(halves).all():
            raise TowerError(f"The weights {entry.name} reach {np.abs(weights).max():.3g}, too much for float16.")
        name = entry.name
        entry.CopyFrom(onnx.numpy_helper.from_array(halves, f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *small.graph.node]
    del small.graph.node[:]
    small.graph.node.extend(nodes)
    return with_own_card(small, read_card(small), precision="float16")


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep the advice of ONNX Runtime's tools, which is for their developers, off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
