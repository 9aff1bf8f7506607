"""The towers by name: the five published systems, any torchvision classifier, and our own four."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

from galleries.errors import ConfigError, TowerError, unknown_name
from galleries.images import InputSpec
from siamese.towers.affectnet_cnn import AffectNetCnnTower
from siamese.towers.base import Head, Tower, count_multiply_adds, count_parameters
from siamese.towers.compact import CompactTower, CompactWideTower
from siamese.towers.fer_cnn import FerCnnTower
from siamese.towers.liexnet import LiExNetTower
from siamese.towers.nano import NanoTower
from siamese.towers.siamese_cnn import SiameseTower
from siamese.towers.straight import CompactStraightTower
from siamese.towers.torchvision_tower import TorchvisionTower, torchvision_names

__all__ = [
    "TOWERS",
    "CompactStraightTower",
    "CompactTower",
    "Head",
    "Tower",
    "count_multiply_adds",
    "count_parameters",
    "default_spec",
    "make_tower",
    "tower_names",
]

TOWERS: dict[str, Callable[..., Tower]] = {
    "compact": CompactTower,
    "compact_wide": CompactWideTower,
    "compact_straight": CompactStraightTower,
    "nano": NanoTower,
    "siamese": SiameseTower,
    "liexnet": LiExNetTower,
    "affectnet_cnn": AffectNetCnnTower,
    "fer_cnn": FerCnnTower,
}

_DEFAULT_SPECS: dict[str, InputSpec] = {
    "compact": InputSpec(48, 48, 1),
    "compact_wide": InputSpec(48, 48, 1),
    "compact_straight": InputSpec(48, 48, 1),
    "nano": InputSpec(48, 48, 1),
    "siamese": InputSpec(48, 48, 1, "cubic"),
    "liexnet": InputSpec(128, 128, 3, "linear"),
    "affectnet_cnn": InputSpec(224, 224, 3),
    "fer_cnn": InputSpec(48, 48, 1),
}


def tower_names() -> list[str]:
    """Every name :func:`make_tower` takes."""
    return [*TOWERS, *torchvision_names()]


def default_spec(name: str) -> InputSpec:
    """The input a tower has where none is asked for (96x96x3 for torchvision's)."""
    return _DEFAULT_SPECS.get(name, InputSpec(96, 96, 3))


def make_tower(
    name: str,
    input_spec: InputSpec | None = None,
    input_size: int | None = None,
    embedding_dim: int | None = None,
    weights: str | None = None,
) -> Tower:
    """Build a tower by name.

    Args:
        name: A key of :data:`TOWERS` or a torchvision classifier such as ``"mobilenet_v2"``.
        input_spec: Its whole input; the architecture's own by default.
        input_size: Only the sides of a square input, in pixels; the rest as the architecture has it.
        embedding_dim: Length of its vectors; the architecture's own by default.
        weights: ``"imagenet"`` for a torchvision tower's pretrained weights.

    Returns:
        A tower in training mode, its weights drawn from torch's global random state.

    Raises:
        ConfigError: No tower has that name, or an option does not fit it.
        TowerError: The architecture cannot take that input, or the weights cannot be had.
    """
    spec = input_spec or default_spec(name)
    if input_size is not None:
        spec = replace(spec, height=input_size, width=input_size)
    if embedding_dim is not None and embedding_dim < 1:
        raise ConfigError(f"An embedding of {embedding_dim} numbers was asked for; give 1 or more.")
    options = {} if embedding_dim is None else {"embedding_dim": embedding_dim}
    if name in TOWERS:
        if weights not in (None, "none"):
            raise TowerError(f"Tower {name!r} has no pretrained weights; --weights is for torchvision's classifiers.")
        return TOWERS[name](input_spec=spec, **options)
    if name not in torchvision_names():
        near_and_own = unknown_name("tower", name, tower_names())
        raise near_and_own
    return TorchvisionTower(name, spec, weights=weights, **options)
