"""What every tower is: a network from uint8 pixels to one embedding vector a face."""

from __future__ import annotations

import hashlib
from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galleries.errors import TowerError
from galleries.images import InputSpec

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


_LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey, as OpenCV has them."""


def grey(images: Tensor) -> Tensor:
    """Colour pictures (B, 3, H, W) as grey ones (B, 1, H, W); grey ones as they are."""
    if images.shape[1] == 1:
        return images
    return (images * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def rectify(features: Tensor) -> Tensor:
    """ReLU and a millionth, for towers whose vectors are the features after it.

    A face in which no unit fires would get a zero vector, which has no direction and so no cosine. With the millionth
    such faces are alike, and all others stay as they are to the sixth decimal.
    """
    return F.relu(features) + 1e-6


class Tower(nn.Module):
    """A face's pixels to its vector. Only an embedding: class scores come from a head on top (:meth:`make_head`).

    Scaling, mean and standard deviation are buffers of the tower, so an exported tower takes raw pixels.

    Args:
        input_spec: What the tower takes.
        embedding_dim: Length D of its vectors.
        mean: One value a channel, in units of pixel / 255, subtracted from the scaled pixels.
        std: One value a channel, by which they are then divided.
        metric: The distance its vectors are meant for, ``"euclidean"`` or ``"cosine"``.
        head_dropout: Dropout probability before the linear head.
    """

    name: str = "tower"

    def __init__(
        self,
        input_spec: InputSpec,
        embedding_dim: int,
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
        metric: str = "cosine",
        head_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input_spec = input_spec
        self.embedding_dim = embedding_dim
        self.metric = metric
        self.head_dropout = head_dropout
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1) * 255.0)
        self.register_buffer("scale", 1.0 / (torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1) * 255.0))
        self.mean: Tensor
        self.scale: Tensor

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pixels 0-255, uint8 or float (B, C, H, W), to the network's float32 input of the same shape."""
        return (pixels.float() - self.mean) * self.scale

    def embed(self, images: Tensor) -> Tensor:
        """Normalised float images (B, C, H, W) to vectors (B, D). Each architecture defines it."""
        raise TypeError(f"{type(self).__name__} defines no embed()")

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels to vectors.

        Args:
            pixels: uint8 (B, C, H, W), or float with values 0-255 (augmented pictures).

        Returns:
            float32 (B, D), not normalised to unit length.

        Raises:
            TowerError: The pixels' shape is not the tower's input.
        """
        traced = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if not traced and tuple(pixels.shape[1:]) != (
            self.input_spec.channels,
            self.input_spec.height,
            self.input_spec.width,
        ):
            raise TowerError(
                f"Tower {self.name!r} takes pixels (B, {self.input_spec.channels}, {self.input_spec.height}, "
                f"{self.input_spec.width}) and was given {tuple(pixels.shape)}; use galleries.images.prepare."
            )
        return self.embed(self.normalise(pixels)).float()

    def make_head(self, n_classes: int) -> nn.Module:
        """A softmax baseline's head: vectors (B, D) to class scores (B, n_classes)."""
        return Head(self.embedding_dim, n_classes, self.head_dropout)

    @property
    def fingerprint(self) -> str:
        """32 hex digits that change with the architecture, the input or any weight; galleries carry it."""
        state = hashlib.blake2b(f"{self.name} {self.input_spec} {self.metric}".encode(), digest_size=16)
        for key, value in sorted(self.state_dict().items()):
            if key.endswith("num_batches_tracked"):
                continue
            state.update(f"{key} {tuple(value.shape)} {value.dtype}".encode())
            state.update(value.detach().cpu().contiguous().numpy().tobytes())
        return state.hexdigest()


class Head(nn.Module):
    """Dropout and one linear layer on top of an embedding.

    Args:
        embedding_dim: Length of the vectors.
        n_classes: Number of emotions.
        dropout: Probability of dropping a coordinate in training.
    """

    def __init__(self, embedding_dim: int, n_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(embedding_dim, n_classes)

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors (B, D) to unnormalised class scores (B, n_classes), float32."""
        scores: Tensor = self.linear(self.dropout(vectors))
        return scores


def count_parameters(*modules: nn.Module, statistics: bool = False) -> int:
    """Number of weights of one or more modules.

    Args:
        modules: Towers and heads.
        statistics: Whether batch norm's running means and variances count too, as Keras counts them.
    """
    total = sum(p.numel() for module in modules for p in module.parameters())
    if statistics:
        total += sum(
            layer.running_mean.numel() + layer.running_var.numel()
            for module in modules
            for layer in module.modules()
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d))
            and layer.running_mean is not None
            and layer.running_var is not None
        )
    return total


def count_multiply_adds(tower: Tower) -> int:
    """Multiply-adds of one picture through the convolutions and linear layers of a tower."""
    total = 0

    def count(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            kernel = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
            total += output[0].numel() * kernel
        elif isinstance(layer, nn.Linear):
            total += output[0].numel() * layer.in_features

    handles = [m.register_forward_hook(count) for m in tower.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    was_training = tower.training
    spec = tower.input_spec
    try:
        with torch.no_grad():
            tower.eval()(torch.zeros(1, spec.channels, spec.height, spec.width, dtype=torch.uint8))
    finally:
        for handle in handles:
            handle.remove()
        tower.train(was_training)
    return total
