"""`NamedTuple` as records are made of it: that of `typing`, whose constructors are compiled for whom makes many.

A start makes seventy classes of records, and of most of them never a record. Each cost 86 µs, of which 73 were the compiling
of its constructor (ten fields, CPython 3.11): a tenth of `list --json`. It is compiled for the forty-first record of a class.
What a record can do is as in `typing`.
"""

from __future__ import annotations

import sys

__all__ = ["Any", "NamedTuple"]

TYPE_CHECKING = False

# From 3.14 on annotations are made when they are asked for, and `typing` knows how.
if TYPE_CHECKING or sys.version_info >= (3, 14) or sys.implementation.name != "cpython":
    from typing import Any, NamedTuple
else:
    Any = object  # as an annotation, which is all that it is here

    from _collections import _tuplegetter

    class Record(tuple):
        """What all records have in common."""

        __slots__ = ()

        @classmethod
        def _make(cls, values: Any) -> Any:
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} takes {len(cls._fields)} values, and {len(made)} were given")
            return made

        def _replace(self, /, **changed: Any) -> Any:
            made = tuple.__new__(self.__class__, map(changed.pop, self._fields, self))
            if changed:
                raise ValueError(f"{self.__class__.__name__} has no such fields: {', '.join(changed)}")
            return made

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            values = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{self.__class__.__name__}({values})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    _FEW = 40
    _made_by: dict[Any, int] = {}

    def _first(cls: Any, /, *values: Any, **named: Any) -> Any:
        """The constructor of a class that has made few records: it puts them together, until one is worth compiling.

        Compiling takes as long as fifty records that are put together, and most classes make one or two in a start.
        """
        fields, made = cls._fields, _made_by.get(cls, 0)
        if made < _FEW and len(values) + len(named) <= len(fields):
            _made_by[cls] = made + 1
            rest = fields[len(values) :]
            try:
                whole = (*values, *[named[each] if each in named else cls._field_defaults[each] for each in rest])
            except KeyError:
                whole = ()  # a field is missing, and the compiled one says which
            if whole and named.keys() <= set(rest):
                return tuple.__new__(cls, whole)
        return _compiled(cls)(cls, *values, **named)

    def _compiled(cls: Any) -> Any:
        """The constructor that stays, as `collections` would make it."""
        names = "".join(f"{name}, " for name in cls._fields)
        scope = {"__builtins__": {}, "_made": tuple.__new__}
        constructor = eval(f"lambda _class, {names}: _made(_class, ({names}))", scope)  # noqa: S307 - its own fields' names
        constructor.__name__, constructor.__defaults__ = "__new__", tuple(cls._field_defaults.values()) or None
        cls.__new__ = staticmethod(constructor)
        _made_by.pop(cls, None)
        return constructor

    class _Kind(type):
        """Makes of `class Name(NamedTuple)` a plain class, whose kind is `type`."""

        def __new__(cls, name: str, bases: tuple[Any, ...], body: dict[str, Any]) -> Any:
            if bases == (Record,):
                return super().__new__(cls, name, bases, body)
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            if fields[len(fields) - len(defaults) :] != tuple(defaults):
                raise TypeError(f"{name}: a field without a default follows one that has a default")
            body |= {field: _tuplegetter(place, "") for place, field in enumerate(fields)}
            body |= {"_fields": fields, "_field_defaults": defaults, "__match_args__": fields}
            return type(name, (Record,), {**body, "__slots__": (), "__new__": _first})

    class NamedTuple(Record, metaclass=_Kind):
        """The base that a class of records names."""

        __slots__ = ()
