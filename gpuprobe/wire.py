"""Records to JSON and back, by their annotations; what does not fit is refused with the place where it is.

A child's answer and a capture are read by the same rules: kinds, forms, and how long and how many. A text that is too long
loses its end, so that a driver's endless name does not cost its card; everything else that does not fit is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gpuprobe import patterns as re
from gpuprobe.enumerations import Enum
from gpuprobe.once import remembered
from gpuprobe.record_classes import Any

LONGEST_NAME = 4096  # characters; the system's own limit for a path
LONGEST_TEXT = 256 * 1024  # of a file that the survey read: 64 KiB, each byte perhaps as `\xff`
LONGEST_STDERR = 1024 * 1024
MOST = 20_000  # elements of an array, keys of an object
DEEPEST = 32  # of what a library says of itself, which has no annotation

_LARGEST = 2**63
_INFINITE = float("inf")  # no comparison with NaN is true
_Union: Any = type(int | None)

# Captures of the first release call a call of the library a step, and a stage of the validation a rung: files stay readable.
_WRITTEN = {"calls": "steps", "stages": "rungs"}

# Of the survey's own, where whole files stand; the texts of all other records are names, paths and sentences.
_WITH_LONG_TEXTS = frozenset({"Host", "Reading"})

_WORD = r"[A-Za-z0-9][A-Za-z0-9 _.+-]{0,31}"


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


def from_json(expected: Any, value: object, where: str = "", left_out: list[str] | None = None) -> Any:
    """The value that `to_json` wrote, of the annotated kind; raises ShapeError for anything else.

    `left_out`: what a newer release wrote is read as far as it is understood, and the places of the rest are put there.
    """
    return _Reader(left_out).read(expected, value, where)


class _Reader:
    def __init__(self, left_out: list[str] | None) -> None:
        self._left_out = left_out
        self._longest = LONGEST_NAME

    def read(self, expected: Any, value: object, where: str) -> Any:
        if expected in _PLAIN:
            return self._plain(expected, value, where)
        if expected is Any:
            return value if _is_ordinary(value, DEEPEST) else self._anything(value, where, DEEPEST)
        origin, items = _taken_apart(expected)
        if origin in _GENERIC:
            return _GENERIC[origin](self, items, value, where)
        if isinstance(expected, type) and issubclass(expected, Enum):
            return _enum(expected, value, where)
        return (self._record if hasattr(expected, "_fields") else self._plain)(expected, value, where)

    def union(self, options: tuple[Any, ...], value: object, where: str) -> Any:
        if value is None and type(None) in options:
            return None
        problems = []
        for option in options:
            if option is not type(None):
                try:
                    return self.read(option, value, where)
                except ShapeError as problem:
                    problems.append(str(problem))
        fits_nothing = f"{where}: {_kind(value)} fits nothing that is allowed there"
        raise ShapeError(problems[0] if len(problems) == 1 else fits_nothing)

    def array(self, items: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ShapeError(f"{where}: an array is needed, not {_kind(value)}")
        if len(items) == 2 and items[1] is Ellipsis:
            return self._elements(items[0], value, where)
        if len(items) != len(value):
            raise ShapeError(f"{where}: {len(items)} elements are needed, not {len(value)}")
        pairs = zip(items, value, strict=True)
        return tuple(self.read(item, got, f"{where}[{place}]") for place, (item, got) in enumerate(pairs))

    def _elements(self, item: Any, value: list[Any], where: str) -> tuple[Any, ...]:
        _check_count(value, where)
        found = []
        for place, got in enumerate(value):
            try:
                found.append(self.read(item, got, f"{where}[{place}]"))
            except ShapeError:
                if self._left_out is None:
                    raise
                self._left_out.append(f"{where}[{place}]")
        return tuple(found)

    def mapping(self, items: tuple[Any, ...], value: object, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ShapeError(f"{where}: an object is needed, not {_kind(value)}")
        _check_count(value, where)
        return {_shortened(key, LONGEST_NAME): self.read(items[1], item, f"{where}.{key:.60}") for key, item in value.items()}

    def _record(self, expected: Any, value: object, where: str) -> Any:
        if not isinstance(value, dict):
            raise ShapeError(f"{where or expected.__name__}: an object is needed, not {_kind(value)}")
        fields = _fields(expected)
        self._check_known(value.keys() - fields.keys(), where)
        missing = [name for name, field in fields.items() if name not in value and field not in expected._field_defaults]
        if missing:
            raise ShapeError(f"{where}: the field `{missing[0]}` is missing")
        known = {fields[name]: item for name, item in value.items() if name in fields}
        before = f"{where}." if where else ""
        around, self._longest = self._longest, LONGEST_TEXT if expected.__name__ in _WITH_LONG_TEXTS else LONGEST_NAME
        try:
            read = self._as_far_as_fitting if self._left_out is not None else self._fields_of
            record = expected(**read(expected, known, before))
        finally:
            self._longest = around
        return _formed(record, known, where)

    def _fields_of(self, expected: Any, known: dict[str, Any], before: str) -> dict[str, Any]:
        plain = _plain_fields(expected)
        return {
            name: item
            if type(item) is plain.get(name) and _is_ordinary(item, DEEPEST)
            else self.read(_hint(expected, name), item, f"{before}{written(name)}")
            for name, item in known.items()
        }

    def _as_far_as_fitting(self, expected: Any, known: dict[str, Any], before: str) -> dict[str, Any]:
        """Without the fields that a newer release writes otherwise, where they can be done without."""
        found: dict[str, Any] = {}
        for name, item in known.items():
            try:
                found |= self._fields_of(expected, {name: item}, before)
            except ShapeError:
                if self._left_out is None or name not in expected._field_defaults:
                    raise
                self._left_out.append(f"{before}{written(name)}")
        return found

    def _check_known(self, unknown: set[str], where: str) -> None:
        if unknown and self._left_out is None:
            raise ShapeError(f"{where or 'the evidence'}: unknown field `{min(unknown):.60}`")
        if self._left_out is not None:
            self._left_out += [f"{where}.{name:.60}".lstrip(".") for name in sorted(unknown)]

    def _plain(self, expected: Any, value: object, where: str) -> Any:
        if expected is float and type(value) is int:
            value = float(_checked_number(value, where))
        if type(value) is not expected:
            raise ShapeError(f"{where}: {expected.__name__} is needed, not {_kind(value)}")
        if isinstance(value, str):
            most, from_its_end = (LONGEST_STDERR, True) if where.endswith("stderr") else (self._longest, False)
            return _shortened(value, most, from_its_end=from_its_end)
        return _checked_number(value, where)

    def _anything(self, value: object, where: str, depth: int) -> Any:
        if depth == 0:
            raise ShapeError(f"{where}: it is nested too deeply")
        if isinstance(value, dict):
            _check_count(value, where)
            pairs = ((_shortened(str(key), LONGEST_NAME), item) for key, item in value.items())
            return {key: self._anything(item, f"{where}.{key:.60}", depth - 1) for key, item in pairs}
        if isinstance(value, list):
            _check_count(value, where)
            return [self._anything(item, f"{where}[{place}]", depth - 1) for place, item in enumerate(value)]
        return _shortened(value, LONGEST_NAME) if isinstance(value, str) else _checked_number(value, where)


_PLAIN = frozenset({str, int, float, bool})


def _is_ordinary(value: Any, depth: int) -> bool:
    """Whether nothing in it is too deep, too long, too many or no number: it then stays as it is, and no place is spelled out.

    A child that is watched says eight cards a second, each with two dozen values: they are looked at where they stand.
    """
    return _are_ordinary((value,), depth)


def _are_ordinary(values: Iterable[Any], depth: int) -> bool:
    for value in values:
        kind = type(value)
        if kind is str:
            fits = len(value) <= LONGEST_NAME
        elif kind is int:
            fits = -_LARGEST <= value <= _LARGEST
        elif kind is dict or kind is list:
            fits = depth > 0 and _holds_the_ordinary(value, kind is dict, depth - 1)
        else:
            fits = -_INFINITE < value < _INFINITE if kind is float else value is None or kind is bool
        if not fits:
            return False
    return True


def _holds_the_ordinary(value: Any, has_keys: bool, depth: int) -> bool:
    if not value or len(value) > MOST:
        return not value
    if has_keys:
        return max(map(len, value)) <= LONGEST_NAME and _are_ordinary(value.values(), depth)
    return _are_ordinary(value, depth)


def _taken_apart(expected: Any) -> tuple[Any, tuple[Any, ...]]:
    """`X | Y`, `tuple[X, ...]` and `dict[X, Y]`; what stands for itself has neither."""
    if type(expected) is _Union:
        return _Union, expected.__args__
    return getattr(expected, "__origin__", None), getattr(expected, "__args__", ())


@remembered
def _plain_fields(record: Any) -> dict[str, Any]:
    """Of the fields that hold a text, a number or a switch, or nothing: which of these."""
    kinds = {
        name: {hint, *_taken_apart(hint)[1]} & _PLAIN
        for name, hint in record.__annotations__.items()
        if _is_plain_or_none(hint)
    }
    return {name: kind.pop() for name, kind in kinds.items()}


def _is_plain_or_none(hint: Any) -> bool:
    options = hint.__args__ if type(hint) is _Union else (hint, type(None))
    return len(options) == 2 and type(None) in options and not _PLAIN.isdisjoint(options)


@remembered
def _fields(record: Any) -> dict[str, str]:
    """As files spell them → as the record does."""
    return {written(name): name for name in record._fields}


def _enum(expected: type[Enum], value: object, where: str) -> Enum:
    try:
        return expected(value)
    except ValueError:
        allowed = ", ".join(str(member.value) for member in expected)
        raise ShapeError(f"{where}: {_quoted(value)} is none of {allowed}") from None


def _check_count(value: list[Any] | dict[str, Any], where: str) -> None:
    if len(value) > MOST:
        raise ShapeError(f"{where}: {len(value)} elements are more than {MOST}")


def _checked_number(value: Any, where: str) -> Any:
    if type(value) is int and not -_LARGEST <= value <= _LARGEST:
        raise ShapeError(f"{where}: the number is too large")
    if isinstance(value, float) and not -_INFINITE < value < _INFINITE:
        raise ShapeError(f"{where}: {value} is no number")
    return value


def _shortened(text: str, most: int, *, from_its_end: bool = False) -> str:
    """Of what a program wrote last, the last words tell; of a name, the first."""
    if len(text) <= most:
        return text
    return text[-most:] if from_its_end else f"{text[: most - 1]}…"


def _formed(record: Any, given: dict[str, Any], where: str) -> Any:
    """The record itself; ShapeError where a field that was given has the right kind and not the right form."""
    for name, (fits, what) in _FORMS.get(type(record).__name__, {}).items():
        value = getattr(record, name)
        if name in given and value is not None and not fits(value):
            raise ShapeError(f"{where}.{name}: {_quoted(value)} is not {what}".lstrip("."))
    return record


def _quoted(value: object) -> str:
    return repr(value[:60] if isinstance(value, str) else value)[:60]


def _form(pattern: str) -> Callable[[Any], bool]:
    """Compiled when it is first asked: every child's answer imports this, and most machines have neither card nor capture."""
    return lambda text: re.fullmatch(pattern, text) is not None


