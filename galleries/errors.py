"""The one exception tree of the toolkit.

Every message says what was got, what was expected and what to do next, in one sentence a person can act on.
The command line prints it and exits with code 2; no traceback reaches a user for bad input.
"""

from __future__ import annotations

import difflib
import importlib
from types import ModuleType
from typing import Iterable


class EmotionsError(Exception):
    """Base of every error the toolkit raises on purpose."""


class DataError(EmotionsError):
    """A data set, picture or label file is missing, malformed or unusable."""


class SplitError(DataError):
    """A split cannot be made or reused for this data set."""


class GalleryError(EmotionsError):
    """A gallery cannot be built, read, changed or queried as asked."""


class EncoderMismatch(GalleryError):
    """Vectors or a tower do not belong to the gallery they were given to."""


class TowerError(EmotionsError):
    """A tower cannot be built, loaded or fed as asked."""


class TrainingError(EmotionsError):
    """Training cannot start, go on or be resumed."""


class ConfigError(EmotionsError):
    """An option, recipe or name is not one the toolkit knows."""


class MissingExtra(EmotionsError):
    """A library of an optional extra is not installed."""


def unknown_name(kind: str, name: str, valid: Iterable[str]) -> ConfigError:
    """Make the error for a name that is not in a registry.

    Args:
        kind: What the name should be, for the sentence: ``"tower"``, ``"loss"``.
        name: The name that was given.
        valid: The names that would have been accepted.

    Returns:
        A :class:`ConfigError` that lists the valid names and the nearest one. The caller raises it.
    """
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"{shown(name)} is not a known {kind}.{hint} Choose one of: {', '.join(names)}.")


def shown(value: object) -> str:
    """A value from a stranger as a sentence may show it: Python's notation, at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def require(module: str, extra: str) -> ModuleType:
    """Import an optional library, or say which extra brings it.

    Args:
        module: Dotted name of the module to import, such as ``"torch"``.
        extra: The pip extra that installs it: ``"train"``, ``"eval"``, ``"tables"`` or ``"dev"``.

    Returns:
        The imported module.

    Raises:
        MissingExtra: The library is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = (getattr(error, "name", None) or module).split(".")[0]
        raise MissingExtra(
            f"This needs {missing!r}, which is not installed here ({error}). "
            f"Install it with: pip install 'siamese-emotions[{extra}]'."
        ) from error


def first_line(error: Exception) -> str:
    """The first line of what an exception says, at most 200 characters."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
