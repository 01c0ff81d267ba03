"""The plain values that a child may say, checked: it is not trusted to have the right shape."""

from __future__ import annotations

from gpuprobe.model import Json

_LARGEST = 2**63


class NotTheProtocol(ValueError):
    """A line that no runner writes."""


def text(said: object) -> str:
    if not isinstance(said, str):
        raise NotTheProtocol("a text is missing")
    return said


def text_or_none(said: object) -> str | None:
    return None if said is None else text(said)


def number_or_none(said: object) -> int | None:
    if said is None:
        return None
    if type(said) is not int or not 0 <= said < _LARGEST:
        raise NotTheProtocol("a number is missing")
    return said


def seconds(said: object) -> float:
    if not isinstance(said, int | float) or isinstance(said, bool) or not 0 <= said < 1e9:
        raise NotTheProtocol("a time is missing")
    return float(said)


def plain(said: object) -> Json:
    """Numbers, texts and switches by name, and lists of such objects: what a capture can hold and a document can show."""
    if not isinstance(said, dict) or not all(_is_plain(value) for value in said.values()):
        raise NotTheProtocol("not an object of plain values")
    return said


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, dict) and all(map(_is_plain, item.values())) for item in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return -_LARGEST < value < _LARGEST  # NaN is in no range
    return value is None or isinstance(value, str | bool)
