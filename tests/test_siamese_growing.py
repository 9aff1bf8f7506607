"""A grown tower gives the same vectors, learns with all it has, and refuses what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_faces import EMOTIONS

from galleries.errors import TowerError
from galleries.images import InputSpec
from siamese.checkpoint import initialise_from, save_checkpoint
from siamese.growing import grow
from siamese.towers import make_tower
from siamese.towers.compact import CompactTower

SPEC = InputSpec(20, 16, 1)


def a_tower(widths: tuple[int, int, int, int], depths: tuple[int, int, int], seed: int = 0) -> CompactTower:
    """A tower whose batch norms have seen something, so that none is the identity."""
    torch.manual_seed(seed)
    tower = CompactTower(SPEC, 8, widths, depths)
    for layer in tower.modules():
        if isinstance(layer, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.normal_(layer.bias)
    with torch.no_grad():
        for _ in range(3):
            tower(pictures())
    return tower.eval()


def pictures(seed: int = 5) -> torch.Tensor:
    return torch.randint(0, 256, (6, 1, 20, 16), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("widths", "depths"),
    [
        ((6, 12, 14, 18), (2, 2, 3)),
        ((4, 8, 10, 12), (2, 3, 2)),
        ((5, 8, 10, 12), (1, 2, 2)),
        ((4, 9, 11, 13), (1, 2, 2)),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_it_gives_the_same_vectors(
    widths: tuple[int, int, int, int], depths: tuple[int, int, int], training: bool
) -> None:
    small = a_tower((4, 8, 10, 12), (1, 2, 2))
    large = CompactTower(SPEC, 8, widths, depths)
    grow(small, large)
    small.train(training)
    large.train(training)
    with torch.no_grad():
        expected = small(pictures())
        assert float(expected.std()) > 0.1
        torch.testing.assert_close(large(pictures()), expected, atol=1e-4, rtol=1e-4)


def test_all_of_it_learns() -> None:
    large = CompactTower(SPEC, 8, (6, 12, 14, 18), (2, 3, 3))
    grow(a_tower((4, 8, 10, 12), (1, 2, 2)), large)
    large.train()
    optimizer = torch.optim.SGD(large.parameters(), lr=0.02)
    for seed in range(3):  # what nothing reads yet learns once it is read
        optimizer.zero_grad()
        large(pictures(seed)).square().mean().backward()
        optimizer.step()
    for key, value in large.named_parameters():
        assert value.grad is not None
        learns = value.grad.flatten(1).any(1) if value.ndim > 1 else value.grad != 0
        assert float(learns.float().mean()) > 0.7, key  # a channel in which no unit fires learns nothing


@pytest.mark.parametrize(
    ("spec", "dim", "widths", "depths"),
    [
        (SPEC, 8, (4, 8, 9, 12), (1, 2, 2)),
        (SPEC, 8, (3, 8, 10, 12), (1, 2, 2)),
        (SPEC, 8, (4, 8, 10, 12), (1, 2, 1)),
        (SPEC, 7, (4, 8, 10, 12), (1, 2, 2)),
        (InputSpec(20, 16, 3), 8, (4, 8, 10, 12), (1, 2, 2)),
    ],
)
def test_what_is_smaller_somewhere_is_refused(
    spec: InputSpec, dim: int, widths: tuple[int, int, int, int], depths: tuple[int, int, int]
) -> None:
    large = CompactTower(spec, dim, widths, depths)
    before = large.fingerprint
    with pytest.raises(TowerError, match=r"^The compact tower \(.*\) cannot grow into the compact tower .*\.$"):
        grow(a_tower((4, 8, 10, 12), (1, 2, 2)), large)
    assert large.fingerprint == before


def test_a_compact_run_begins_a_wider_one(tmp_path: Path) -> None:
    torch.manual_seed(1)
    small = make_tower("compact", SPEC, embedding_dim=8)
    save_checkpoint(tmp_path, small, None, EMOTIONS, {})
    large = make_tower("compact_wide", SPEC, embedding_dim=8)
    assert initialise_from(large, tmp_path) == []
    with torch.no_grad():
        torch.testing.assert_close(large.eval()(pictures()), small.eval()(pictures()), atol=1e-4, rtol=1e-4)
    save_checkpoint(tmp_path, large, None, EMOTIONS, {})
    with pytest.raises(TowerError, match="cannot grow into the compact tower"):
        initialise_from(make_tower("compact", SPEC, embedding_dim=8), tmp_path)


def test_a_straightened_tower_starts_from_one_that_is_not_but_not_back(tmp_path: Path) -> None:
    wide, straight = (make_tower(name, InputSpec(16, 16, 1)) for name in ("compact_wide", "compact_straight"))
    save_checkpoint(tmp_path / "wide", wide, None, EMOTIONS, {})
    save_checkpoint(tmp_path / "straight", straight, None, EMOTIONS, {})
    assert initialise_from(straight, tmp_path / "wide") == []
    own = straight.state_dict()
    assert all(torch.equal(own[key], value) for key, value in wide.state_dict().items())
    with pytest.raises(TowerError, match="holds a compact_straight tower; a compact_wide tower was to be started"):
        initialise_from(wide, tmp_path / "straight")
