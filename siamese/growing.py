"""Growing: a trained tower's weights in a wider and deeper one that gives the same vectors, and learns on from there.

T. Chen, I. Goodfellow and J. Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer", 2016. There, new channels
are copies of old ones; here they begin at random and nothing reads them yet, so they need no noise to come apart.
"""

from __future__ import annotations

import torch
from torch import nn

from galleries.errors import TowerError
from siamese.towers.compact import CompactTower, ResidualBlock


def grow(small: CompactTower, large: CompactTower) -> None:
    """Put a tower's weights into a larger one of its family, which then gives the same vectors.

    New channels read all that there is and are read with weight zero; new blocks add nothing to what passes them. Both
    change with the first step of training.

    Args:
        small: The trained tower; not changed.
        large: At least as wide and as deep in every stage, with weights as they are drawn; changed in place.

    Raises:
        TowerError: It is narrower or shallower somewhere, or takes other pictures or gives other vectors.
    """
    _check(small, large)
    with torch.no_grad():
        _widen(small.blocks[0], large.blocks[0])
        _widen(small.blocks[1], large.blocks[1])
        for few, many in zip(small.stages(), large.stages()):
            for old, new in zip(few, many):
                _widen_block(old, new)
            for new in many[len(few) :]:
                nn.init.zeros_(new.norm2.weight)
        width = small.embedding.in_features
        large.embedding.weight.zero_()
        large.embedding.weight[:, :width] = small.embedding.weight
        large.norm.load_state_dict(small.norm.state_dict())


def _check(small: CompactTower, large: CompactTower) -> None:
    wider = all(len(few) <= len(many) for few, many in zip(small.stages(), large.stages()))
    own, theirs = dict(large.named_parameters()), dict(small.named_parameters())
    for few, many in zip(small.stages(), large.stages()):
        wider = wider and all(old.conv1.out_channels <= new.conv1.out_channels for old, new in zip(few, many))
        wider = wider and all(len(old.shortcut) == len(new.shortcut) for old, new in zip(few, many))
    wider = wider and theirs["blocks.0.weight"].shape[0] <= own["blocks.0.weight"].shape[0]
    same = small.input_spec.channels == large.input_spec.channels and small.embedding_dim == large.embedding_dim
    if not (wider and same):
        raise TowerError(
            f"The {small.name} tower ({small.input_spec}, vectors of {small.embedding_dim}) cannot grow into the "
            f"{large.name} tower ({large.input_spec}, vectors of {large.embedding_dim}): that must be at least as wide "
            "and as deep in every stage, with as many colours and vectors of the same length."
        )


def _widen_block(old: ResidualBlock, new: ResidualBlock) -> None:
    for name in ("conv1", "norm1", "conv2", "norm2"):
        _widen(getattr(old, name), getattr(new, name))
    for before, after in zip(old.shortcut, new.shortcut):
        _widen(before, after)


def _widen(old: nn.Module, new: nn.Module) -> None:
    """Copy a layer's weights into the first channels of a wider one; what those read of new channels is zero."""
    if isinstance(old, nn.Conv2d) and isinstance(new, nn.Conv2d):
        new.weight[: old.out_channels] = 0
        new.weight[: old.out_channels, : old.in_channels] = old.weight
    elif isinstance(old, nn.BatchNorm2d) and isinstance(new, nn.BatchNorm2d):
        values = new.state_dict()
        for name in ("weight", "bias", "running_mean", "running_var"):
            values[name][: old.num_features] = old.state_dict()[name]
