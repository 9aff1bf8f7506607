"""Plain dataclasses to JSON and back, every value checked against the type that its field states."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Dict, Tuple, Type, TypeVar, Union, get_type_hints

from galleries.errors import DataError

Record = TypeVar("Record")


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
