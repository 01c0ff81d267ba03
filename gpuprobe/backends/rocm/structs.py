"""The two layouts of HIP's device properties, which one name hides: which a library fills, and what it says.

libamdhip64.so.5 fills an old structure by `hipGetDeviceProperties`. From release 6 on the header redirects that name to
`hipGetDevicePropertiesR0600`, with another structure, while the old name keeps the old layout or is gone: the symbol decides.
"""

from __future__ import annotations

from ctypes import c_int, create_string_buffer

from gpuprobe.backends import calling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL
    from typing import Any

    Json = dict[str, Any]

# Offsets in bytes. R0600: as hip-python 6 declares the structure, and as llama.cpp's libggml-hip reads it. Old:
# hip_runtime_api.h 5.2, compiled (`tests/backends/test_layout_hip.py`).
R0600, OLD = "hipGetDevicePropertiesR0600", "hipGetDeviceProperties"
ARCHITECTURE = {R0600: 1160, OLD: 396}
NUMBERS = {
    R0600: {
        "warpSize": 308,
        "clockRate": 348,
        "major": 360,
        "minor": 364,
        "multiProcessorCount": 388,
        "integrated": 396,
        "ECCEnabled": 580,
        "pciBusID": 584,
        "pciDeviceID": 588,
        "pciDomainID": 592,
        "memoryClockRate": 608,
        "l2CacheSize": 616,
        "isLargeBar": 1464,
    },
    OLD: {
        "warpSize": 276,
        "clockRate": 308,
        "major": 328,
        "minor": 332,
        "multiProcessorCount": 336,
        "integrated": 652,
        "ECCEnabled": 740,
        "pciBusID": 368,
        "pciDeviceID": 372,
        "pciDomainID": 364,
        "memoryClockRate": 312,
        "l2CacheSize": 340,
        "isLargeBar": 764,
    },
}
_ROOM = 4096  # no release's structure is half as long
_UNTOUCHED = b"\xa5"


class Properties:
    """What a card's properties say. `arch` is the architecture with its switches ("gfx942:sramecc+:xnack-")."""

    def __init__(self, arch: str, numbers: dict[str, int]) -> None:
        self.arch, self.numbers = arch, numbers

    def switch(self, name: str) -> bool | None:
        return {0: False, 1: True}.get(self.numbers.get(name, -1))


def function_of(library: CDLL) -> str:
    return R0600 if calling.optional(library, R0600) is not None else OLD


def asked(library: CDLL, number: int) -> tuple[int, Properties | str]:
    """The code, and the properties of a device; in their place a clause where nothing, or another layout, was written."""
    function = function_of(library)
    buffer = create_string_buffer(_UNTOUCHED * _ROOM, _ROOM)
    code = calling.required(library, function)(buffer, c_int(number))
    if code:
        return code, ""
    if buffer.raw == _UNTOUCHED * _ROOM:
        return code, f"`{function}` reported success but wrote nothing"
    start = ARCHITECTURE[function]
    arch = calling.text(buffer.raw[start : start + 256]) or ""
    if not arch.startswith("gfx"):
        return code, f"`{function}` wrote a layout that this version of gpuprobe does not know"
    return code, Properties(arch, _numbers(buffer.raw, function))


def _numbers(raw: bytes, function: str) -> dict[str, int]:
    """The 32-bit numbers that were written: what still holds the filling is unknown."""
    found = {name: raw[at : at + 4] for name, at in NUMBERS[function].items()}
    return {name: c_int.from_buffer_copy(part).value for name, part in found.items() if part != _UNTOUCHED * 4}
