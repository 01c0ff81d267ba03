"""What NVIDIA's management library says of a card while CUDA validates it: free memory and who holds the rest,
the state of its link, and what slows it down.

CUDA itself tells free memory only in a context, which is too late to refuse one. Everything here is optional: without the
library, or without one of its functions, nothing is known and the validation goes on.
"""

from __future__ import annotations

import os
from ctypes import Array, Structure, byref, c_char_p, c_int, c_uint, c_uint64, c_ulonglong, c_void_p

from gpuprobe.backends import calling
from gpuprobe.backends.throttling import HELD_BACK_BY, SLOWED_DOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL
    from typing import Any

    Json = dict[str, Any]

CANDIDATES = ("libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1") if os.name == "posix" else ("nvml.dll",)
_MOST_PROCESSES = 64
_UNKNOWN = 0xFFFFFFFFFFFFFFFF

_LINK = {
    "link_generation": "nvmlDeviceGetCurrPcieLinkGeneration",
    "link_width": "nvmlDeviceGetCurrPcieLinkWidth",
    "link_generation_max": "nvmlDeviceGetMaxPcieLinkGeneration",
    "link_width_max": "nvmlDeviceGetMaxPcieLinkWidth",
}


class _Memory(Structure):
    _fields_ = (("total", c_ulonglong), ("free", c_ulonglong), ("used", c_ulonglong))


class _Process(Structure):
    """nvmlProcessInfo_t of the second and third form of the call: 24 bytes."""

    _fields_ = (("pid", c_uint), ("used", c_uint64), ("instance", c_uint), ("compute_instance", c_uint))


class Witness:
    """One card as the management library knows it."""

    def __init__(self, library: CDLL | None, handle: c_void_p) -> None:
        self._library, self._handle = library, handle

    def free_memory(self) -> int | None:
        found = calling.untouched(_Memory)
        return calling.known(found.free) if self._answers("nvmlDeviceGetMemoryInfo", byref(found)) else None

    def holders(self) -> str:
        """ "process 1234 (ollama) holds 20480 MiB": the processes with a context, the largest first; empty where none is
        known, as in a container that cannot see them."""
        others = [each for each in self._processes() if each.pid not in (0, os.getpid())]
        largest = sorted(others, key=lambda each: 0 if each.used == _UNKNOWN else -each.used)
        return ", ".join(_described(each) for each in largest[:4])

    def link(self) -> Json:
        """Generation and width of the link now and at most; empty where it is not known."""
        found = {name: self._number(function) for name, function in _LINK.items()}
        return {name: value for name, value in found.items() if value}

    def slowed_by(self) -> str | None:
        """What holds its clocks back now, by the names in `throttling`; "" for nothing, None where it is not known."""
        for function in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
            reasons = c_ulonglong(_UNKNOWN)
            if self._answers(function, byref(reasons)) and reasons.value != _UNKNOWN:
                found = reasons.value & SLOWED_DOWN
                return ", ".join(name for bit, name in HELD_BACK_BY.items() if found & bit)
        return None

    def _number(self, function: str) -> int | None:
        value = c_uint(calling.UNTOUCHED_32)
        return calling.known(value.value) if self._answers(function, byref(value)) else None

    def _processes(self) -> list[_Process]:
        for function in ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"):
            count, found = c_uint(_MOST_PROCESSES), (_Process * _MOST_PROCESSES)()
            if self._answers(function, byref(count), found):
                return _first(found, count.value)
        return []

    def _answers(self, function: str, *arguments: object) -> bool:
        call = None if self._library is None else calling.optional(self._library, function)
        return call is not None and call(self._handle, *arguments) == 0


def _first(found: Array[_Process], count: int) -> list[_Process]:
    return list(found)[: min(count, _MOST_PROCESSES)]


def _described(process: _Process) -> str:
    held = "" if process.used == _UNKNOWN else f" holds {process.used >> 20} MiB"
    return f"process {process.pid}{_name_of(process.pid)}{held or ' uses it'}"


def _name_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:  # noqa: PTH123 - pathlib would cost every child a fifth of its start
            name = calling.text(file.read(64).strip())
    except OSError:  # ended, or not visible from here
        return ""
    return f" ({name})" if name else ""


def witness_of(uuid: str | None, announce: Any) -> Witness:
    """The card's witness; one that knows nothing where the library is missing, refuses, or does not know the card."""
    nothing = Witness(None, c_void_p())
    announce("nvmlInitWithFlags")
    try:
        library = calling.load(CANDIDATES, needs="nvmlInitWithFlags")
    except calling.Failed:
        return nothing
    if uuid is None or calling.required(library, "nvmlInitWithFlags")(c_uint(0)) != 0:
        return nothing
    handle = c_void_p()
    ask = calling.optional(library, "nvmlDeviceGetHandleByUUID")
    if ask is None or c_int(ask(c_char_p(uuid.encode()), byref(handle))).value != 0 or not handle:
        return nothing
    return Witness(library, handle)
