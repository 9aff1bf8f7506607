"""Emotion names: the aliases of every data set and language lead to one canonical English name.

CK+ *contempt* and *disgust* are two emotions here, although one paper calls them "desagrado" and "disgusto".
A name outside the vocabulary (``boredom``) is kept: a gallery may hold any emotion its user enrols.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Dict, Iterable, List, Mapping, Tuple

from galleries.errors import DataError

CANONICAL: Tuple[str, ...] = (
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)
"""The eight emotions of the field's data sets, in alphabetical order."""

SPANISH: Dict[str, str] = {
    "anger": "enojo",
    "contempt": "desprecio",
    "disgust": "asco",
    "fear": "miedo",
    "happiness": "felicidad",
    "neutral": "neutral",
    "sadness": "tristeza",
    "surprise": "sorpresa",
}
"""Canonical name to its Spanish name, for output in ``--language es``."""

_ALIASES: Dict[str, Tuple[str, ...]] = {
    "anger": ("angry", "an", "enojo", "enojado", "enfado", "ira", "rabia", "mad"),
    "contempt": ("co", "contemptuous", "desprecio", "desagrado", "scorn"),
    "disgust": ("disgusted", "di", "asco", "disgusto", "repulsion"),
    "fear": ("fearful", "afraid", "scared", "af", "fe", "miedo", "temor"),
    "happiness": ("happy", "ha", "joy", "smile", "felicidad", "feliz", "alegria", "contento"),
    "neutral": ("ne", "normal", "neutrality", "calm", "neutro", "neutralidad"),
    "sadness": ("sad", "sa", "tristeza", "triste"),
    "surprise": ("surprised", "su", "suprise", "sorpresa", "sorprendido"),
}

ALIASES: Dict[str, str] = {
    **{name: name for name in CANONICAL},
    **{alias: name for name, aliases in _ALIASES.items() for alias in aliases},
}
"""Every known lower-case spelling to its canonical name."""

FER2013_LABELS: Tuple[str, ...] = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""FER-2013's label numbers 0-6."""


def fold(name: str) -> str:
    """Bring a name to lower-case ASCII words joined by underscores (``"Alegría "`` → ``"alegria"``)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")


def is_known(name: str) -> bool:
    """Whether a name is an emotion of the vocabulary under any of its spellings."""
    return fold(name) in ALIASES


def canonical(name: str, extra: Mapping[str, str] | None = None) -> str:
    """Give the canonical name of an emotion.

    Args:
        name: Any spelling: ``"Angry"``, ``"enojo"``, ``"AN"``; an unknown one such as ``"boredom"`` is kept, folded.
        extra: A data set's own codes (``{"0": "anger"}``), looked up first, by folded name.

    Returns:
        The canonical lower-case name.

    Raises:
        DataError: The name holds no letter or digit.
    """
    key = fold(name)
    if not key:
        raise DataError(f"{name!r} cannot be an emotion's name: it has no letter or digit. Give a name such as 'fear'.")
    if extra is not None and key in extra:
        return extra[key]
    return ALIASES.get(key, key)


def canonical_list(names: Iterable[str]) -> List[str]:
    """Canonical names of several emotions, in order, each once."""
    return list(dict.fromkeys(canonical(name) for name in names))
