"""The 8-class AffectNet CNN with a webcam front end (system 3)."""

from __future__ import annotations

from torch import Tensor, nn

from galleries.errors import TowerError
from galleries.images import InputSpec
from siamese.towers.base import IMAGENET_MEAN, IMAGENET_STD, Tower, rectify


class AffectNetCnnTower(Tower):
    """Four blocks of two 3x3 convolutions (64, 128, 256, 512 channels), average pooled, Linear 256, ReLU.

    4,822,600 weights with its head for eight emotions (the report says about 14.5 million). The embedding is the
    256-wide layer after its ReLU; the head is Dropout 0.5 and a linear layer.

    Args:
        input_spec: 224x224x3 by default; any size from 16x16.
        embedding_dim: 256 in the report.
    """

    name = "affectnet_cnn"

    def __init__(self, input_spec: InputSpec | None = None, embedding_dim: int = 256) -> None:
        spec = input_spec or InputSpec(224, 224, 3)
        if min(spec.height, spec.width) < 16:
            raise TowerError(f"The affectnet_cnn tower needs pictures of at least 16x16 pixels; got {spec}.")
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if spec.channels == 3 else ((0.449,), (0.226,))
        super().__init__(spec, embedding_dim, mean, std, "cosine", 0.5)
        layers: list[nn.Module] = []
        inside = spec.channels
        for outside in (64, 128, 256, 512):
            for _ in range(2):
                layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU()]
                inside = outside
            layers += [nn.MaxPool2d(2), nn.Dropout(0.25)]
        self.blocks = nn.Sequential(*layers)
        self.fc = nn.Linear(512, embedding_dim)

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) to vectors (B, 256), none negative."""
        pooled = self.blocks(images).mean(dim=(2, 3))  # (B, 512, h, w) -> (B, 512)
        return rectify(self.fc(pooled))
