"""`json` for whole texts, by the C parts that `json` itself calls: the package imports `re`, and that `enum`.

They are 5 ms of a start: Python with `ctypes` is there after 44 million instructions, with the package after 72 (CPython 3.11,
callgrind). The C parts are private: where they are missing (PyPy) or do something else, the package is taken. It also says
what is wrong with a text and what cannot be written, so that the errors are its own.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Writer = Callable[[str, str], Callable[[Any], str]]  # for what stands between two members, and behind a key
    Scanner = Callable[[str, int], tuple[Any, int]]

_BLANK = " \t\n\r"
_SAMPLE: Any = {"a": [1, -2.5, None, True], "ü\n": {}}
_AS_TEXT = '{"a":[1,-2.5,null,true],"\\u00fc\\n":{}}'


class _Meaning:
    """What `json.JSONDecoder` tells the scanner where nobody wants anything else."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float, parse_int = float, int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


def _unwritable(value: object) -> object:
    raise TypeError


def _c_parts() -> tuple[Writer, Scanner] | None:
    """What makes a text and what reads a value; None where they are not those of `json` in CPython 3.11 to 3.15."""
    try:
        from _json import encode_basestring_ascii, make_encoder, make_scanner

        def writer(between: str, behind: str) -> Callable[[Any], str]:
            encode = make_encoder({}, _unwritable, encode_basestring_ascii, None, behind, between, False, False, True)
            return lambda value: "".join(encode(value, 0))

        scan: Scanner = make_scanner(_Meaning)  # type: ignore[arg-type]
        as_they_should = writer(",", ":")(_SAMPLE) == _AS_TEXT and scan(_AS_TEXT, 0) == (_SAMPLE, len(_AS_TEXT))
    except (ImportError, AttributeError, TypeError):
        return None
    return (writer, scan) if as_they_should else None


_PARTS = _c_parts()


def loads(text: str | bytes) -> Any:
    """As `json.loads`, its errors included (ValueError, RecursionError)."""
    if _PARTS is not None:
        try:
            whole = text if isinstance(text, str) else bytes(text).decode()
            value, end = _PARTS[1](whole, len(whole) - len(whole.lstrip(_BLANK)))
            if not whole[end:].strip(_BLANK):
                return value
        except (StopIteration, ValueError, TypeError, SystemError):
            pass  # said by `json`. The last: CPython 3.11 has no words for it while `json.decoder` is not loaded
    import json

    return json.loads(text)


def dumps(
    value: Any, *, indent: int | None = None, separators: tuple[str, str] = (", ", ": "), ensure_ascii: bool = True
) -> str:
    """As `json.dumps`, its errors included (TypeError, ValueError, RecursionError)."""
    if _PARTS is not None and indent is None and ensure_ascii:
        try:
            return _PARTS[0](*separators)(value)
        except (TypeError, ValueError):
            pass  # said by `json`
    import json

    return json.dumps(value, indent=indent, separators=separators if indent is None else None, ensure_ascii=ensure_ascii)
