"""LiExNet (system 2): 7,471 parameters with its head, made for a Jetson TX2."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from galleries.errors import TowerError
from galleries.images import InputSpec
from siamese.towers.base import Tower, rectify


class ConvReluNorm(nn.Module):
    """Convolution with bias, ReLU, then (Keras order) batch norm with eps 1e-3 and Keras' momentum 0.99.

    Args:
        inside: Input channels.
        outside: Output channels.
        kernel: 1 or 3.
        stride: 1, or 2 with Keras' ``same`` padding, which pads right and bottom only.
        depthwise: One filter a channel.
        norm: Whether batch norm follows.
    """

    def __init__(
        self, inside: int, outside: int, kernel: int, stride: int = 1, depthwise: bool = False, norm: bool = True
    ) -> None:
        super().__init__()
        self.pad_right_bottom = stride == 2
        padding = 0 if stride == 2 else kernel // 2
        self.conv = nn.Conv2d(inside, outside, kernel, stride, padding, groups=inside if depthwise else 1)
        self.norm = nn.BatchNorm2d(outside, eps=1e-3, momentum=0.01) if norm else None

    def forward(self, images: Tensor) -> Tensor:
        """(B, inside, H, W) to (B, outside, H / stride, W / stride)."""
        if self.pad_right_bottom:
            images = F.pad(images, (0, 1, 0, 1))
        out = F.relu(self.conv(images))
        return out if self.norm is None else self.norm(out)


class LiExNetTower(Tower):
    """Three groups of pointwise and depthwise convolutions with 12, 24 and 48 channels, average pooled, Dense 24.

    Pixels / 255 and nothing else; a grey picture is copied to three channels. The embedding is the Dense 24 layer
    after its ReLU; the head is Dropout 0.3 and a linear layer. 7,159 trainable weights and 312 batch-norm statistics
    with a head for seven emotions.

    Args:
        input_spec: 128x128x3 by default; any even size from 16x16.
        embedding_dim: 24 in the paper.
    """

    name = "liexnet"

    def __init__(self, input_spec: InputSpec | None = None, embedding_dim: int = 24) -> None:
        spec = input_spec or InputSpec(128, 128, 3, "linear")
        if min(spec.height, spec.width) < 16 or spec.height % 2 or spec.width % 2:
            raise TowerError(f"LiExNet takes even sides of at least 16 pixels (its own is 128x128); got {spec}.")
        super().__init__(spec, embedding_dim, (0.0,) * spec.channels, (1.0,) * spec.channels, "cosine", 0.3)
        self.blocks = nn.Sequential(
            ConvReluNorm(spec.channels, 6, 3, stride=2),
            ConvReluNorm(6, 6, 3, depthwise=True),
            ConvReluNorm(6, 12, 1, norm=False),
            nn.MaxPool2d(2),
            ConvReluNorm(12, 24, 1),
            ConvReluNorm(24, 24, 3, depthwise=True),
            ConvReluNorm(24, 24, 1, norm=False),
            nn.MaxPool2d(2),
            ConvReluNorm(24, 48, 1),
            ConvReluNorm(48, 48, 3, depthwise=True),
            ConvReluNorm(48, 48, 1, norm=False),
        )
        self.dense = nn.Linear(48, embedding_dim)

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) to vectors (B, 24), none negative."""
        pooled = self.blocks(images).mean(dim=(2, 3))  # (B, 48, h, w) -> (B, 48)
        return rectify(self.dense(pooled))
