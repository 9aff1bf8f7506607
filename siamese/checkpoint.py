"""Towers on disk: ``tower.safetensors`` and ``card.json``, plain files without pickle, checked when read back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from galleries.atomic import sync, write_bytes, write_with
from galleries.errors import EmotionsError, TowerError
from galleries.images import InputSpec
from galleries.shipped import is_shipped, open_shipped
from siamese.growing import grow
from siamese.restoring import restore
from siamese.towers import CompactStraightTower, CompactTower, Tower, make_tower

WEIGHTS_FILE = "tower.safetensors"
CARD_FILE = "card.json"
FORMAT_VERSION = 1


@dataclass
class Checkpoint:
    """A tower read from a run.

    Attributes:
        tower: In evaluation mode.
        head: The softmax head, or None if the tower was trained without one.
        emotions: What the head's outputs and the training labels mean.
        card: The whole ``card.json``.
    """

    tower: Tower
    head: nn.Module | None
    emotions: tuple[str, ...]
    card: dict[str, Any]


def save_checkpoint(
    folder: Path, tower: Tower, head: nn.Module | None, emotions: tuple[str, ...], card: Mapping[str, Any]
) -> dict[str, Any]:
    """Write a tower's weights and card into a run folder: both, or neither where the disk is full.

    Args:
        folder: The run; made if missing.
        tower: The tower.
        head: Its head, or None.
        emotions: Names of the labels.
        card: What else to tell: data, recipe, metrics.

    Returns:
        The card as written.

    Raises:
        EmotionsError: The disk is full or the place cannot be written; what was there is unharmed.
    """
    tensors = {f"tower.{key}": value for key, value in tower.state_dict().items()}
    if head is not None:
        tensors.update({f"head.{key}": value for key, value in head.state_dict().items()})
    essentials: dict[str, Any] = {
        "tower": tower.name,
        "input": tower.input_spec.to_json(),
        "embedding_dim": tower.embedding_dim,
        "metric": tower.metric,
        "fingerprint": tower.fingerprint,
        "emotions": list(emotions),
        "has_head": head is not None,
    }
    data = pack(tensors, {"essentials": json.dumps(essentials)})
    full: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        **essentials,
        "weights": {"file": WEIGHTS_FILE, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()},
        **card,
    }
    text = json.dumps(full, indent=2, ensure_ascii=False) + "\n"

    def write_both(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")
        sync(temporary)  # the card has its place on the disk before the weights are replaced
        write_bytes(folder / WEIGHTS_FILE, data)

    write_with(folder / CARD_FILE, write_both)
    return full


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Read a run's tower, checked against its card.

    Args:
        folder: The run, or ``"pretrained"`` for the tower that comes with the toolkit.

    Raises:
        TowerError: A file is missing, damaged, or of another tower; the sentence says which.
        GalleryError: What comes with the toolkit is missing or damaged.
    """
    folder = Path(folder)
    if is_shipped(folder):
        return _load_shipped()
    card = read_card(folder)
    data = read_checked(folder / WEIGHTS_FILE, card["weights"])
    tensors = unpack(data, folder / WEIGHTS_FILE)
    try:
        spec = InputSpec.from_json(card["input"])
        tower = make_tower(card["tower"], spec, embedding_dim=card["embedding_dim"])
        emotions = tuple(str(name) for name in card["emotions"])
        tower.load_state_dict(_part(tensors, "tower."))
        head = tower.make_head(len(emotions)) if card["has_head"] else None
        if head is not None:
            head.load_state_dict(_part(tensors, "head."))
            head.eval()
    except (EmotionsError, KeyError, TypeError, ValueError, RuntimeError, MemoryError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise TowerError(
            f"The tower in {folder} does not fit its card ({reason}); train or copy the run again."
        ) from error
    tower.eval()
    if tower.fingerprint != card["fingerprint"]:
        raise TowerError(
            f"The tower in {folder} has the fingerprint {tower.fingerprint[:12]}, its card says "
            f"{str(card['fingerprint'])[:12]}; the two files belong to different runs, or one is damaged."
        )
    for key, value in json.loads(_metadata(data).get("essentials", "{}")).items():
        if card[key] != value:
            raise TowerError(
                f"{folder / CARD_FILE} is damaged: its {key} is {card[key]!r}, but {WEIGHTS_FILE} was saved with "
                f"{value!r}."
            )
    return Checkpoint(tower, head, emotions, card)


def _load_shipped() -> Checkpoint:
    """The tower that comes with the toolkit; its head is not kept."""
    bundle = open_shipped(["cpu"])
    tower = restore(bundle.encoder.model, bundle.encoder.input_spec, bundle.encoder.name)
    return Checkpoint(tower, None, tuple(bundle.encoder.emotions), bundle.card)


def read_card(folder: Path) -> dict[str, Any]:
    """Read and check a run's ``card.json``.

    Raises:
        TowerError: It is missing, no JSON object, or lacks a field.
    """
    path = folder / CARD_FILE
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TowerError(
            f"{folder} is not a finished run: it has no {CARD_FILE}. Give the folder that emotions train wrote."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise TowerError(f"{path} cannot be read as JSON ({error}); copy it from a good run.") from error
    needed = ("tower", "input", "embedding_dim", "metric", "fingerprint", "emotions", "has_head", "weights")
    missing = [key for key in needed if not isinstance(card, dict) or key not in card]
    if missing:
        raise TowerError(f"{path} lacks {', '.join(missing)}; it is not a card of this toolkit.")
    if card.get("format_version") != FORMAT_VERSION:
        raise TowerError(f"{path} has format version {card.get('format_version')!r}; this toolkit reads version 1.")
    result: dict[str, Any] = card
    return result


def read_checked(path: Path, entry: Any) -> bytes:
    """Read a file and check its size and SHA-256 against ``{"bytes": …, "sha256": …}`` before anything parses it.

    Raises:
        TowerError: It is missing or differs.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TowerError(f"{path} cannot be read ({error.strerror or error}).") from error
    if not isinstance(entry, dict) or entry.get("sha256") != hashlib.sha256(data).hexdigest():
        raise TowerError(
            f"{path} is damaged or not the file that was saved ({len(data)} bytes, checksum differs from the card's)."
        )
    return data


def pack(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Tensors as safetensors bytes: names, values, and some text."""
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    return bytes(save_tensors(plain, dict(metadata) if metadata else None))


def unpack(data: bytes, path: Path) -> dict[str, Tensor]:
    """Safetensors bytes as tensors.

    Raises:
        TowerError: The bytes are no safetensors file; ``path`` names it.
    """
    try:
        return load_tensors(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise TowerError(f"{path} is not a safetensors file ({error}).") from error


def _metadata(data: bytes) -> dict[str, str]:
    """The text that :func:`pack` put into checked safetensors bytes: 8 bytes of length, then a JSON header."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    found: dict[str, str] = header.get("__metadata__", {})
    return found


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}


def initialise_from(tower: Tower, folder: str | Path) -> list[str]:
    """Start a tower from another run's weights, where they fit: same name and shape.

    The way the siamese paper moved from CK+ at 48x48 to KDEF at 100x100: convolutions carried over, the fully
    connected layer made anew.

    Args:
        tower: Changed in place.
        folder: A run, of the same architecture at any input size.

    Returns:
        Names of the weights that were left as they are (new), for telling the person.

    Raises:
        TowerError: The run cannot be read, or nothing of it fits.
    """
    folder = Path(folder)
    saved = load_checkpoint(folder).tower
    if saved.name != tower.name:
        straight = isinstance(saved, CompactStraightTower)  # a tower without a straightener would see other pictures
        if isinstance(saved, CompactTower) and isinstance(tower, CompactTower) and not straight:
            grow(saved, tower)
            return []
        raise TowerError(f"{folder} holds a {saved.name} tower; a {tower.name} tower was to be started from it.")
    own = tower.state_dict()
    fitting = {key: value for key, value in saved.state_dict().items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise TowerError(f"No weight of {folder} fits the {tower.name} tower asked for.")
    with torch.no_grad():
        tower.load_state_dict({**own, **fitting})
    return sorted(set(own) - set(fitting))


__all__ = [
    "Checkpoint",
    "initialise_from",
    "load_checkpoint",
    "pack",
    "read_card",
    "read_checked",
    "save_checkpoint",
    "unpack",
]
