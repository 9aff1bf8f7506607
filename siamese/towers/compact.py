"""``compact``, this project's own tower and its default: small, fast, residual; ``compact_wide`` is larger."""

from __future__ import annotations

from itertools import accumulate

import torch.nn.functional as F
from torch import Tensor, nn

from galleries.errors import TowerError
from galleries.images import InputSpec
from siamese.towers.base import Tower


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm beside a shortcut (He et al., "Deep Residual Learning", 2016).

    Where the size halves, the shortcut averages 2x2 pixels before its 1x1 convolution, so that none is dropped
    (the "ResNet-D" shortcut of He et al., "Bag of Tricks", 2019).

    Args:
        inside: Input channels.
        outside: Output channels.
        stride: 1 or 2.
    """

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        shortcut: list[nn.Module] = []
        if stride == 2:
            shortcut.append(nn.AvgPool2d(2, ceil_mode=True))
        if inside != outside:
            shortcut += [nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside)]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, images: Tensor) -> Tensor:
        """(B, inside, H, W) to (B, outside, H / stride, W / stride)."""
        out = F.relu(self.norm1(self.conv1(images)))
        out = self.norm2(self.conv2(out))
        return F.relu(out + self.shortcut(images))


class PooledTower(Tower):
    """Convolutions, average pooling, and a linear layer with batch norm to the embedding, compared by cosine distance.

    Args:
        input_spec: At least 16x16.
        embedding_dim: D, the length of the vectors.
        layers: The convolutions, from the normalised pictures on.
        width: Channels that come out of them.

    Raises:
        TowerError: The pictures are too small.
    """

    def __init__(self, input_spec: InputSpec, embedding_dim: int, layers: list[nn.Module], width: int) -> None:
        if min(input_spec.height, input_spec.width) < 16:
            raise TowerError(f"The {self.name} tower needs pictures of at least 16x16 pixels; got {input_spec}.")
        channels = input_spec.channels
        super().__init__(input_spec, embedding_dim, (0.508,) * channels, (0.255,) * channels, "cosine")
        self.blocks = nn.Sequential(*layers)
        self.embedding = nn.Linear(width, embedding_dim, bias=False)
        self.norm = nn.BatchNorm1d(embedding_dim)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) to vectors (B, D)."""
        pooled = self.blocks(images).mean(dim=(2, 3))  # (B, width, h, w) -> (B, width)
        vectors: Tensor = self.norm(self.embedding(pooled))
        return vectors


class CompactTower(PooledTower):
    """A residual network of 1.06 million weights and 67 million multiply-adds at 48x48 grey.

    A 3x3 stem, three residual stages that halve the size, average pooling, and a linear layer with batch norm to the
    embedding, compared by cosine distance.

    Args:
        input_spec: 48x48x1 by default; any size from 16x16.
        embedding_dim: 128 by default.
        widths: Channels of the stem and of the three stages.
        depths: Residual blocks in each of the three stages.
    """

    name = "compact"

    def __init__(
        self,
        input_spec: InputSpec | None = None,
        embedding_dim: int = 128,
        widths: tuple[int, int, int, int] = (16, 32, 80, 160),
        depths: tuple[int, int, int] = (1, 2, 2),
    ) -> None:
        spec = input_spec or InputSpec(48, 48, 1)
        stem, *stages = widths
        layers: list[nn.Module] = [
            nn.Conv2d(spec.channels, stem, 3, 1, 1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
        ]
        inside = stem
        for outside, depth in zip(stages, depths):
            for block in range(depth):
                layers.append(ResidualBlock(inside, outside, 2 if block == 0 else 1))
                inside = outside
        super().__init__(spec, embedding_dim, layers, inside)
        self.depths = depths

    def stages(self) -> list[list[ResidualBlock]]:
        """The residual blocks of each stage."""
        blocks = [layer for layer in self.blocks if isinstance(layer, ResidualBlock)]
        ends = list(accumulate(self.depths))
        return [blocks[end - depth : end] for end, depth in zip(ends, self.depths)]


class CompactWideTower(CompactTower):
    """``compact`` with wider stages and a block more: 1.46 million weights and 150 million multiply-adds at 48x48 grey.

    A trained ``compact`` grows into one (:func:`siamese.growing.grow`).

    Args:
        input_spec: 48x48x1 by default; any size from 16x16.
        embedding_dim: 128 by default.
        widths: Channels of the stem and of the three stages.
        depths: Residual blocks in each of the three stages.
    """

    name = "compact_wide"

    def __init__(
        self,
        input_spec: InputSpec | None = None,
        embedding_dim: int = 128,
        widths: tuple[int, int, int, int] = (16, 64, 96, 176),
        depths: tuple[int, int, int] = (2, 2, 2),
    ) -> None:
        super().__init__(input_spec, embedding_dim, widths, depths)
