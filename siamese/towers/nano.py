"""``nano``, the smallest tower: 136,624 weights, for machines on which every tenth of a millisecond counts."""

from __future__ import annotations

from torch import nn

from galleries.images import InputSpec
from siamese.towers.compact import PooledTower, ResidualBlock


def _halve(inside: int, outside: int) -> list[nn.Module]:
    return [nn.Conv2d(inside, outside, 3, 2, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]


class NanoTower(PooledTower):
    """Three 3x3 convolutions that halve the size, two residual blocks after the second and one after the third.

    9.4 million multiply-adds at 48x48 grey. Size is lost early, and the convolutions are full ones with channels in
    multiples of 16, which ONNX Runtime computes best on a CPU. The vectors are short, as half of a small tower's time
    to an answer goes into comparing them with some 27,000 references.

    Args:
        input_spec: 48x48x1 by default; any size from 16x16.
        embedding_dim: 32 by default.
        widths: Channels after each of the three convolutions.
    """

    name = "nano"

    def __init__(
        self,
        input_spec: InputSpec | None = None,
        embedding_dim: int = 32,
        widths: tuple[int, int, int] = (16, 32, 64),
    ) -> None:
        spec = input_spec or InputSpec(48, 48, 1)
        first, second, third = widths
        layers = [
            *_halve(spec.channels, first),
            *_halve(first, second),
            ResidualBlock(second, second),
            ResidualBlock(second, second),
            *_halve(second, third),
            ResidualBlock(third, third),
        ]
        super().__init__(spec, embedding_dim, layers, third)
