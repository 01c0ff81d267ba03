"""What may be taken from JSON that anybody may have written: a value of the kind that is wanted, or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gpuprobe.strings import printable

Json = dict[str, Any]

_DECODER = json.JSONDecoder()
_MOST = 4096  # records that a list of a document may have


def parsed(text: str) -> object:
    """ValueError for what is no JSON, however it fails."""
    try:
        return json.loads(text)
    except RecursionError as problem:
        raise ValueError("it is nested too deeply") from problem


def begun(text: str) -> object:
    """The value that a text begins with, whatever stands behind it. ValueError where it begins with none."""
    try:
        return _DECODER.raw_decode(text)[0]
    except RecursionError as problem:
        raise ValueError("it is nested too deeply") from problem


def record(value: object, key: str) -> Json:
    """The record below `key`; an empty one where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def records(value: object, key: str) -> Iterator[Json]:
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, list):
        yield from (each for each in found[:_MOST] if isinstance(each, dict))


def text(value: object, key: str, longest: int = 200) -> str | None:
    """One line, safe to show; None: there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return printable(found[:longest]) if isinstance(found, str) and found else None


def whole(value: object, key: str) -> int | None:
    """A number from 0 on; None: there is none, or it is not known."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 1 << 63 else None
