"""The Keras-style CNN trained on FER-2013 (system 5): 32 million parameters, nearly all in one dense layer."""

from __future__ import annotations

from torch import Tensor, nn

from galleries.errors import TowerError
from galleries.images import InputSpec
from siamese.towers.base import Tower, rectify


class FerCnnTower(Tower):
    """Conv 32, 64, batch norm, pool; Conv 128, 256 (valid), batch norm, pool; Dense 1024.

    32,116,743 parameters with its head for seven emotions, 640 of them batch-norm statistics. Dropout rates, which
    the source does not state for the tower's blocks, are 0.25 in the blocks and 0.5 before the head.

    Args:
        input_spec: 48x48x1 by default; any size from 8x8.
        embedding_dim: 1024 in the source.
    """

    name = "fer_cnn"

    def __init__(self, input_spec: InputSpec | None = None, embedding_dim: int = 1024) -> None:
        spec = input_spec or InputSpec(48, 48, 1)
        rows, columns = ((side // 2 - 2) // 2 for side in (spec.height, spec.width))
        if rows < 1 or columns < 1:
            raise TowerError(f"The fer_cnn tower needs pictures of at least 8x8 pixels; got {spec}.")
        super().__init__(spec, embedding_dim, (0.0,) * spec.channels, (1.0,) * spec.channels, "cosine", 0.5)
        self.blocks = nn.Sequential(
            nn.Conv2d(spec.channels, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(64, eps=1e-3),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
            nn.Conv2d(64, 128, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(128, 256, 3),
            nn.ReLU(),
            nn.BatchNorm2d(256, eps=1e-3),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
        )
        self.dense = nn.Linear(256 * rows * columns, embedding_dim)

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) to vectors (B, 1024), none negative."""
        return rectify(self.dense(self.blocks(images).flatten(1)))  # (B, 256, 11, 11) -> (B, 30976) -> (B, 1024)
