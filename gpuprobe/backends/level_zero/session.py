"""How Level Zero is started, and how its functions are called."""

from __future__ import annotations

from ctypes import byref, c_uint32, c_void_p

from gpuprobe.backends import calling
from gpuprobe.backends.level_zero import results, structs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL, Structure
    from typing import Any

    from gpuprobe.backends.calling import Announce

_GPUS_ONLY = 1  # ZE_INIT_FLAG_GPU_ONLY and ZE_INIT_DRIVER_TYPE_FLAG_GPU
# More drivers, devices or memories than any machine has: a driver that counts more wrote rubbish.
_CEILING = 65536


class Session:
    """The library while it is asked: announces every call before it is made; a call that fails ends the probe with Failed.

    What a probe can do without is asked with `problems`: there the words of a failure are kept under the name of the field.
    """

    def __init__(self, library: CDLL, announce: Announce) -> None:
        self.library, self.announce = library, announce
        self.judge: Callable[[int], str] | None = None  # what the number of a failure says of the device that is in use

    def drivers(self) -> list[c_void_p]:
        """Starts the library and gives its drivers' handles."""
        handles = self._drivers_by_type() if calling.optional(self.library, "zeInitDrivers") else None
        if handles is None:
            self._start("zeInit", c_uint32(_GPUS_ONLY))
            handles = self.listed("zeDriverGet")
        if not handles:
            raise calling.Failed("no_devices", "the Level Zero loader started and gave no driver")
        return handles

    def _drivers_by_type(self) -> list[c_void_p] | None:
        """By the call that came with version 1.10; None where the loader has it and no driver has."""
        wanted = structs.asking(structs.ZeInitDriverTypeDesc, flags=_GPUS_ONLY)
        count = c_uint32(0)
        code = self._start("zeInitDrivers", byref(count), None, byref(wanted))
        if code == results.UNSUPPORTED_FEATURE:
            return None
        handles = (c_void_p * _believable("zeInitDrivers", count))()
        self._start("zeInitDrivers", byref(count), handles, byref(wanted))
        return [c_void_p(handle) for handle in handles[: count.value]]

    def _start(self, function: str, *arguments: Any) -> int:
        # After a failed start nothing more may be called: the loader of Debian 12 (1.8.12) then calls into a driver that it
        # has unloaded. The one answer that is no end comes of drivers before 1.10: tried with loader 1.26.3 and Intel's 22.43.
        self.announce(function)
        code = _unsigned(calling.required(self.library, function)(*arguments))
        if code and (function, code) != ("zeInitDrivers", results.UNSUPPORTED_FEATURE):
            # The loader has one answer for "no driver" and "no card": on a machine without an Intel card nothing is wrong.
            status = "no_devices" if code == results.UNINITIALIZED else "init_failed"
            raise results.failure(status, function, code)
        return code

    def check(self, function: str, *arguments: Any) -> None:
        """A call without which nothing can be said. Numbers must come as ctypes values, or they are cut to 32 bits."""
        code = self.code(function, *arguments)
        if code:
            raise self.failure(function, code)

    def failure(self, function: str, code: int) -> calling.Failed:
        return results.failure(self.judge(code) if self.judge else "call_failed", function, code)

    def code(self, function: str, *arguments: Any) -> int:
        """The number that a call answers, for whoever judges it himself."""
        self.announce(function)
        return _unsigned(calling.required(self.library, function)(*arguments))

    def answers(self, problems: dict[str, str], field: str, function: str, *arguments: Any) -> bool:
        """A call that may fail."""
        self.announce(function)
        call = calling.optional(self.library, function)
        if call is None:
            problems[field] = f"this release of the Level Zero loader has no `{function}`"
            return False
        code = _unsigned(call(*arguments))
        if code:
            problems[field] = f"`{function}` failed with {results.named(code)}"
        return not code

    def counted(self, function: str, *of: Any) -> int:
        count = c_uint32(0)
        self.check(function, *of, byref(count), None)
        return _believable(function, count)

    def listed(self, function: str, *of: Any) -> list[c_void_p]:
        """The handles that a function gives which is called twice: for the number, then for the items."""
        count = c_uint32(self.counted(function, *of))
        handles = (c_void_p * count.value)()
        if count.value:
            self.check(function, *of, byref(count), handles)
        return [c_void_p(handle) for handle in handles[: count.value]]

    def described(self, function: str, kind: type[Structure], *of: Any) -> list[Any]:
        """The structures that such a function fills in."""
        count = c_uint32(self.counted(function, *of))
        items = structs.answered(kind, count.value)
        if count.value:
            self.check(function, *of, byref(count), items)
        return list(items[: count.value])


def _believable(function: str, count: c_uint32) -> int:
    if count.value > _CEILING:
        raise calling.Failed("call_failed", f"`{function}` succeeded and gave no believable number ({count.value})")
    return count.value


def _unsigned(code: int) -> int:
    return code & 0xFFFFFFFF
