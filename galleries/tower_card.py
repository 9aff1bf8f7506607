"""Which tower vectors come from, as galleries remember it, so that vectors of two towers are never mixed."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Protocol

import numpy as np

from galleries.errors import ConfigError, EncoderMismatch, GalleryError, TowerError
from galleries.images import InputSpec
from galleries.vectors import Vectors


class TowerIdentity(Protocol):
    """Which tower vectors come from. Encoders, :class:`TowerCard` and torch towers all have these attributes."""

    @property
    def name(self) -> str:
        """The tower's name, such as ``"compact"``."""

    @property
    def fingerprint(self) -> str:
        """Hex digits that change with the architecture, the input or any weight."""

    @property
    def input_spec(self) -> InputSpec:
        """The pixels the tower takes."""

    @property
    def embedding_dim(self) -> int:
        """Length D of the tower's vectors."""


@dataclass(frozen=True)
class TowerCard:
    """A tower's identity, as a gallery remembers it.

    Attributes:
        name: The tower's name.
        fingerprint: Hex digits that name its exact weights.
        input_spec: The pixels it takes.
        embedding_dim: Length D of its vectors.
    """

    name: str
    fingerprint: str
    input_spec: InputSpec
    embedding_dim: int

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TowerError(f"A tower's name must be a text; got {self.name!r}.")
        if not isinstance(self.fingerprint, str) or not set(self.fingerprint or "?") <= set(string.hexdigits):
            raise TowerError(f"A tower's fingerprint must be hexadecimal digits; got {self.fingerprint!r}.")
        if isinstance(self.embedding_dim, bool) or not isinstance(self.embedding_dim, int) or self.embedding_dim < 1:
            raise TowerError(f"A tower's embedding_dim must be a whole number from 1; got {self.embedding_dim!r}.")

    @classmethod
    def of(cls, tower: TowerIdentity) -> TowerCard:
        """The card of an encoder or a torch tower."""
        return cls(tower.name, tower.fingerprint, tower.input_spec, tower.embedding_dim)

    def to_json(self) -> Dict[str, Any]:
        """The card as a plain dict."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "input": self.input_spec.to_json(),
            "embedding_dim": self.embedding_dim,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TowerCard:
        """Read a card back, checked.

        Args:
            data: The dict of :meth:`to_json`, or an ONNX file's card (which calls the name ``"tower"``).

        Raises:
            TowerError: A field is missing or wrong.
        """
        try:
            name = data["name"] if "name" in data else data["tower"]
            return cls(name, data["fingerprint"], InputSpec.from_json(data["input"]), data["embedding_dim"])
        except (KeyError, TypeError, AttributeError, ConfigError) as error:
            raise TowerError(
                f"A tower's card needs a name, a fingerprint, an input and an embedding_dim ({error})."
            ) from error


@dataclass(frozen=True)
class Taught:
    """What a tower was trained on, as its file tells, so that a test can say which of its pictures the tower knows.

    Attributes:
        data: The data set's name.
        split: How it was split, one of ``siamese.splits.METHODS``.
        digest: That split's digest.
    """

    data: str
    split: str
    digest: str


def check_width(vectors: Vectors, tower: TowerCard) -> None:
    """Refuse vectors that are not of a tower's length."""
    shape = vectors.shape if isinstance(vectors, np.ndarray) else np.shape(vectors)
    if len(shape) == 2 and shape[1] != tower.embedding_dim:
        raise EncoderMismatch(
            f"Vectors of length {shape[1]} were given, but tower {tower.name!r} ({tower.fingerprint}) gives "
            f"{tower.embedding_dim} numbers; they come from another tower."
        )
    if len(shape) != 2:
        raise GalleryError(f"Vectors of shape {shape} were given; (B, {tower.embedding_dim}) was expected.")
