"""A tower from its ONNX file, to train on from or to learn from: the way back of :mod:`siamese.export`.

Batch norm is folded into the convolutions there, so it comes back as one that changes nothing. :func:`settle_norms`
gives it the statistics of pictures again, without which the first step of training would tear the tower apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from galleries.errors import TowerError, first_line, require
from siamese.towers import CompactStraightTower, Tower, make_tower
from siamese.towers.compact import PooledTower

Array = NDArray[np.float32]


def restore(model: bytes, input_spec: Any, name: str) -> PooledTower:
    """The tower of an ONNX file that :func:`siamese.export.export_onnx` wrote, its weights stored in any float format.

    Args:
        model: The file's bytes.
        input_spec: The pixels it takes, as its card says.
        name: Its architecture: ``compact``, ``compact_wide``, ``compact_straight`` or ``nano``.

    Returns:
        The tower in evaluation mode: the same vectors to rounding, for any pictures.

    Raises:
        MissingExtra: The ``onnx`` package is missing (extra ``train``).
        TowerError: It is of another architecture, or its weights do not fit.
    """
    onnx = require("onnx", "train")
    graph = onnx.load_from_string(model).graph
    known: dict[str, Array] = {
        entry.name: onnx.numpy_helper.to_array(entry).astype(np.float32) for entry in graph.initializer
    }
    for node in graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in known:  # stored as float16, or once for several
            known[node.output[0]] = known[node.input[0]]

    def weights_of(*kinds: str) -> list[list[Array]]:
        return [[known[name] for name in node.input if name in known] for node in graph.node if node.op_type in kinds]

    weights, ends = weights_of("Conv"), weights_of(*_ENDS)
    dim = int(ends[-1][0].shape[0]) if ends else 1
    tower = make_tower(name, input_spec, embedding_dim=dim)
    if not isinstance(tower, PooledTower):
        raise TowerError(f"A {name} tower cannot be trained on from its ONNX file; give a run's folder.")
    pairs = _convolutions(tower)
    try:
        if len(pairs) != len(weights):
            raise ValueError(f"{len(weights)} convolutions, not {len(pairs)}")
        with torch.no_grad():
            for (convolution, norm), (kernel, bias) in zip(pairs, weights):
                convolution.weight.copy_(_same(kernel, convolution.weight))
                norm.state_dict()["running_var"].fill_(1 - norm.eps)
                norm.bias.copy_(_same(bias, norm.bias))
            (linear,), norms = ends
            tower.embedding.weight.copy_(_same(linear.T, tower.embedding.weight))
            for key, value in zip(("weight", "bias", "running_mean", "running_var"), norms):
                own = tower.norm.state_dict()[key]
                own.copy_(_same(value, own))
            if isinstance(tower, CompactStraightTower):
                linears = [layer for layer in tower.straightener.modules() if isinstance(layer, nn.Linear)]
                for layer, (kernel, bias) in zip(linears, weights_of("Gemm")):
                    layer.weight.copy_(_same(kernel, layer.weight))
                    layer.bias.copy_(_same(bias, layer.bias))
    except ValueError as error:
        raise TowerError(
            f"The ONNX file does not hold a {name} tower ({first_line(error)}); export it anew."
        ) from error
    return tower.eval()


_ENDS = ("MatMul", "BatchNormalization")
"""What is left unfolded: the linear layer to the embedding, and the batch norm after it."""


def _convolutions(tower: PooledTower) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions with the batch norms that follow them, in the order in which they compute."""
    first = tower.straightener if isinstance(tower, CompactStraightTower) else nn.Identity()
    layers = [layer for part in (first, tower.blocks) for layer in part.modules()]
    layers = [layer for layer in layers if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d))]
    pairs = list(zip(layers[::2], layers[1::2]))
    return [(a, b) for a, b in pairs if isinstance(a, nn.Conv2d) and isinstance(b, nn.BatchNorm2d)]


def _same(value: Array, own: Tensor) -> Tensor:
    if tuple(value.shape) != tuple(own.shape):
        raise ValueError(f"weights of the shape {tuple(value.shape)}, not {tuple(own.shape)}")
    return torch.from_numpy(np.array(value))


def settle_norms(tower: Tower, batches: Iterable[Tensor]) -> None:
    """Give each batch norm of a tower's convolutions the statistics of pictures, and leave its vectors as they are.

    A norm's scale and shift are chosen anew so that with the new mean and variance it computes what it did before.

    Args:
        tower: Changed in place; put in evaluation mode.
        batches: uint8 or float (B, C, H, W); some thousand pictures do.
    """
    norms = [layer for layer in tower.modules() if isinstance(layer, nn.BatchNorm2d)]
    nothing = torch.zeros((), dtype=torch.float64)
    sums: dict[nn.Module, tuple[int, Tensor, Tensor]] = dict.fromkeys(norms, (0, nothing, nothing))

    def add(layer: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        values = inputs[0].double()
        size, total, squares = sums[layer]
        size += values.numel() // values.shape[1]
        # (B, C, h, w) -> (C,)
        sums[layer] = (size, total + values.sum((0, 2, 3)), squares + values.square().sum((0, 2, 3)))

    handles = [layer.register_forward_hook(add) for layer in norms]
    tower.eval()
    try:
        with torch.no_grad():
            for pixels in batches:
                tower(pixels)
            for layer in norms:
                size, total, squares = sums[layer]
                if size:
                    _settle(layer, total / size, squares / size)
    finally:
        for handle in handles:
            handle.remove()


def _settle(layer: nn.BatchNorm2d, mean: Tensor, square: Tensor) -> None:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    slope = layer.weight.double() / (layer.running_var.double() + layer.eps).sqrt()
    start = layer.bias.double() - slope * layer.running_mean.double()
    variance = (square - mean.square()).clamp_min(0)
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)
    layer.weight.copy_(slope * (variance + layer.eps).sqrt())
    layer.bias.copy_(start + slope * mean)
