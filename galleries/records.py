"""JSON that a stranger may have made, and dataclasses from it, each value checked against the type of its field."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Dict, Tuple, Type, TypeVar, Union, get_type_hints

from galleries.errors import DataError

Record = TypeVar("Record")

DEEPEST = 100
"""How deep lists and objects may be nested in JSON that is read; files of this toolkit hardly need ten."""

_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(r"[][{}]")


def parse_json(text: Union[str, bytes]) -> Any:
    """What ``json.loads`` gives, but nothing that is nested deeper than :data:`DEEPEST`.

    Python 3.8 can die of a file that is nothing but brackets: if the garbage collector calls back where the stack is
    used up ("Cannot recover from stack overflow"), the process ends, and no exception tells.

    Raises:
        ValueError: It is no JSON, or nested deeper.
        TypeError: It is no text.
    """
    if isinstance(text, (str, bytes)):
        check_depth(text)
    return json.loads(text)


def check_depth(text: Union[str, bytes]) -> None:
    """Refuse JSON that is nested deeper than :data:`DEEPEST`.

    Raises:
        ValueError: It is.
    """
    plain = text.decode("latin-1") if isinstance(text, bytes) else text  # brackets and quotes are one byte in UTF-8
    if plain.count("[") + plain.count("{") <= DEEPEST:
        return
    depth = 0
    for found in _BRACKET.finditer(_TEXT.sub("", plain)):
        depth += 1 if found.group() in "[{" else -1
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")


def read_record(kind: Type[Record], data: Any, where: str = "") -> Record:
    """Read a dataclass back from what ``dataclasses.asdict`` and JSON made of it.

    Args:
        kind: The dataclass; its fields may be bool, int, float, str, Optional, List, Tuple, Dict[str, …],
            Mapping[str, …] and dataclasses.
        data: The JSON value.
        where: Its name in an error.

    Raises:
        DataError: A field is missing, unknown, or of a wrong type, naming it.
    """
    if not isinstance(data, dict):
        raise DataError(f"{where or kind.__name__} is {_named(data)} where an object was expected.")
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    missing, unknown = [name for name in names if name not in data], sorted(set(data) - set(names))
    if missing or unknown:
        what = f"lacks {missing[0]!r}" if missing else f"has a field {str(unknown[0])[:60]!r} that is not known"
        raise DataError(f"{where or kind.__name__} {what}.")
    dot = f"{where}." if where else ""
    return kind(**{name: _value(hints[name], data[name], f"{dot}{name}") for name in names})


def _value(kind: Any, data: Any, where: str) -> Any:
    origin = getattr(kind, "__origin__", None)
    inner: Tuple[Any, ...] = getattr(kind, "__args__", ())
    if is_dataclass(kind):
        return read_record(kind, data, where)  # type: ignore[arg-type]
    if origin is Union:
        return None if data is None else _value(inner[0], data, where)
    if origin is list:
        return [_value(inner[0], entry, f"{where}[{place}]") for place, entry in enumerate(_listed(data, where))]
    if origin is tuple:
        entries = _listed(data, where)
        kinds = [inner[0]] * len(entries) if inner[-1] is Ellipsis else list(inner)
        if len(kinds) != len(entries):
            raise DataError(f"{where} has {len(entries)} entries where {len(kinds)} were expected.")
        return tuple(_value(one, entry, f"{where}[{place}]") for place, (one, entry) in enumerate(zip(kinds, entries)))
    if origin in (dict, Mapping):
        if not isinstance(data, dict):
            raise DataError(f"{where} is {_named(data)} where an object was expected.")
        made: Dict[str, Any] = {key: _value(inner[1], entry, f"{where}.{key[:40]}") for key, entry in data.items()}
        return made
    return _plain(kind, data, where)


def _plain(kind: Any, data: Any, where: str) -> Any:
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool):
        if abs(data) < 1e300 and math.isfinite(data):
            return float(data)
        raise DataError(f"{where} is no finite number.")
    right = isinstance(data, kind) and isinstance(data, bool) == (kind is bool)
    if not right:
        raise DataError(f"{where} is {_named(data)} where a {kind.__name__} was expected.")
    return data


def _listed(data: Any, where: str) -> Any:
    if not isinstance(data, list):
        raise DataError(f"{where} is {_named(data)} where a list was expected.")
    return data


def _named(data: Any) -> str:
    return "missing" if data is None else f"a {type(data).__name__}"
