"""JSON for the child, from the C parts of the package `json` alone: the package imports `re`, and that `enum`.

Python with `ctypes` is there after 44 million instructions, with the package after 72 (CPython 3.11, callgrind).
The C parts are private: where they are missing (PyPy) or do something else, the package is taken.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Writer = Callable[[dict[str, Any]], str]
    Scanner = Callable[[str, int], tuple[Any, int]]

_SAMPLE: Any = {"a": [1, -2.5, None, True], "ü\n": {}}
_AS_TEXT = '{"a":[1,-2.5,null,true],"\\u00fc\\n":{}}'


def _c_parts() -> tuple[Writer, Scanner] | None:
    """What makes a line and what reads a value; None where they are not those of `json` in CPython 3.11 to 3.15."""
    try:
        from _json import encode_basestring_ascii, make_encoder, make_scanner

        encode = make_encoder(None, _no_json, encode_basestring_ascii, None, ":", ",", False, False, True)
        scan: Scanner = make_scanner(_Meaning)  # type: ignore[arg-type]
        as_they_should = "".join(encode(_SAMPLE, 0)) == _AS_TEXT and scan(_AS_TEXT, 0) == (_SAMPLE, len(_AS_TEXT))
    except (ImportError, AttributeError, TypeError):
        return None
    return (lambda value: "".join(encode(value, 0)), scan) if as_they_should else None


class _Meaning:
    """What `json.JSONDecoder` tells the scanner where nobody wants anything else."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float, parse_int = float, int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


def _no_json(value: object) -> NoReturn:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_PARTS = _c_parts()


def _writer() -> Writer:
    if _PARTS is not None:
        return _PARTS[0]
    import json

    return json.JSONEncoder(separators=(",", ":")).encode


written = _writer()  # made once: `json.dumps` makes one for each of a hundred lines


def read(line: bytes) -> Any:
    """As `json.loads`, its errors included (ValueError, RecursionError): the package says what is wrong with a line."""
    if _PARTS is not None:
        try:
            text = line.decode()
            value, end = _PARTS[1](text, 0)
            if end == len(text):
                return value
        except (ValueError, StopIteration):
            pass  # it may still be JSON: white space around it, another encoding
    import json

    return json.loads(line)
