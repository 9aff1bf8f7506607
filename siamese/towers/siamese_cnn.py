"""The siamese paper's tower (system 1): three convolutions and one large fully connected layer."""

from __future__ import annotations

from torch import Tensor, nn

from galleries.errors import TowerError
from galleries.images import InputSpec
from siamese.towers.base import Tower


class SiameseTower(Tower):
    """Conv 10x10/128, 7x7/256, 4x4/256, each with ReLU and 2x2 max pooling, then a linear layer to 2048.

    Valid padding; weights drawn from N(0, 0.01) ("narrow-normal"), biases zero. 3,193,984 weights at 48x48 and
    36,224,128 at 100x100; the paper's "61,986 parameters" fits neither. Its vectors are compared by Euclidean distance.

    Args:
        input_spec: Grey by default 48x48; any size from 41x41 (100x100 for KDEF).
        embedding_dim: Length of the vectors, 2048 in the paper.
    """

    name = "siamese"

    def __init__(self, input_spec: InputSpec | None = None, embedding_dim: int = 2048) -> None:
        spec = input_spec or InputSpec(48, 48, 1, "cubic")
        super().__init__(spec, embedding_dim, (0.0,) * spec.channels, (1.0,) * spec.channels, metric="euclidean")
        sides = []
        for side in (spec.height, spec.width):
            for kernel in (10, 7, 4):
                side = (side - kernel + 1) // 2
            if side < 1:
                raise TowerError(f"The siamese tower needs pictures of at least 41x41 pixels; {spec} was asked for.")
            sides.append(side)
        self.convolutions = nn.Sequential(
            nn.Conv2d(spec.channels, 128, 10),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(128, 256, 7),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(256, 256, 4),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.fc = nn.Linear(256 * sides[0] * sides[1], embedding_dim)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) to vectors (B, 2048)."""
        vectors: Tensor = self.fc(self.convolutions(images).flatten(1))  # (B, 256, h, w) -> (B, 256 h w) -> (B, 2048)
        return vectors
