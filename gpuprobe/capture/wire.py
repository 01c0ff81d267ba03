"""Records to JSON and back, by their annotations; what does not fit is refused with the place where it is."""

from __future__ import annotations

import types
from collections.abc import Callable
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


_LARGEST = 2**63

# Captures of the first release call a call of the library a step, and a stage of the validation a rung: files stay readable.
_WRITTEN = {"calls": "steps", "stages": "rungs"}


class ShapeError(ValueError):
    """A JSON value that is not the record it should be; the text names the place and the difference."""


def to_json(value: Any) -> Any:
    """Named tuples as objects, enumerations by value, tuples as arrays; fields that hold their default are left out."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        defaults = type(value)._field_defaults  # type: ignore[attr-defined]
        pairs = zip(value._fields, value, strict=True)
        return {written(name): to_json(item) for name, item in pairs if name not in defaults or item != defaults[name]}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    return value


def written(field: str) -> str:
    """A field of a record as files spell it."""
    return _WRITTEN.get(field, field)


def from_json(expected: type[Record], value: object, where: str = "") -> Record:
    """The record that `to_json` wrote; raises ShapeError for anything else."""
    result: Record = _read(expected, value, where)
    return result


def _read(expected: Any, value: object, where: str) -> Any:
    origin = get_origin(expected)
    if expected is Any:
        return value
    if origin in _GENERIC:
        return _GENERIC[origin](get_args(expected), value, where)
    if isinstance(expected, type) and issubclass(expected, Enum):
        return _enum(expected, value, where)
    return (_record if hasattr(expected, "_fields") else _plain)(expected, value, where)


def _union(options: tuple[Any, ...], value: object, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    problems = []
    for option in options:
        if option is not type(None):
            try:
                return _read(option, value, where)
            except ShapeError as problem:
                problems.append(str(problem))
    raise ShapeError(problems[0] if len(problems) == 1 else f"{where}: {_kind(value)} fits nothing that is allowed there")


def _tuple(items: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ShapeError(f"{where}: an array is needed, not {_kind(value)}")
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_read(items[0], item, f"{where}[{place}]") for place, item in enumerate(value))
    if len(items) != len(value):
        raise ShapeError(f"{where}: {len(items)} elements are needed, not {len(value)}")
    return tuple(_read(item, got, f"{where}[{place}]") for place, (item, got) in enumerate(zip(items, value, strict=True)))


def _dict(items: tuple[Any, ...], value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ShapeError(f"{where}: an object is needed, not {_kind(value)}")
    return {key: _read(items[1], item, f"{where}.{key}") for key, item in value.items()}


def _enum(expected: type[Enum], value: object, where: str) -> Enum:
    try:
        return expected(value)
    except ValueError:
        allowed = ", ".join(str(member.value) for member in expected)
        raise ShapeError(f"{where}: {value!r:.60} is none of {allowed}") from None


def _record(expected: Any, value: object, where: str) -> Any:
    if not isinstance(value, dict):
        raise ShapeError(f"{where or expected.__name__}: an object is needed, not {_kind(value)}")
    hints, fields = _hints(expected), {written(name): name for name in expected._fields}
    unknown = sorted(value.keys() - fields.keys())
    if unknown:
        raise ShapeError(f"{where}: unknown field `{unknown[0]}`")
    missing = [name for name, field in fields.items() if name not in value and field not in expected._field_defaults]
    if missing:
        raise ShapeError(f"{where}: the field `{missing[0]}` is missing")
    return expected(
        **{fields[name]: _read(hints[fields[name]], item, f"{where}.{name}".lstrip(".")) for name, item in value.items()}
    )


def _plain(expected: Any, value: object, where: str) -> Any:
    if type(value) is int and not -_LARGEST <= value <= _LARGEST:
        raise ShapeError(f"{where}: the number is too large")
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        raise ShapeError(f"{where}: {expected.__name__} is needed, not {_kind(value)}")
    if isinstance(value, float) and not isfinite(value):
        raise ShapeError(f"{where}: {value} is no number")
    return value


@cache
def _hints(record: Any) -> dict[str, Any]:
    return get_type_hints(record)


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


_GENERIC: dict[Any, Callable[[tuple[Any, ...], object, str], Any]] = {
    Union: _union,
    types.UnionType: _union,
    tuple: _tuple,
    dict: _dict,
}
