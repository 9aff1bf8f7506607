"""``nano``, the smallest tower: 120,176 weights, for machines on which every tenth of a millisecond counts."""

from __future__ import annotations

from torch import Tensor, nn

from galleries.errors import TowerError
from galleries.images import InputSpec
from siamese.towers.base import Tower
from siamese.towers.compact import ResidualBlock


def _halve(inside: int, outside: int) -> list[nn.Module]:
    return [nn.Conv2d(inside, outside, 3, 2, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]


class NanoTower(Tower):
    """Three 3x3 convolutions that halve the size, with a residual block after each of the last two.

    6.7 million multiply-adds at 48x48 grey, about 1.4 times LiExNet's time at 48x48 on one CPU core. Full convolutions
    with channels in multiples of 16 are what ONNX Runtime computes best on a CPU: depthwise ones of a tenth of the
    multiply-adds take half the time. Size is lost early, average pooling and a linear layer with batch norm give the
    embedding, which is compared by cosine distance.

    Args:
        input_spec: 48x48x1 by default; any size from 16x16.
        embedding_dim: 64 by default.
        widths: Channels after each of the three convolutions.
    """

    name = "nano"

    def __init__(
        self,
        input_spec: InputSpec | None = None,
        embedding_dim: int = 64,
        widths: tuple[int, int, int] = (16, 32, 64),
    ) -> None:
        spec = input_spec or InputSpec(48, 48, 1)
        if min(spec.height, spec.width) < 16:
            raise TowerError(f"The nano tower needs pictures of at least 16x16 pixels; got {spec}.")
        super().__init__(spec, embedding_dim, (0.508,) * spec.channels, (0.255,) * spec.channels, "cosine")
        first, second, third = widths
        self.blocks = nn.Sequential(
            *_halve(spec.channels, first),
            *_halve(first, second),
            ResidualBlock(second, second),
            *_halve(second, third),
            ResidualBlock(third, third),
        )
        self.embedding = nn.Linear(third, embedding_dim, bias=False)
        self.norm = nn.BatchNorm1d(embedding_dim)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) to vectors (B, 64)."""
        pooled = self.blocks(images).mean(dim=(2, 3))  # (B, 64, 6, 6) -> (B, 64)
        vectors: Tensor = self.norm(self.embedding(pooled))
        return vectors
