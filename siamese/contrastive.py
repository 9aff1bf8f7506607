"""The contrastive loss of the siamese paper, over given pairs or all pairs of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from galleries.errors import ConfigError, unknown_name


class ContrastiveLoss(nn.Module):
    """The siamese paper's eq. 3 (Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping", 2006).

    ``L = (1 - y) D² / 2 + y max(0, m - D)² / 2`` with D the Euclidean distance of a pair and y = 0 for the same class.
    Similar pairs are pulled together, different ones pushed until they are ``margin`` apart.

    Args:
        margin: m, in the units of the embedding's Euclidean distance.
        pairing: ``"adjacent"``: rows 0-1, 2-3, … are the pairs (a batch of ``sampling.pair_batches``).
            ``"all"``: every pair of the batch, same and different pairs weighing half each, whatever their number.
    """

    def __init__(self, margin: float = 1.0, pairing: str = "all") -> None:
        super().__init__()
        if not isinstance(margin, (int, float)) or not 0 < margin < float("inf"):
            raise ConfigError(f"A contrastive margin of {margin} was given; it must be above 0.")
        if pairing not in ("all", "adjacent"):
            raise unknown_name("pairing", pairing, ["all", "adjacent"])
        self.margin = float(margin)
        self.pairing = pairing

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Vectors float32 (B, D) and labels int64 (B,) to the mean loss of their pairs; 0 where there is no pair."""
        if self.pairing == "adjacent":
            even = len(vectors) // 2 * 2
            first, second = vectors[0:even:2], vectors[1:even:2]
            different = (labels[0:even:2] != labels[1:even:2]).float()
            return self.pair_losses(_distance(first, second), different).sum() / max(1, even // 2)
        upper = torch.triu_indices(len(vectors), len(vectors), 1, device=vectors.device)
        different = (labels[upper[0]] != labels[upper[1]]).float()
        # ‖a - b‖² = ‖a‖² + ‖b‖² - 2ab, which needs no (pairs, D) array
        squares = vectors.square().sum(1)
        squared = squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T
        distances = (squared[upper[0], upper[1]].clamp_min(0) + 1e-12).sqrt()
        losses = self.pair_losses(distances, different)
        alike = 1 - different
        pull = (losses * alike).sum() / alike.sum().clamp_min(1)
        push = (losses * different).sum() / different.sum().clamp_min(1)
        return (pull + push) / 2

    def pair_losses(self, distances: Tensor, different: Tensor) -> Tensor:
        """Eq. 3 of each pair.

        Args:
            distances: D, float32 (P,), not negative.
            different: y, float32 (P,): 0 for a pair of the same class, 1 for two classes.

        Returns:
            float32 (P,).
        """
        pull = 0.5 * distances.square()
        push = 0.5 * (self.margin - distances).clamp_min(0).square()
        return (1 - different) * pull + different * push


def _distance(first: Tensor, second: Tensor) -> Tensor:
    return ((first - second).square().sum(1) + 1e-12).sqrt()  # the small number keeps the gradient finite at 0
