from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from galleries.errors import EmotionsError, TrainingError
from siamese.state import STATE_FILE, read_state, save_state

FACTS = {"progress": {"epoch": 3, "history": [{"loss": 0.25}]}, "note": "é"}


def trained(kind: str, seed: int = 0, steps: int = 3, width: int = 4) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.LazyLinear(2))
    net(torch.zeros(1, 3, 5, 5))
    net = net.to(memory_format=torch.channels_last)
    optimizers: dict[str, Any] = {
        "sgd": lambda: torch.optim.SGD(net.parameters(), 0.1, momentum=0.9),
        "adam": lambda: torch.optim.Adam(net.parameters(), 0.01),
        "adamw": lambda: torch.optim.AdamW(net.parameters(), 0.01),
    }
    optimizer = optimizers[kind]()
    for step in range(steps):
        one_step(net, optimizer, step)
    return net, optimizer


def one_step(net: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    images = torch.rand(6, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    net(images.contiguous(memory_format=torch.channels_last)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
def test_a_restored_state_goes_on_bit_for_bit(kind: str, tmp_path: Path) -> None:
    net, optimizer = trained(kind)
    save_state(tmp_path, {"net": net}, optimizer, FACTS)
    other, its_optimizer = trained(kind, seed=9, steps=0 if kind == "sgd" else 5)
    saved = read_state(tmp_path)
    assert saved.facts == FACTS
    saved.apply({"net": other}, its_optimizer)
    for step in range(3):
        one_step(net, optimizer, 10 + step)
        one_step(other, its_optimizer, 10 + step)
    for key, value in net.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key


def test_a_state_before_the_first_step(tmp_path: Path) -> None:
    net, optimizer = trained("adam", steps=0)
    save_state(tmp_path, {"net": net}, optimizer, {})
    read_state(tmp_path).apply({"net": net}, optimizer)
    one_step(net, optimizer, 0)


def test_a_state_of_another_configuration_is_refused(tmp_path: Path) -> None:
    net, optimizer = trained("sgd")
    save_state(tmp_path, {"net": net}, optimizer, FACTS)
    wider, its_optimizer = trained("sgd", width=5)
    with pytest.raises(TrainingError, match="belongs to another configuration"):
        read_state(tmp_path).apply({"net": wider}, its_optimizer)
    with pytest.raises(TrainingError, match="belongs to another configuration"):
        read_state(tmp_path).apply({"net": net, "average": net}, optimizer)


def test_a_missing_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"has no state\.safetensors"):
        read_state(tmp_path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_noticed(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / STATE_FILE
    good = tmp_path / "good"
    if not good.exists():
        net, optimizer = trained("adam")
        save_state(tmp_path, {"net": net}, optimizer, FACTS)
        good.write_bytes(path.read_bytes())
    content = bytearray(good.read_bytes())
    if data.draw(st.booleans(), "flip"):
        place = data.draw(st.one_of(st.integers(0, 60), st.integers(0, len(content) - 1)), "place")
        content[place] ^= 1 << data.draw(st.integers(0, 7), "bit")
    else:
        content = content[: data.draw(st.integers(0, len(content) - 1), "length")]
    path.write_bytes(bytes(content))
    with pytest.raises(TrainingError, match="is damaged"):
        read_state(tmp_path)


def test_a_full_disk_leaves_the_former_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, optimizer = trained("sgd")
    save_state(tmp_path, {"net": net}, optimizer, FACTS)
    before = (tmp_path / STATE_FILE).read_bytes()
    one_step(net, optimizer, 4)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("galleries.atomic.os.fsync", full)
        with pytest.raises(EmotionsError, match="No space left on device"):
            save_state(tmp_path, {"net": net}, optimizer, FACTS)
    assert (tmp_path / STATE_FILE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]
