"""`json` for whole texts, by the C code that `json` itself calls, and without the patterns that its classes compile.

It and `re` are 5 ms of a start. What is no ordinary text, what cannot be written and what goes wrong is left to `json`, whose
errors are the same.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from json import dumps, loads

__all__ = ["dumps", "loads"]

_BLANK = " \t\n\r"


class _AsJsonHas:
    """What the scanner of `json` takes from its decoder."""

    strict, object_hook, object_pairs_hook, parse_float, parse_int = True, None, None, float, int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


def _unwritable(value: object) -> object:
    raise TypeError


if not TYPE_CHECKING:
    try:
        from _json import encode_basestring_ascii, make_encoder, make_scanner

        _scan = make_scanner(_AsJsonHas)
        make_encoder(None, _unwritable, encode_basestring_ascii, None, ": ", ", ", False, False, True)
    except (ImportError, AttributeError, TypeError):
        _scan = None

    def loads(text):
        try:
            whole = text if isinstance(text, str) else bytes(text).decode()
            value, end = _scan(whole, len(whole) - len(whole.lstrip(_BLANK)))
            if not whole[end:].strip(_BLANK):
                return value
        except (StopIteration, ValueError, TypeError, SystemError):
            pass  # said by `json`. The last: CPython 3.11 has no words for it while `json.decoder` is not loaded
        import json

        return json.loads(text)

    def dumps(value, *, separators=(", ", ": "), **other):
        if _scan is not None and not {name for name, given in other.items() if given is not None}:
            between, behind = separators
            encode = make_encoder({}, _unwritable, encode_basestring_ascii, None, behind, between, False, False, True)
            try:
                return "".join(encode(value, 0))
            except (TypeError, ValueError):
                pass  # said by `json`
        import json

        return json.dumps(value, separators=separators if "indent" not in other else None, **other)
