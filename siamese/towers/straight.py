"""``compact_straight``: ``compact_wide`` behind a small network that moves every face upright into the middle first.

M. Jaderberg, K. Simonyan, A. Zisserman and K. Kavukcuoglu, "Spatial Transformer Networks", 2015; here the transformer
is not found by the tower's loss but taught where faces are (:mod:`siamese.straightening`), and then stays as it is.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galleries.errors import ConfigError
from galleries.images import InputSpec
from siamese.towers.base import Tower, grey
from siamese.towers.compact import CompactWideTower

ZOOM = 1.1
"""How many times larger than the median face of FER-2013 an upright one is."""

_TURN, _STRETCH, _SHIFT = math.radians(8), 0.08, 0.1
"""How far a face in training may be off the place that was found: turned, log of its size, moved in half sides."""


def _separable(inside: int, outside: int, stride: int) -> nn.Sequential:
    """A 3x3 convolution of each channel by itself and a 1x1 convolution of all, with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inside, inside, 3, stride, 1, groups=inside, bias=False),
        nn.BatchNorm2d(inside),
        nn.ReLU(),
        nn.Conv2d(inside, outside, 1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(),
    )


class Straightener(nn.Module):
    """Says where the face is in a picture, and gives the picture in which it is upright in the middle.

    A *place* is (c, s, x, y): the similarity that takes a point of the upright face to where it is in the picture,
    ``[[c, -s], [s, c]] p + (x, y)``, both in half sides of the picture from its middle, x to the right and y down.

    Args:
        height: Of the pictures.
        width: Of the pictures.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            _separable(16, 32, 2),
            _separable(32, 48, 1),
            _separable(48, 64, 2),
            _separable(64, 64, 1),
            _separable(64, 64, 2),
        )
        cells = -(-height // 16) * -(-width // 16)
        last = nn.Linear(32, 4)
        self.out = nn.Sequential(nn.Flatten(), nn.Linear(64 * cells, 32), nn.ReLU(), last)
        with torch.no_grad():  # until it is taught, it takes every face for upright in the middle
            last.weight.zero_()
            last.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))

    @property
    def is_taught(self) -> bool:
        """Whether it has learned where faces are."""
        return bool(self.state_dict()["out.3.weight"].any())

    def places(self, pixels: Tensor) -> Tensor:
        """Pixels 0-255, float32 (B, 1, H, W), to the face's place, (B, 4)."""
        found: Tensor = self.out(self.body((pixels - 127.5) / 64))
        return found

    def forward(self, images: Tensor, places: Tensor) -> Tensor:
        """Pictures (B, C, H, W) with the faces that are at these places upright in the middle (cubic)."""
        height, width = images.shape[2:]
        right = _steps(width, images).view(1, 1, width)
        down = _steps(height, images).view(1, height, 1)
        c, s, x, y = (places[:, [k]].unsqueeze(2) for k in range(4))  # each (B, 1, 1)
        grid = torch.stack([c * right - s * down + x, s * right + c * down + y], 3)  # (B, H, W, 2)
        return F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _steps(count: int, like: Tensor) -> Tensor:
    """The middles of so many pixels, from -1 to 1."""
    return (torch.arange(count, dtype=torch.float32, device=like.device) * 2 + 1) / count - 1


def varied(places: Tensor) -> Tensor:
    """Places (B, 4) a little off, at random, so that a tower learns to bear with a straightener's errors."""
    c, s = places[:, 0], places[:, 1]
    turn = (torch.rand_like(c) * 2 - 1) * _TURN
    size = torch.exp((torch.rand_like(c) * 2 - 1) * _STRETCH)
    moved = places[:, 2:] + (torch.rand_like(places[:, 2:]) * 2 - 1) * _SHIFT
    turned_c, turned_s = size * torch.cos(turn), size * torch.sin(turn)
    return torch.cat([torch.stack([c * turned_c - s * turned_s, c * turned_s + s * turned_c], 1), moved], 1)


class CompactStraightTower(CompactWideTower):
    """``compact_wide`` that sees every face upright and in the middle: 1.50 million weights at 48x48 grey.

    Its straightener, 35 thousand of them, is not trained with the rest: :func:`siamese.straightening.teach` comes
    before, or the weights of a tower that has learned. Until then the tower sees pictures as they are, but closer.

    Args:
        input_spec: 48x48x1 by default; any size from 16x16.
        embedding_dim: 128 by default.
    """

    name = "compact_straight"

    def __init__(self, input_spec: InputSpec | None = None, embedding_dim: int = 128) -> None:
        super().__init__(input_spec, embedding_dim)
        self.straightener = Straightener(self.input_spec.height, self.input_spec.width)
        self.straightener.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Any:
        """As of every module; the straightener stays in evaluation mode."""
        super().train(mode)
        self.straightener.eval()
        return self

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) to vectors (B, D)."""
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            images = self.straighten(images.float())
        return super().embed(images.contiguous(memory_format=torch.channels_last))

    def straighten(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) with their faces upright in the middle; in training not quite."""
        places = self.straightener.places(grey(images / self.scale + self.mean))
        places = torch.cat([places[:, :2] / ZOOM, places[:, 2:]], 1)
        straight: Tensor = self.straightener(images, varied(places) if self.training else places)
        return straight


def take_straightener(tower: Tower, straightener: Straightener) -> None:
    """Give a tower a copy of a straightener's weights.

    Raises:
        ConfigError: It is no ``compact_straight`` tower, or takes pictures of another size.
    """
    if not isinstance(tower, CompactStraightTower):
        raise ConfigError(f"A {tower.name} tower has no straightener; choose --tower {CompactStraightTower.name}.")
    try:
        tower.straightener.load_state_dict(straightener.state_dict())
    except RuntimeError as error:
        raise ConfigError(f"The straightener is for pictures of another size than {tower.input_spec}.") from error


__all__ = ["ZOOM", "CompactStraightTower", "Straightener", "take_straightener", "varied"]
