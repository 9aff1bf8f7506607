"""What rooms and cameras do to a picture: light from a side, another gamma, blur, sharpening, noise, few pixels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE_LIGHT, GAMMA, BLUR, SHARPEN, NOISE = 50.0, 0.6, 1.0, 1.2, 12.0
"""The most of each: grey values at the lit edge, the log of the exponent, shares of a 3x3 binomial blur added and taken
away, and the deviation of the noise in grey values."""

COARSE = (0.4, 0.9)
"""The sides, as shares, that a coarse picture is shrunk to before it is enlarged again."""


def disturb(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Disturb pictures, each in its own way.

    Light from a side, another gamma, blur or sharpening, and noise each come with this probability, coarseness with
    half of it; how strong is drawn evenly, up to the constants of this module.

    Args:
        images: Float (B, C, H, W), values 0-255.
        probability: 0-1.
        generator: The random state, on the CPU.

    Returns:
        float32 (B, C, H, W), values 0-255.
    """
    size, channels, height, width = images.shape
    device = images.device

    def drawn(low: float, high: float) -> Tensor:
        """Evenly between the two, or 0 where the picture is spared, (B, 1, 1, 1)."""
        value = torch.rand(size, 1, 1, 1, generator=generator) * (high - low) + low
        return (value * (torch.rand(size, 1, 1, 1, generator=generator) < probability)).to(device)

    images = _coarse(images.float().clamp(0, 255), probability / 2, generator)
    kernel = torch.tensor([1.0, 2.0, 1.0], device=device) / 4
    blurred = F.conv2d(
        F.pad(images, (1, 1, 1, 1), mode="replicate"),
        (kernel[:, None] * kernel).expand(channels, 1, 3, 3),
        groups=channels,
    )
    images = images + drawn(-SHARPEN, BLUR) * (blurred - images)
    angle = (torch.rand(size, 1, 1, 1, generator=generator) * 2 * math.pi).to(device)
    right = torch.linspace(-1, 1, width, device=device)
    down = torch.linspace(-1, 1, height, device=device).unsqueeze(1)
    images = images + drawn(0, SIDE_LIGHT) * (torch.cos(angle) * right + torch.sin(angle) * down)
    images = 255 * (images.clamp(0, 255) / 255) ** torch.exp(drawn(-GAMMA, GAMMA))
    images = images + drawn(0, NOISE) * torch.randn(images.shape, generator=generator).to(device)
    return images.clamp(0, 255)


def _coarse(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Some pictures shrunk, all of them as far, and enlarged again (cubic)."""
    size, _, height, width = images.shape
    low, high = COARSE
    share = float(torch.rand(1, generator=generator)) * (high - low) + low
    chosen = torch.nonzero(torch.rand(size, generator=generator) < probability).flatten().to(images.device)
    if not len(chosen):
        return images
    sides = [max(1, round(share * height)), max(1, round(share * width))]
    small = F.interpolate(images[chosen], size=sides, mode="bilinear", align_corners=False, antialias=True)
    large = F.interpolate(small, size=[height, width], mode="bicubic", align_corners=False).clamp(0, 255)
    return images.index_copy(0, chosen, large)


__all__ = ["BLUR", "COARSE", "GAMMA", "NOISE", "SHARPEN", "SIDE_LIGHT", "disturb"]
