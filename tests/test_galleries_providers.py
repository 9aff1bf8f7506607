"""Which execution provider runs a tower, and what is told when the one asked for does not start."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest
from onnx_towers import write_tower

from galleries.encoder import OnnxEncoder
from galleries.errors import ConfigError
from galleries.providers import choose_providers, open_session, short_name

runtime = pytest.importorskip("onnxruntime")


def pretend(monkeypatch: pytest.MonkeyPatch, offered: List[str], starting: List[str]) -> List[Any]:
    """An ONNX Runtime that offers some providers, of which only some start. Gives what sessions are asked for."""
    asked: List[Any] = []

    class Session:
        def __init__(self, model: bytes, options: Any, providers: List[str]) -> None:
            asked.append((providers, options.intra_op_num_threads))
            self.running = [name for name in providers if name in starting] or ["CPUExecutionProvider"]

        def get_providers(self) -> List[str]:
            return self.running

        def get_inputs(self) -> List[Any]:
            return []

        def get_outputs(self) -> List[Any]:
            return []

        def get_modelmeta(self) -> Any:
            return SimpleNamespace(custom_metadata_map={})

    monkeypatch.setattr(runtime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(runtime, "InferenceSession", Session)
    return asked


CUDA = ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_the_best_that_is_offered_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pretend(monkeypatch, ["CPUExecutionProvider", "CUDAExecutionProvider", "AzureExecutionProvider"], CUDA)
    assert open_session(b"", "x").get_providers() == CUDA
    assert asked == [(CUDA, 0)]


def test_where_the_best_does_not_start_the_next_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, CUDA, CUDA[1:])
    assert open_session(b"", "x").get_providers() == CUDA[1:]


def test_one_asked_for_by_name_must_start(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, CUDA, CUDA[1:])
    with pytest.raises(ConfigError, match="cuda was asked for, but ONNX Runtime could not start it here and took cpu"):
        open_session(b"", "x", ["cuda"])


def test_threads_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pretend(monkeypatch, CUDA, CUDA)
    open_session(b"", "x", "cpu", 3)
    assert asked == [(["CPUExecutionProvider"], 3)]


def test_an_encoder_tells_what_it_runs_on(tmp_path: Path) -> None:
    encoder = OnnxEncoder(write_tower(tmp_path / "tower.onnx"), ["cpu"], 2)
    assert (encoder.provider, encoder.providers[0], encoder.threads) == ("cpu", "CPUExecutionProvider", 2)
    assert encoder.precision == "float32"


def test_names() -> None:
    assert short_name("TensorrtExecutionProvider") == "tensorrt"
    assert short_name("QNNExecutionProvider") == "QNNExecutionProvider"
    assert "CPUExecutionProvider" in choose_providers()


def test_threads_rest_between_runs(tmp_path: Path) -> None:
    options = OnnxEncoder(write_tower(tmp_path / "t.onnx"), ["cpu"], 2).session.get_session_options()
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"
