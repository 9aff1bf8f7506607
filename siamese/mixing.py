"""Mixup: pictures blended with others of their batch, and their labels with them."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class MixedBatch(NamedTuple):
    """A batch of which some pictures are blended.

    Attributes:
        images: float32 (B, C, H, W).
        targets: float32 (B, n), blended alike: what cross-entropy takes in place of labels.
        plain: int64 (P,), rising: rows that are as they were. Only these have one emotion, so only these go to metric
            losses.
    """

    images: Tensor
    targets: Tensor
    plain: Tensor


def mix(images: Tensor, targets: Tensor, share: float, alpha: float, generator: torch.Generator) -> MixedBatch:
    """Blend a share of a batch (Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018).

    Each chosen picture becomes ``t * itself + (1 - t) * another``, the other drawn from the whole batch and t from
    Beta(alpha, alpha); its target is blended alike.

    Args:
        images: float32 (B, C, H, W).
        targets: float32 (B, n), whatever goes with the pictures.
        share: Of the pictures to blend, 0-1, rounded to whole pictures.
        alpha: Above 0; small values mostly leave one of both pictures nearly alone.
        generator: The random state, on the CPU.
    """
    size = len(images)
    count = round(share * size)
    order = torch.randperm(size, generator=generator)
    chosen, plain = order[:count], order[count:].sort().values
    others = torch.randint(size, (count,), generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    drawn = np.random.default_rng(seed).beta(alpha, alpha, count).astype(np.float32)
    weight = torch.from_numpy(drawn).to(images.device)
    chosen, others, plain = (rows.to(images.device) for rows in (chosen, others, plain))
    mixed, blended = images.clone(), targets.clone()
    own = weight.view(-1, 1, 1, 1)
    mixed[chosen] = own * images[chosen] + (1 - own) * images[others]
    own = weight.view(-1, 1)
    blended[chosen] = own * targets[chosen] + (1 - own) * targets[others]
    return MixedBatch(mixed, blended, plain)


def mix_all(
    images: Tensor, targets: Sequence[Optional[Tensor]], share: float, alpha: float, generator: torch.Generator
) -> tuple[Tensor, list[Optional[Tensor]], Tensor]:
    """Blend a share of a batch as :func:`mix` does, with several targets side by side, of which some may be missing."""
    there = [target for target in targets if target is not None]
    images, blended, plain = mix(images, torch.cat(there, 1), share, alpha, generator)
    parts = iter(torch.split(blended, [target.shape[1] for target in there], 1))
    return images, [None if target is None else next(parts) for target in targets], plain


def as_targets(labels: Tensor, soft: Optional[Tensor], n_classes: int) -> Tensor:
    """Votes float32 (B, n) where there are some, else labels int64 (B,) as rows with a single 1."""
    return F.one_hot(labels, n_classes).float() if soft is None else soft
