from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_faces import EMOTIONS

from galleries.errors import EmotionsError, TowerError
from siamese.checkpoint import (
    CARD_FILE,
    WEIGHTS_FILE,
    initialise_from,
    load_checkpoint,
    read_card,
    save_checkpoint,
)
from siamese.towers import Tower, make_tower


def saved(folder: Path, seed: int = 0, head: bool = True, emotions: tuple[str, ...] = EMOTIONS) -> Tower:
    torch.manual_seed(seed)
    tower = make_tower("liexnet", input_size=16)
    save_checkpoint(folder, tower, tower.make_head(len(emotions)) if head else None, emotions, {"epoch": 4})
    return tower


@pytest.mark.parametrize("head", [True, False])
def test_a_checkpoint_comes_back(tmp_path: Path, head: bool) -> None:
    tower = saved(tmp_path, head=head)
    found = load_checkpoint(tmp_path)
    assert found.tower.fingerprint == tower.fingerprint
    assert found.tower.input_spec == tower.input_spec
    assert not found.tower.training
    assert (found.head is not None) == head
    assert found.emotions == EMOTIONS
    assert found.card["epoch"] == 4
    assert found.card["fingerprint"] == tower.fingerprint


@pytest.mark.parametrize("name", ["compact", "siamese", "affectnet_cnn", "fer_cnn", "shufflenet_v2_x0_5"])
def test_every_kind_of_tower_comes_back(tmp_path: Path, name: str) -> None:
    size = 41 if name == "siamese" else 32
    tower = make_tower(name, input_size=size, embedding_dim=12)
    save_checkpoint(tmp_path, tower, None, EMOTIONS, {})
    found = load_checkpoint(tmp_path).tower
    pixels = torch.randint(0, 256, (2, tower.input_spec.channels, size, size), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(found(pixels), tower.eval()(pixels))


def damaged(content: bytearray, data: st.DataObject) -> bytes:
    kind = data.draw(st.sampled_from(["flip", "cut", "swap"]))
    if kind == "cut":
        return bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = (
        content[place] ^ (1 << data.draw(st.integers(0, 7))) if kind == "flip" else data.draw(st.integers(0, 255))
    )
    return bytes(content)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from([WEIGHTS_FILE, CARD_FILE, CARD_FILE]))
def test_damage_is_told_or_harmless(tmp_path: Path, data: st.DataObject, name: str) -> None:
    whole = tmp_path / "good"
    if not whole.exists():
        saved(whole)
    run = tmp_path / "run"
    run.mkdir(exist_ok=True)
    for file in (WEIGHTS_FILE, CARD_FILE):
        content = (whole / file).read_bytes()
        (run / file).write_bytes(damaged(bytearray(content), data) if file == name else content)
    good = load_checkpoint(whole)
    reason = ""
    try:
        found = load_checkpoint(run)
    except TowerError as error:
        reason = str(error)
    if reason:
        assert str(run) in reason
        return
    assert (run / WEIGHTS_FILE).read_bytes() == (whole / WEIGHTS_FILE).read_bytes()
    assert found.tower.fingerprint == good.tower.fingerprint
    assert found.emotions == good.emotions
    essential = ("tower", "input", "metric", "fingerprint", "emotions", "has_head")
    assert [found.card[key] for key in essential] == [good.card[key] for key in essential]


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"tower": "compact"}, "does not fit its card"),
        ({"tower": ["liexnet"]}, "does not fit its card"),
        ({"embedding_dim": 25}, "does not fit its card"),
        ({"embedding_dim": 10**15}, "does not fit its card"),
        ({"embedding_dim": "24"}, "does not fit its card"),
        ({"input": {"height": 16}}, "does not fit its card"),
        ({"input": {"height": 18, "width": 16, "channels": 3, "interpolation": "linear"}}, "fingerprint"),
        ({"emotions": ["anger", "fear"]}, "does not fit its card"),
        ({"emotions": ["anger", "fear", "sadnes"]}, "its emotions is"),
        ({"metric": "euclidean"}, "its metric is"),
        ({"input": {"height": 16, "width": 16, "channels": 3, "interpolation": "cubic"}}, "its input is"),
        ({"emotions": 3}, "does not fit its card"),
        ({"fingerprint": "0" * 32}, "fingerprint"),
        ({"format_version": 2}, "format version 2"),
        ({"weights": None}, "checksum differs"),
    ],
)
def test_a_card_that_does_not_fit(tmp_path: Path, change: dict[str, Any], hint: str) -> None:
    saved(tmp_path)
    card = json.loads((tmp_path / CARD_FILE).read_text())
    (tmp_path / CARD_FILE).write_text(json.dumps({**card, **change}))
    with pytest.raises(TowerError, match=hint):
        load_checkpoint(tmp_path)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(TowerError, match="not a finished run"):
        load_checkpoint(tmp_path)
    saved(tmp_path)
    for text in ("[]", "3", '"card"', "{}", "null", "[" * 100_000):
        (tmp_path / CARD_FILE).write_text(text)
        with pytest.raises(TowerError, match=r"not a card|cannot be read as JSON"):
            read_card(tmp_path)
    saved(tmp_path)
    (tmp_path / WEIGHTS_FILE).unlink()
    with pytest.raises(TowerError, match="cannot be read"):
        load_checkpoint(tmp_path)


def test_a_huge_header_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    import hashlib

    saved(tmp_path)
    data = (2**60).to_bytes(8, "little") + b"{}"
    (tmp_path / WEIGHTS_FILE).write_bytes(data)
    with pytest.raises(TowerError, match="checksum differs"):
        load_checkpoint(tmp_path)
    card = json.loads((tmp_path / CARD_FILE).read_text())
    card["weights"]["sha256"] = hashlib.sha256(data).hexdigest()
    (tmp_path / CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(TowerError, match="not a safetensors file"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("fails_at", range(1, 6))
def test_a_full_disk_leaves_the_former_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    before = saved(tmp_path).fingerprint
    calls = 0
    real = os.fsync

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError(28, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr("galleries.atomic.os.fsync", full)
        try:
            after = saved(tmp_path, seed=1).fingerprint
        except EmotionsError:
            after = before
    if fails_at <= 2:  # the card's place, the weights' place: nothing has been replaced yet
        assert after == before
        assert load_checkpoint(tmp_path).tower.fingerprint == before
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_tower_starts_from_another_runs_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = make_tower("siamese", input_size=41, embedding_dim=8)
    save_checkpoint(tmp_path, small, None, EMOTIONS, {})
    large = make_tower("siamese", input_size=60, embedding_dim=8)
    anew = initialise_from(large, tmp_path)
    assert anew == ["fc.weight"]
    for key, value in small.state_dict().items():
        if key.startswith("convolutions"):
            assert torch.equal(value, large.state_dict()[key])
    with pytest.raises(TowerError, match="holds a siamese tower; a compact tower"):
        initialise_from(make_tower("compact", input_size=16), tmp_path)
