"""`Enum` as enumerations are made of it: what of `enum`'s is used here, without what its making costs each start.

A start makes twenty enumerations. With `enum` that was 5 ms, and 5 more to load it and the seven modules that it needs, a
twelfth of `list --json` (CPython 3.11). A type checker sees those of `enum`. What no enumeration here has is left out: flags,
`auto`, `_missing_`, and members that are written in another place than their class.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import Enum, IntEnum, StrEnum
    from typing import Any

__all__ = ["Enum", "IntEnum", "StrEnum"]

if not TYPE_CHECKING:

    class _Kind(type):
        """Makes members of what stands in the body of a class and is neither a method nor private."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
            members = {key: value for key, value in body.items() if key[0] != "_" and not hasattr(value, "__get__")}
            for key in members:
                del body[key]
            for method in ("__repr__", "__str__", "__format__", "__reduce_ex__"):
                for base in reversed(bases) if members else ():
                    if isinstance(base, _Kind):
                        body.setdefault(method, getattr(base, method))
            maker = body.pop("__new__", None)
            made = super().__new__(cls, name, bases, body)
            made._member_map_, made._value2member_map_ = {}, {}
            for key, value in members.items():
                _add(made, key, value, maker)
            return made

        def __call__(cls, value: Any) -> Any:
            try:
                return cls._value2member_map_[value]
            except (KeyError, TypeError):
                if type(value) is cls:
                    return value
                raise ValueError(f"{value!r} is not a valid {cls.__qualname__}") from None

        def __iter__(cls) -> Iterator[Any]:
            return iter(tuple(cls._value2member_map_.values()))

        def __len__(cls) -> int:
            return len(cls._value2member_map_)

        def __getitem__(cls, name: str) -> Any:
            return cls._member_map_[name]

        def __contains__(cls, value: Any) -> bool:
            return type(value) is cls or value in cls._value2member_map_

        def __bool__(cls) -> bool:
            return True

        def __repr__(cls) -> str:
            return f"<enum {cls.__name__!r}>"

        @property
        def __members__(cls) -> dict[str, Any]:
            return dict(cls._member_map_)

    def _add(kind: Any, name: str, value: Any, maker: Any) -> None:
        """A value that another member has gives that one a second name."""
        if maker is not None:
            member = maker(kind, *(value if isinstance(value, tuple) else (value,)))
            value = member._value_
        else:
            own = next((base for base in kind.__mro__ if base in (str, int)), object)
            member = object.__new__(kind) if own is object else own.__new__(kind, value)
        member = kind._value2member_map_.setdefault(value, member)
        kind._member_map_[name] = member
        type.__setattr__(kind, name, member)
        member.__dict__.setdefault("_name_", name)
        member.name, member.value = member._name_, value
        member._value_ = value

    class Enum(metaclass=_Kind):
        """The base of enumerations."""

        def __repr__(self) -> str:
            return f"<{self.__class__.__name__}.{self._name_}: {self._value_!r}>"

        def __str__(self) -> str:
            return f"{self.__class__.__name__}.{self._name_}"

        def __format__(self, form: str) -> str:
            return str(self).__format__(form)

        def __reduce_ex__(self, protocol: Any) -> tuple[Any, tuple[Any, ...]]:
            return self.__class__, (self._value_,)

    class IntEnum(int, Enum):
        """Whose members are numbers, and are written as such."""

        __repr__ = Enum.__repr__
        __str__, __format__ = int.__repr__, int.__format__

    class StrEnum(str, Enum):
        """Whose members are texts, and are written as such."""

        __repr__ = Enum.__repr__
        __str__, __format__ = str.__str__, str.__format__
