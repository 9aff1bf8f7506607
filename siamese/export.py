"""A tower as an ONNX file: uint8 pixels in, vectors out, checked against PyTorch on the spot."""

from __future__ import annotations

import copy
import io
import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from galleries.atomic import write_bytes
from galleries.encoder import CARD_KEY, OnnxEncoder
from galleries.errors import TowerError, require
from galleries.tower_card import Taught
from siamese.towers import Tower

OPSET = 17
"""The newest opset that TensorRT 8.5 (JetPack 5) takes."""

TOLERANCE = 1e-4
"""Largest difference of a vector's coordinate from PyTorch's, as a share of the vectors' largest coordinate."""

_NOTHING = 1e-12
"""Share of an array's largest weight below which one adds nothing to a float32 sum."""


class _Exported(nn.Module):
    """A tower as the exporter sees it."""

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        vectors: Tensor = self.tower(pixels)
        return vectors


def tower_card(tower: Tower, emotions: Sequence[str], taught: Taught | None = None) -> dict[str, Any]:
    """What an exported tower says of itself."""
    return {
        "tower": tower.name,
        "input": tower.input_spec.to_json(),
        "embedding_dim": tower.embedding_dim,
        "fingerprint": tower.fingerprint,
        "metric": tower.metric,
        "emotions": list(emotions),
        **({} if taught is None else {"taught": asdict(taught)}),
    }


def export_onnx(
    tower: Tower,
    path: str | Path,
    emotions: Sequence[str],
    samples: NDArray[np.uint8] | None = None,
    taught: Taught | None = None,
) -> float:
    """Write a tower as ONNX (opset 17, dynamic batch, batch norm folded into convolutions) and compare it with PyTorch.

    Weights that add nothing are written as zeros: those of channels that died in training shrink until they are too
    small for normal floats, with which a processor computes many times slower.

    Args:
        tower: The tower; it is not changed.
        path: The file to write, atomically.
        emotions: Names of the emotions it was trained on, for its card.
        samples: uint8 (B, C, H, W) faces to compare on; random pixels by default.
        taught: What it was trained on (:func:`siamese.split_file.taught_by`), for its card; None leaves that open.

    Returns:
        Largest absolute difference of a coordinate from PyTorch's.

    Raises:
        TowerError: The architecture cannot be exported, or the two differ by more than rounding.
        EmotionsError: The file cannot be written.
    """
    spec = tower.input_spec
    still = copy.deepcopy(tower).cpu().eval().to(memory_format=torch.contiguous_format)
    if samples is None or not len(samples):
        shape = (4, spec.channels, spec.height, spec.width)
        samples = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = _finished(_convert(still, samples[:2]), tower_card(tower, emotions, taught))
    with torch.inference_mode():
        expected = still(torch.from_numpy(samples)).numpy()
    difference = float(np.abs(OnnxEncoder(data, providers=["cpu"]).encode(samples) - expected).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise TowerError(
            f"The exported {tower.name} tower differs from PyTorch's by {difference:.2g}; it was not written."
        )
    write_bytes(path, data)
    return difference


def _convert(tower: Tower, example: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    require("onnx", "train")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter announces its own future and comments on every trace
            torch.onnx.export(
                _Exported(tower).eval(),
                (torch.from_numpy(example),),
                buffer,  # type: ignore[arg-type]
                input_names=["pixels"],
                output_names=["embedding"],
                dynamic_axes={"pixels": {0: "batch"}, "embedding": {0: "batch"}},
                opset_version=OPSET,
                do_constant_folding=True,
                dynamo=False,
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise TowerError(f"The {tower.name} tower cannot be exported ({str(error).splitlines()[0]}).") from error
    return buffer.getvalue()


def _finished(data: bytes, card: dict[str, Any]) -> bytes:
    """The file with its card, and with zeros for weights that add nothing."""
    onnx = require("onnx", "train")
    model = onnx.load_from_string(data)
    for known in model.graph.initializer:
        weights = onnx.numpy_helper.to_array(known)
        if weights.dtype == np.float32 and weights.size:
            least = float(np.finfo(np.float32).tiny)
            if weights.ndim > 1:
                least = max(least, _NOTHING * float(np.abs(weights).max()))
            cleared = np.where(np.abs(weights) < least, np.float32(0), weights)
            known.CopyFrom(onnx.numpy_helper.from_array(cleared, known.name))
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, json.dumps(card)
    serialised: bytes = model.SerializeToString()
    return serialised
