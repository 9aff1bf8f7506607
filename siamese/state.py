"""What a run needs to go on after being stopped: weights, averages, optimiser and counters in one safetensors file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from galleries.atomic import write_bytes
from galleries.errors import TrainingError

STATE_FILE = "state.safetensors"
_ADVICE = "start the run anew without --resume"


@dataclass(frozen=True)
class SavedState:
    """A training state as read from a run, its checksum checked.

    Attributes:
        path: Its file.
        facts: Counters and history, as given to :func:`save_state`.
        tensors: ``module/weight`` and ``optimizer/position/slot`` to tensor.
        scalars: ``position/slot`` of the optimiser's plain numbers.
    """

    path: Path
    facts: dict[str, Any]
    tensors: Mapping[str, Tensor]
    scalars: Mapping[str, float]

    def apply(self, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer) -> None:
        """Put the state back into modules and optimiser.

        Raises:
            TrainingError: It is of another configuration.
        """
        try:
            for name, module in modules.items():
                start = f"{name}/"
                module.load_state_dict({k[len(start) :]: v for k, v in self.tensors.items() if k.startswith(start)})
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": self._slots(optimizer), "param_groups": groups})
        except (KeyError, ValueError, RuntimeError, IndexError) as error:
            raise TrainingError(
                f"{self.path} belongs to another configuration ({str(error).splitlines()[0]}); {_ADVICE}."
            ) from error

    def _slots(self, optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Any]]:
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        slots: dict[int, dict[str, Any]] = {}
        for key, value in self.tensors.items():
            if key.startswith("optimizer/"):
                _, position, slot = key.split("/")
                weight = weights[int(position)]
                # the memory format of the weight, so that the sums round as they would have
                kept = torch.empty_like(weight, device="cpu").copy_(value) if value.shape == weight.shape else value
                slots.setdefault(int(position), {})[slot] = kept.detach()
        for key, number in self.scalars.items():
            position, slot = key.split("/")
            slots.setdefault(int(position), {})[slot] = number
        return slots


def save_state(
    folder: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, facts: Mapping[str, Any]
) -> None:
    """Write the training state atomically.

    Args:
        folder: The run.
        modules: Every module that changes, by name.
        optimizer: Its per-weight tensors are kept by position.
        facts: JSON-able counters and history.

    Raises:
        EmotionsError: The disk is full or the place cannot be written; the state that was there is unharmed.
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
    packed = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    metadata = {"facts": json.dumps(facts), "optimizer": json.dumps(scalars)}
    metadata["digest"] = _digest(packed, metadata)
    write_bytes(folder / STATE_FILE, save_tensors(packed, metadata))


def read_state(folder: Path) -> SavedState:
    """Read a run's training state and check it.

    Raises:
        TrainingError: There is none, or it is damaged.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        raise TrainingError(f"{folder} cannot be resumed: it has no {STATE_FILE}. Give the folder of a started run.")
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
        if metadata.pop("digest", "") != _digest(tensors, metadata):
            raise ValueError("its checksum differs")
        facts, scalars = json.loads(metadata["facts"]), json.loads(metadata["optimizer"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise TrainingError(f"{path} is damaged ({str(error).splitlines()[0]}); {_ADVICE}.") from error
    return SavedState(path, facts, tensors, scalars)


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """BLAKE2b over the names, shapes, types and bytes of all tensors, and over the metadata."""
    state = hashlib.blake2b(digest_size=32)
    for key, text in sorted(metadata.items()):
        state.update(f"{key} {len(text)} {text}".encode())
    for key, value in sorted(tensors.items()):
        state.update(f"{key} {tuple(value.shape)} {value.dtype}".encode())
        state.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()
