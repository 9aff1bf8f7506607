"""Augmentation of whole batches: small moves, mirror images, light, erased patches, disturbances."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from galleries.errors import ConfigError, unknown_name
from siamese.disturbing import disturb

_MOST: dict[str, float] = {
    "rotate": 180,
    "shift": 1,
    "shear": 60,
    "flip": 1,
    "brightness": 1,
    "contrast": 1,
    "erase": 1,
    "disturb": 1,
}
"""Largest value of each part."""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Augmentation:
    """How strongly a batch is varied. Zero (or 1 for ``zoom``) switches a part off.

    Attributes:
        rotate: Largest rotation either way, in degrees.
        shift: Largest shift either way, as a fraction of the picture's side.
        zoom: Smallest and largest enlargement, drawn evenly on a log scale.
        shear: Largest shear either way, in degrees.
        flip: Probability of the mirror image.
        brightness: Largest brightness change either way, as a fraction of 255.
        contrast: Largest relative contrast change either way.
        erase: Probability that a rectangle of 2-20 % of the picture is filled with noise (Zhong et al., "Random
            Erasing Data Augmentation", 2020).
        disturb: Probability of each disturbance of :func:`siamese.disturbing.disturb`: light from a side, gamma, blur,
            noise; half of it for coarseness. Teachers see the pictures without them.
    """

    rotate: float = 0.0
    shift: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    shear: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0
    disturb: float = 0.0

    def __post_init__(self) -> None:
        zoom: Any = self.zoom
        object.__setattr__(self, "zoom", tuple(zoom) if isinstance(zoom, (list, tuple)) else (zoom,))
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not (_is_number(value) and 0 <= value <= most):
                raise ConfigError(f"The augmentation {name} = {value!r} was given; give a number from 0 to {most}.")
        if len(self.zoom) != 2 or not (all(map(_is_number, self.zoom)) and 0.1 <= self.zoom[0] <= self.zoom[1] <= 10):
            raise ConfigError(
                f"The augmentation zoom = {list(self.zoom)} was given; give two numbers from 0.1 to 10, the smaller "
                "first, such as [0.9, 1.1]."
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Augmentation:
        """Read an augmentation from a recipe's table.

        Raises:
            ConfigError: A key is unknown or a value out of range.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"augment = {values!r} was given; give a table such as {{ flip = 0.5, rotate = 10.0 }}.")
        known = [item.name for item in fields(cls)]
        for key in values:
            if key not in known:
                raise unknown_name("augmentation", str(key), known)
        return cls(**values)

    @property
    def moves(self) -> bool:
        """Whether pictures are rotated, shifted, zoomed, sheared or mirrored."""
        return bool(self.rotate or self.shift or self.shear or self.flip or self.zoom != (1.0, 1.0))

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Vary a batch.

        Args:
            pixels: uint8 or float (B, C, H, W), values 0-255.
            generator: The random state, on the CPU.

        Returns:
            float32 (B, C, H, W), values 0-255.
        """
        images = pixels.float()
        if self.moves:
            images = self._move(images, generator)
        if self.brightness or self.contrast:
            images = self._light(images, generator)
        if self.erase:
            images = self._erase(images, generator)
        return images

    def disturbed(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Disturb a varied batch, (B, C, H, W), values 0-255: what a tower sees and its teachers do not."""
        return disturb(images, self.disturb, generator) if self.disturb else images

    def _move(self, images: Tensor, generator: torch.Generator) -> Tensor:
        size = len(images)

        def uniform(limit: float) -> Tensor:
            return (torch.rand(size, generator=generator) * 2 - 1) * limit

        angle, shear = uniform(math.radians(self.rotate)), uniform(math.radians(self.shear))
        low, high = (math.log(value) for value in self.zoom)
        shrink = torch.exp(-(torch.rand(size, generator=generator) * (high - low) + low))
        mirror = 1 - 2 * (torch.rand(size, generator=generator) < self.flip).float()
        aspect = images.shape[3] / images.shape[2]
        cos, sin = torch.cos(angle) * shrink, torch.sin(angle) * shrink
        theta = torch.stack(
            [
                torch.stack([cos * mirror, (shear.tan() * cos - sin) / aspect, uniform(2 * self.shift)], 1),
                torch.stack([sin * mirror * aspect, shear.tan() * sin + cos, uniform(2 * self.shift)], 1),
            ],
            1,
        ).to(images.device)  # (B, 2, 3): where each output pixel is read
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _light(self, images: Tensor, generator: torch.Generator) -> Tensor:
        draws = (torch.rand(2, len(images), 1, 1, 1, generator=generator) * 2 - 1).to(images.device)
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        lit = (images - mean) * (1 + draws[0] * self.contrast) + mean + draws[1] * self.brightness * 255
        return lit.clamp_(0, 255)

    def _erase(self, images: Tensor, generator: torch.Generator) -> Tensor:
        size, _, height, width = images.shape
        draws = torch.rand(size, 5, generator=generator)
        area = 0.02 + 0.18 * draws[:, 1]
        ratio = torch.exp((draws[:, 2] * 2 - 1) * math.log(3))
        tall = ((area * ratio).sqrt().clamp(max=1) * height).round()
        wide = ((area / ratio).sqrt().clamp(max=1) * width).round()
        top, left = (draws[:, 3] * (height - tall + 1)).floor(), (draws[:, 4] * (width - wide + 1)).floor()
        rows, columns = torch.arange(height)[None, :], torch.arange(width)[None, :]
        in_rows = (rows >= top[:, None]) & (rows < (top + tall)[:, None])  # (B, H)
        in_columns = (columns >= left[:, None]) & (columns < (left + wide)[:, None])  # (B, W)
        chosen = (draws[:, 0] < self.erase)[:, None, None]
        patch = (in_rows[:, :, None] & in_columns[:, None, :] & chosen)[:, None].to(images.device)
        noise = torch.rand(size, 1, height, width, generator=generator).to(images.device) * 255
        return torch.where(patch, noise, images)
