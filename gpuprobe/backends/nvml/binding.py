"""Imports NVIDIA's binding `pynvml` without what it imports and does not need.

nvidia-ml-py 13.615 takes one function from each of four modules of the standard library, and these load 47 others: with
them the child has done 142 million instructions when it has answered once, without them 91 (CPython 3.11, callgrind).
While the binding is imported, a stand-in answers for each of the four. It has that one function, does the same, and gets
everything else from the real module.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Function = Callable[..., Any]

_ANNOTATIONS = "__annotate__" if sys.version_info >= (3, 14) else "__annotations__"
_TYPES = "__type_params__"  # since Python 3.12
_COPIED_BY_WRAPS = ("__module__", "__name__", "__qualname__", "__doc__", _ANNOTATIONS, _TYPES)


def imported() -> Any:
    """The module `pynvml`; raises whatever it raises."""
    stand_ins = [each for name, each in _STAND_INS.items() if name not in sys.modules]
    for each in stand_ins:
        _put(each)
    try:
        import pynvml
    finally:
        for each in stand_ins:
            _take_away(each)
    return pynvml


def _stand_in(name: str, given: dict[str, Function]) -> ModuleType:
    module = type(sys)(name)
    module.__dict__.update(given, __getattr__=lambda wanted: _of_the_real(name, wanted))
    return module


def _of_the_real(name: str, wanted: str) -> Any:
    if wanted.startswith("__") and wanted != "__all__":  # each `from … import` asks whether it is a package
        raise AttributeError(wanted)
    _take_away(_STAND_INS[name])
    return getattr(__import__(name, fromlist=(wanted,)), wanted)


def _put(stand_in: ModuleType) -> None:
    package, _, name = stand_in.__name__.rpartition(".")
    sys.modules[stand_in.__name__] = stand_in
    if package:
        setattr(__import__(package), name, stand_in)


def _take_away(stand_in: ModuleType) -> None:
    package, _, name = stand_in.__name__.rpartition(".")
    if sys.modules.get(stand_in.__name__) is not stand_in:
        return
    del sys.modules[stand_in.__name__]
    if package:
        delattr(sys.modules[package], name)


def _find_library(name: str) -> str | None:
    """Imported by the binding and never called: a third of the child's start."""
    return _of_the_real("ctypes.util", "find_library")(name)  # type: ignore[no-any-return]


def _capwords(text: str, separator: str | None = None) -> str:
    """As in `string`."""
    return (separator or " ").join(map(str.capitalize, text.split(separator)))


def _wraps(wrapped: Function, **other: Any) -> Callable[[Function], Function]:
    """As in `functools`."""
    if other:
        return _of_the_real("functools", "wraps")(wrapped, **other)  # type: ignore[no-any-return]

    def copied_to(wrapper: Function) -> Function:
        for name in _COPIED_BY_WRAPS:
            if hasattr(wrapped, name):
                setattr(wrapper, name, getattr(wrapped, name))
        wrapper.__dict__.update(wrapped.__dict__, __wrapped__=wrapped)
        return wrapper

    return copied_to


_GIVEN: dict[str, dict[str, Function]] = {
    "ctypes.util": {"find_library": _find_library},
    "functools": {"wraps": _wraps},
    "string": {"capwords": _capwords},
    "threading": {"Lock": allocate_lock},
}
_STAND_INS = {name: _stand_in(name, given) for name, given in _GIVEN.items()}
