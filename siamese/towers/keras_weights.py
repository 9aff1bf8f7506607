"""Weights that were published for Keras, brought into a tower by their order and shape.

The authors of LiExNet published theirs as an HDF5 file. With that file at hand::

    from siamese.towers import make_tower
    from siamese.towers.keras_weights import load_keras_arrays, read_keras_h5

    tower = make_tower("liexnet")
    head = tower.make_head(7)
    load_keras_arrays(tower, head, read_keras_h5("LiExNetV2ME.h5"))
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from galleries.errors import TowerError, require
from siamese.towers.base import Tower


def read_keras_h5(path: str | Path) -> list[NDArray[np.float32]]:
    """Read the arrays of a Keras HDF5 file in the order of its layers. Runs nothing that the file may hold.

    Args:
        path: A whole saved model (its weights are in ``model_weights``) or a file of weights alone.

    Returns:
        Per layer: a convolution's kernel (kh, kw, in, out) and bias; a depthwise one's kernel (kh, kw, in, 1) and
        bias; batch norm's gamma, beta, moving mean and moving variance; a dense layer's kernel (in, out) and bias.
        All float32.

    Raises:
        MissingExtra: h5py is not installed.
        TowerError: The file is missing, damaged, or no Keras file.
    """
    path = Path(path)
    h5py = require("h5py", "train")
    if not path.is_file():
        raise TowerError(f"{path} does not exist; give the path of a Keras .h5 file.")
    try:
        with h5py.File(path, "r") as file:
            group = file.get("model_weights", file)
            return [np.asarray(array[()], np.float32) for array in _arrays(group)]
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, MemoryError) as error:
        raise TowerError(f"{path} cannot be read as a Keras .h5 file ({error}); get a good copy.") from error


def _arrays(group: Any) -> Iterator[Any]:
    for layer in group.attrs["layer_names"]:
        inner = group[_text(layer)]
        for name in inner.attrs["weight_names"]:
            yield inner[_text(name)]


def _text(name: Any) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else str(name)


def load_keras_arrays(tower: Tower, head: nn.Module | None, arrays: Sequence[NDArray[Any]]) -> None:
    """Put Keras' arrays into a tower and its head, layer by layer; nothing is changed if one does not fit.

    The tower's layers must be registered in the order in which they compute, as LiExNet's are, and convolutions must
    not be followed by a flattening, whose order differs between the two.

    Args:
        tower: Changed in place.
        head: Changed in place; None where the arrays end with the embedding.
        arrays: As :func:`read_keras_h5` gives them.

    Raises:
        TowerError: There are too few or too many arrays, or one is of another shape.
    """
    slots = [slot for module in (tower, head) if module is not None for slot in _slots(module)]
    if len(slots) != len(arrays):
        raise TowerError(
            f"The {tower.name} tower{' with its head' if head is not None else ''} takes {len(slots)} Keras arrays and "
            f"was given {len(arrays)}; the weights belong to another network."
        )
    brought = []
    for position, ((name, target, axes), array) in enumerate(zip(slots, arrays)):
        value = np.asarray(array, np.float32)
        if value.ndim != len(axes) or value.transpose(axes).shape != tuple(target.shape):
            raise TowerError(
                f"Keras array {position + 1} has the shape {value.shape}, which does not fit {name} "
                f"{tuple(target.shape)} of the {tower.name} tower; the weights belong to another network."
            )
        if not np.isfinite(value).all():
            raise TowerError(f"Keras array {position + 1}, for {name}, holds numbers that are not finite.")
        brought.append((target, np.ascontiguousarray(value.transpose(axes))))
    with torch.no_grad():
        for target, value in brought:
            target.copy_(torch.from_numpy(value))


def _slots(module: nn.Module) -> Iterator[tuple[str, Tensor, tuple[int, ...]]]:
    """Name, tensor, and the order of the Keras array's axes that gives PyTorch's, in Keras' order of arrays."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d):
            depthwise = layer.groups == layer.in_channels and layer.groups > 1
            # (kh, kw, in, 1) -> (in, 1, kh, kw), or (kh, kw, in, out) -> (out, in, kh, kw)
            yield f"{name}.weight", layer.weight, (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        elif isinstance(layer, nn.Linear):
            yield f"{name}.weight", layer.weight, (1, 0)  # (in, out) -> (out, in)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            yield f"{name}.weight", layer.weight, (0,)
            yield f"{name}.bias", layer.bias, (0,)
            yield f"{name}.running_mean", layer.running_mean, (0,)
            yield f"{name}.running_var", layer.running_var, (0,)
            continue
        else:
            continue
        if layer.bias is not None:
            yield f"{name}.bias", layer.bias, (0,)
