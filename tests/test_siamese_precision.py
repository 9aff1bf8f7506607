"""Number formats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import run
from tiny_faces import tiny_config, tiny_dataset, tiny_split

from galleries.errors import ConfigError
from siamese.precision import choose_precision
from siamese.training import Trainer


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_other_number_formats(precision: str, tmp_path: Path) -> None:
    result = run(tmp_path, precision=precision, epochs=1)
    assert result.precision in ({"bfloat16"} if precision == "bfloat16" else {"bfloat16", "float32"})
    assert np.isfinite(result.history[0]["loss"])


def test_float16_on_a_cpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="float16 needs a CUDA GPU"):
        run(tmp_path, precision="float16")


def test_choosing_a_precision_changes_nothing_else() -> None:
    dataset = tiny_dataset()
    trainer = Trainer(dataset, tiny_split(dataset), tiny_config(), Path("unused"), "cpu")
    before, weights, threads = torch.get_rng_state(), trainer.learner.tower.fingerprint, torch.get_num_threads()
    auto = replace(trainer.config, precision="auto")
    assert choose_precision(auto, trainer.learner, trainer.feed, "cpu") in ("float32", "bfloat16")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert trainer.learner.tower.fingerprint == weights
    assert all(parameter.grad is None for parameter in trainer.learner.parameters())


def test_they_are_timed_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several, those that wait for a core would count as work, and other programs would decide."""
    dataset = tiny_dataset()
    trainer = Trainer(dataset, tiny_split(dataset), tiny_config(), Path("unused"), "cpu")
    kind, threads = type(trainer.learner), []
    forward = kind.forward

    def watched(*arguments: Any) -> Any:
        threads.append(torch.get_num_threads())
        return forward(*arguments)

    monkeypatch.setattr(kind, "forward", watched)
    choose_precision(replace(trainer.config, precision="auto"), trainer.learner, trainer.feed, "cpu")
    assert set(threads) == {1}
