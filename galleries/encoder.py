"""From prepared pixels to vectors: what an encoder is, and the one that runs a tower from an ONNX file.

A tower's ONNX file carries its card, JSON under the metadata key ``emotions.card``; a file without it is not ours.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Protocol, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError, TowerError, first_line, shown
from galleries.providers import open_session, short_name
from galleries.records import parse_json, read_record
from galleries.tower_card import Taught, TowerCard, TowerIdentity

CARD_KEY = "emotions.card"
"""Key of the ONNX custom metadata that holds a tower's card."""

BATCH = 256
"""Pictures an :class:`OnnxEncoder` runs through its tower at once at most."""

_FITS = 1 << 17  # pixel values a CPU thread works on at once, so that what a tower makes of them stays in its caches
_LEAST = 4  # such pictures where they are large: fewer leave weights to be read anew for each


class Encoder(TowerIdentity, Protocol):
    """Anything that turns prepared pixels into vectors."""

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pixels uint8 (B, C, H, W), as ``images.prepare_batch`` gives them, to vectors float32 (B, D)."""


class OnnxEncoder:
    """A tower run by ONNX Runtime.

    Attributes:
        name: The tower's name.
        fingerprint: The fingerprint of its weights.
        input_spec: The pixels it takes.
        embedding_dim: Length D of its vectors.
        metric: The distance its vectors are meant for, ``"cosine"`` or ``"euclidean"``.
        emotions: The emotions it was trained on, canonical names.
        taught: What it was trained on, or None where its file does not tell.
        precision: ``"float32"``, ``"float16"`` or ``"int8"``: what its weights were stored as.
        threads: The CPU threads it was opened with; None if ONNX Runtime chose.
        model: The ONNX file's bytes, as a gallery stores them.

    Args:
        path: The ``.onnx`` file, or its bytes.
        providers: ``"cpu"``, ``"cuda"``, ``"tensorrt"`` or ONNX Runtime's own names, best first. None takes the best
            of these three that this onnxruntime offers.
        threads: CPU threads for one run; None leaves the choice to ONNX Runtime.

    Raises:
        TowerError: The file is missing, damaged, or not a tower of this toolkit.
        ConfigError: A provider this onnxruntime does not offer or cannot start, or a wrong number of threads.
    """

    def __init__(
        self,
        path: Union[str, Path, bytes],
        providers: Optional[Sequence[str]] = None,
        threads: Optional[int] = None,
    ) -> None:
        self.model, where = (path, "the tower") if isinstance(path, bytes) else (_read(Path(path)), str(path))
        self._session = open_session(self.model, where, providers, threads)
        card = _read_card(self._session, where)
        identity = TowerCard.from_json(card)
        self.name = identity.name
        self.fingerprint = identity.fingerprint
        self.input_spec = identity.input_spec
        self.embedding_dim = identity.embedding_dim
        self.metric = str(card.get("metric", "cosine"))
        self.emotions = tuple(str(name) for name in card.get("emotions", ()))
        self.taught = _taught(card, where)
        self.precision = str(card.get("precision", "float32"))
        self.threads = threads
        self._at_once = self._choose_batch()

    @property
    def session(self) -> Any:
        """The ``onnxruntime.InferenceSession`` that runs the tower: ``pixels`` in, ``embedding`` out."""
        return self._session

    @property
    def providers(self) -> List[str]:
        """What the tower runs on: ONNX Runtime's provider names, best first."""
        return list(self._session.get_providers())

    @property
    def provider(self) -> str:
        """What the tower runs on first: ``"tensorrt"``, ``"cuda"``, ``"cpu"``, or ONNX Runtime's name of another."""
        return short_name(self.providers[0])

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn prepared pixels into vectors, at most 256 pictures at a time; on a CPU as many as its caches hold.

        Args:
            pixels: uint8 (B, C, H, W) as ``images.prepare_batch(images, encoder.input_spec)`` gives them; B may be 0.

        Returns:
            float32 (B, D).

        Raises:
            TowerError: The pixels are not the tower's input, or its output is not what its card says.
        """
        spec = self.input_spec
        expected = (spec.channels, spec.height, spec.width)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != expected:
            raise TowerError(
                f"Tower {self.name!r} takes uint8 pixels of shape (B, {', '.join(map(str, expected))}) and was given "
                f"{pixels.dtype} {pixels.shape}; prepare pictures with galleries.images.prepare_batch."
            )
        step = self._at_once
        if 0 < len(pixels) <= step:
            return self._run(np.ascontiguousarray(pixels))
        out = np.empty((len(pixels), self.embedding_dim), np.float32)
        for start in range(0, len(pixels), step):
            out[start : start + step] = self._run(np.ascontiguousarray(pixels[start : start + step]))
        return out

    def _choose_batch(self) -> int:
        if self.provider != "cpu":
            return BATCH
        spec = self.input_spec
        alone = _FITS // (spec.channels * spec.height * spec.width)
        return min(BATCH, max(_LEAST, alone) * (self.threads or os.cpu_count() or 1))

    def _run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            vectors: NDArray[np.float32] = np.asarray(
                self._session.run(["embedding"], {"pixels": batch})[0], np.float32
            )
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise TowerError(f"Tower {self.name!r} failed while running ({first_line(error)}).") from error
        if vectors.shape != (len(batch), self.embedding_dim):
            raise TowerError(
                f"Tower {self.name!r} answered {vectors.shape} where its card promises "
                f"({len(batch)}, {self.embedding_dim}); export it again."
            )
        return vectors


def load_encoder(
    path: Union[str, Path], providers: Optional[Sequence[str]] = None, threads: Optional[int] = None
) -> OnnxEncoder:
    """Open the tower of a run folder, of a gallery folder, or an ``.onnx`` file.

    Args:
        path: A folder with a ``tower.onnx`` inside, or the file itself.
        providers: As :class:`OnnxEncoder`.
        threads: As :class:`OnnxEncoder`.

    Raises:
        TowerError: There is no tower, or it cannot be opened.
        ConfigError: As :class:`OnnxEncoder`.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "tower.onnx").exists():
            raise TowerError(
                f"{path} holds no tower.onnx; give a run folder, a gallery that carries its tower, or an .onnx file."
            )
        path = path / "tower.onnx"
    return OnnxEncoder(path, providers, threads)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TowerError(f"{path} cannot be read as a tower ({error.strerror or error}).") from error


def _read_card(session: Any, where: str) -> Dict[str, Any]:
    text = session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
    if text is None:
        raise TowerError(f"{where} is an ONNX file without a tower's card; export one with: emotions export.")
    try:
        card = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise TowerError(f"{where} carries a damaged card ({error}); export the tower again.") from error
    inputs = {node.name: node.type for node in session.get_inputs()}
    outputs = [node.name for node in session.get_outputs()]
    if not isinstance(card, dict) or inputs != {"pixels": "tensor(uint8)"} or "embedding" not in outputs:
        raise TowerError(
            f"{where} has inputs {shown(inputs)} and outputs {shown(outputs)}; a tower takes 'pixels' (uint8) and "
            "gives 'embedding'."
        )
    if card.get("metric", "cosine") not in ("cosine", "euclidean") or not isinstance(card.get("emotions", []), list):
        raise TowerError(f"{where} carries a card with a wrong metric or emotions; export the tower again.")
    return card


def _taught(card: Dict[str, Any], where: str) -> Optional[Taught]:
    try:
        return read_record(Taught, card["taught"]) if "taught" in card else None
    except DataError as error:
        raise TowerError(f"{where} carries a damaged card ({error}); export the tower again.") from error