_COUNTED = (lambda number: number >= 0, "a number from 0")
_FORMS: dict[str, dict[str, tuple[Callable[[Any], bool], str]]] = {
    "PciFunction": {"address": (re.is_pci_address, "a PCI address")},
    "Partition": {"kind": (_form(_WORD), "a kind of partition")},
    "Evidence": {"gathered_at": (re.is_time, "a time")},
    "Device": dict.fromkeys(
        (
            *("number", "vendor_id", "device_id", "compute_major", "compute_minor", "copy"),
            *("total_memory", "free_memory", "used_memory"),
        ),
        _COUNTED,
    ),
}


def _hint(record: Any, name: str) -> Any:
    hint = record.__annotations__[name]
    return hints(record)[name] if isinstance(hint, str) or hasattr(hint, "__forward_arg__") else hint


@remembered
def hints(record: Any) -> dict[str, Any]:
    """Of each field, what it may hold; those too whose records are made when one is needed."""
    from typing import get_type_hints

    from gpuprobe.facts import system_facts

    return get_type_hints(record, localns=vars(system_facts))


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


_GENERIC: dict[Any, Callable[[_Reader, tuple[Any, ...], object, str], Any]] = {
    _Union: _Reader.union,
    tuple: _Reader.array,
    dict: _Reader.mapping,
}
