"""Where a run computes: the device, the number format, and the processes of a ``torchrun``.

Started as ``torchrun --nproc_per_node 2 -m emotions_cli.cli train …``, every process takes its part of each batch,
pairs are formed across them, and the one with rank 0 alone validates, decides, writes and prints.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from galleries.errors import ConfigError, TrainingError, require

_FABRIC_PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


def world_size() -> int:
    """How many processes train together: 1, or what ``torchrun`` was told."""
    return int(os.environ["WORLD_SIZE"]) if torch.distributed.is_torchelastic_launched() else 1


def pick_device(name: str) -> str:
    """Check a device's name; ``"auto"`` becomes ``"cuda"`` where PyTorch sees a GPU, else ``"cpu"``.

    Raises:
        ConfigError: It is none of ``auto``, ``cpu``, ``cuda`` and ``cuda:N``, or there is no such GPU.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, ordinal = name.partition(":")
    sound = kind in ("cpu", "cuda") and (":" not in name or (kind == "cuda" and ordinal.isdecimal()))
    if not sound:
        raise ConfigError(f"{name!r} is no device; use auto, cpu, cuda or cuda:N.")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"--device {name} was given, but PyTorch sees no CUDA GPU here; use --device cpu.")
    if ordinal and int(ordinal) >= torch.cuda.device_count():
        raise ConfigError(f"--device {name} was given, but there are {torch.cuda.device_count()} GPUs, from cuda:0 on.")
    return name


def make_fabric(device: str, precision: str) -> Any:
    """A launched Lightning Fabric for a device (of :func:`pick_device`) and number format.

    Args:
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        precision: ``"float32"``, ``"bfloat16"`` or ``"float16"``.

    Raises:
        ConfigError: float16 was asked for on a CPU, which trains in it neither well nor fast.
    """
    if precision == "float16" and device == "cpu":
        raise ConfigError("Precision float16 needs a CUDA GPU; on a CPU use --precision bfloat16, float32 or auto.")
    fabric_class = require("lightning_fabric", "train").Fabric
    accelerator, _, ordinal = device.partition(":")
    world = world_size()
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    devices: Any = local if world > 1 else ([int(ordinal)] if ordinal else 1)
    fabric = fabric_class(
        accelerator=accelerator,
        devices=devices,
        num_nodes=max(1, world // local) if world > 1 else 1,
        strategy="ddp" if world > 1 else "auto",
        precision=_FABRIC_PRECISIONS[precision],
    )
    fabric.launch()
    return fabric


def share_of_process(
    plan: list[NDArray[np.int64]], world: int, rank: int, in_pairs: bool = False
) -> list[NDArray[np.int64]]:
    """A process' part of every batch of the plan; all processes get the same number of pictures in each.

    Args:
        plan: The batches of an epoch, each int64 (B,), alike in every process.
        world: Number of processes.
        rank: This one's number.
        in_pairs: Whether rows 0-1, 2-3 … of a batch are pairs. Then a process gets neighbouring whole pairs, so that
            the processes' parts one after another are the batch again; else every ``world``-th row.

    Returns:
        The parts; a batch too small to give every process two pictures is left out.

    Raises:
        TrainingError: No batch is left.
    """
    if world == 1:
        return plan
    parts = []
    for rows in plan:
        size = len(rows) // world
        size -= size % 2 if in_pairs else 0
        if size >= 2:
            parts.append(rows[rank * size : (rank + 1) * size] if in_pairs else rows[rank : size * world : world])
    if not parts:
        raise TrainingError(
            f"No batch is large enough for {world} processes with 2 pictures each; raise --batch-size, add pictures, "
            "or start fewer processes."
        )
    return parts
