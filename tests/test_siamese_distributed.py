"""Several processes: the pairs across them, their gradient, and a whole run under torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from galleries.errors import TrainingError
from siamese.losses import Objective, parse_loss
from siamese.processes import share_of_process, world_size

ROOT = Path(__file__).parent.parent


@given(st.integers(2, 40), st.integers(1, 5), st.booleans())
def test_processes_share_a_batch_fairly(size: int, world: int, in_pairs: bool) -> None:
    batch = np.arange(100, 100 + size)
    step = 2 if in_pairs else 1
    each = size // world // step * step
    if world > 1 and each < 2:
        with pytest.raises(TrainingError, match="raise --batch-size"):
            share_of_process([batch], world, 0, in_pairs)
        return
    parts = [share_of_process([batch], world, rank, in_pairs)[0] for rank in range(world)]
    together = np.concatenate(parts)
    if world == 1:
        assert np.array_equal(together, batch)
        return
    assert {len(part) for part in parts} == {each}
    assert np.array_equal(np.sort(together), batch[: each * world])
    if in_pairs:  # one after another they are the batch again, so that pairs stay pairs
        assert np.array_equal(together, batch[: each * world])


def test_batches_too_small_for_all_are_left_out() -> None:
    plan = [np.arange(8), np.arange(3), np.arange(6)]
    assert [len(part) for part in share_of_process(plan, 2, 1)] == [4, 3]


def test_one_process_is_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")  # some cluster's, not torchrun's
    assert world_size() == 1
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert world_size() == 4


LOSSES = ["contrastive", "supcon", "triplet", "arcface", "0.5*supcon+cross-entropy"]

GRADIENTS = """
import json, os, sys
sys.path[:0] = [{root!r}]
import torch
torch.set_num_threads(1)
from siamese.losses import Objective, parse_loss
torch.distributed.init_process_group("gloo")
rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
found = {{}}
for loss in {losses!r}:
    torch.manual_seed(0)
    net = torch.nn.Linear(5, 6)
    objective = Objective(parse_loss(loss), 3, 6, distributed=True)
    images = torch.randn(12, 5)[rank::world]
    labels = (torch.arange(12) % 3)[rank::world]
    vectors = net(images)
    total, _ = objective(vectors, vectors[:, :3], labels)
    total.backward()
    for parameter in [net.weight, *objective.parameters()]:
        torch.distributed.all_reduce(parameter.grad)
    found[loss] = [(parameter.grad / world).tolist() for parameter in [net.weight, *objective.parameters()]]
if rank == 0:
    open({out!r}, "w").write(json.dumps(found))
torch.distributed.destroy_process_group()
"""


def torchrun(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"}
    environment.pop("PYTHONWARNINGS", None)
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def test_the_gradient_over_two_processes_is_that_of_one(tmp_path: Path) -> None:
    script, out = tmp_path / "gradients.py", tmp_path / "found.json"
    script.write_text(GRADIENTS.format(root=str(ROOT), losses=LOSSES, out=str(out)))
    done = torchrun([str(script)], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(out.read_text())
    for loss in LOSSES:
        torch.manual_seed(0)
        net = torch.nn.Linear(5, 6)
        objective = Objective(parse_loss(loss), 3, 6)
        images = torch.randn(12, 5)
        order = torch.cat([torch.arange(12)[rank::2] for rank in range(2)])
        vectors = net(images[order])
        total, _ = objective(vectors, vectors[:, :3], (torch.arange(12) % 3)[order])
        total.backward()
        alone = [parameter.grad for parameter in [net.weight, *objective.parameters()]]
        assert len(alone) == len(found[loss])
        for one, two in zip(alone, found[loss]):
            torch.testing.assert_close(torch.tensor(two), one, rtol=1e-4, atol=1e-6)


def test_torchrun_trains_across_two_processes(tmp_path: Path) -> None:
    out = tmp_path / "run"
    common = ["-m", "emotions_cli.cli", "train"]
    options = (
        "--data synthetic:subjects=6,pictures=8,size=32 --tower compact --input-size 16 --epochs 2 --batch-size 16 "
        "--loss supcon --device cpu --threads 1"
    )
    done = torchrun([*common, *options.split(), "--out", str(out), "--json"], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)  # one process alone prints
    assert report["epochs"] == 2
    assert report["precision"] == "float32"
    assert {"run.json", "split.json", "card.json", "tower.onnx", "history.csv", "result.json", "gallery"} <= {
        path.name for path in out.iterdir()
    }
    history = (out / "history.csv").read_text().splitlines()
    assert len(history) == 3
