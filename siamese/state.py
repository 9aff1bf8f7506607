"""What a run needs to go on after being stopped: weights, averages, optimiser and counters in one safetensors file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from galleries.atomic import write_bytes
from galleries.errors import TrainingError

STATE_FILE = "state.safetensors"


def save_state(folder: Path, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer, facts: Any) -> None:
    """Write the training state atomically.

    Args:
        folder: The run.
        modules: Every module that changes, by name.
        optimizer: Its per-weight tensors are kept by position.
        facts: JSON-able counters and history.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        tensors.update({f"{name}/{key}": value for key, value in module.state_dict().items()})
    scalars: dict[str, float] = {}
    for position, entry in optimizer.state_dict()["state"].items():
        for key, value in entry.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{position}/{key}"] = value
            elif value is not None:
                scalars[f"{position}/{key}"] = float(value)
    packed = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    metadata = {"facts": json.dumps(facts), "optimizer": json.dumps(scalars)}
    write_bytes(folder / STATE_FILE, save_tensors(packed, metadata))


def restore_state(folder: Path, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer) -> Any:
    """Read the training state back into modules and optimiser.

    Returns:
        The ``facts`` that were saved.

    Raises:
        TrainingError: There is no state, or it is damaged or of another configuration.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        raise TrainingError(f"{folder} cannot be resumed: it has no {STATE_FILE}. Give the folder of a started run.")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
        facts = json.loads(metadata["facts"])
        scalars = json.loads(metadata["optimizer"])
        for name, module in modules.items():
            start = f"{name}/"
            module.load_state_dict({k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)})
        state: dict[int, dict[str, Any]] = {}
        for key, value in [*tensors.items(), *((f"optimizer/{k}", v) for k, v in scalars.items())]:
            if key.startswith("optimizer/"):
                _, position, slot = key.split("/")
                state.setdefault(int(position), {})[slot] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(
            f"{path} is damaged or belongs to another configuration ({str(error).splitlines()[0]}); "
            "start the run anew without --resume."
        ) from error
    return facts
