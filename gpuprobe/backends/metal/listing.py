"""Metal: ask Apple's framework which GPUs it has, and make a command queue and a buffer on one of them."""

from __future__ import annotations

import os
from ctypes import CFUNCTYPE, c_int64, c_uint64, c_void_p

from gpuprobe.backends import calling
from gpuprobe.backends.metal.objective_c import Runtime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce, Facts

    Json = dict[str, Any]

# MTLGPUFamily, MTLDevice.h. Apple1 is 1001; no GPU is of a family above this one yet.
_APPLE_1, _NEWEST_APPLE = 1001, 1010
_FAMILIES = {2002: "mac2", 5001: "metal3", 5002: "metal4"}
_VENDORS = {"Apple": 0x106B, "AMD": 0x1002, "Intel": 0x8086, "Intel(R)": 0x8086, "NVIDIA": 0x10DE}
_PARAVIRTUAL = "Paravirtual"  # "Apple Paravirtual device": what a virtual machine on a Mac is given
_BUFFER = 65536  # bytes
SHARED, PRIVATE = 0, 32  # MTLResourceStorageMode, as an option of a buffer

_SIZES = {
    "maxBufferLength": "max_buffer_bytes",
    "maxThreadgroupMemoryLength": "shared_memory_bytes",
    "registryID": "registry_id",
}
_SWITCHES = {
    "hasUnifiedMemory": "unified_memory",
    "isLowPower": "low_power",
    "isRemovable": "removable",
    "isHeadless": "headless",
}


def load(candidates: Sequence[str], paths: Sequence[str] = ()) -> CDLL:
    """The Metal framework; Failed("not_loadable") where no candidate is one. It is no file since macOS 11: only the loader
    knows whether it is there."""
    return calling.load(candidates, needs="MTLCreateSystemDefaultDevice")


def loaded_path(library: CDLL) -> str | None:
    """macOS has no `dlinfo`; a framework is loaded by its whole path, which is the answer then."""
    return calling.loaded_path(library) or (library._name if os.path.isabs(library._name) else None)  # noqa: PTH117


def devices(library: CDLL, announce: Announce, facts: Facts) -> Iterator[Json]:
    """Every device in the order of `MTLCopyAllDevices`."""
    runtime = start(library, announce)
    for number, device in enumerate(_found(library, runtime)):
        yield _described(runtime, number, device)


def validate(library: CDLL, announce: Announce, facts: Facts, device: Json) -> str:
    """Make a command queue and a small buffer on the wanted device: "context". A device has no other identity than its place:
    its registry number changes with every start of the system."""
    runtime = start(library, announce)
    wanted = find(library, runtime, device)
    queue = new_queue(runtime, wanted)
    buffer = new_buffer(runtime, wanted, _BUFFER, SHARED)
    for made in (buffer, queue):
        runtime.object(made, "release")
    return "context"


def start(library: CDLL, announce: Announce) -> Runtime:
    runtime = Runtime(library, announce)
    runtime.open_pool()
    return runtime


def find(library: CDLL, runtime: Runtime, device: Json) -> int:
    """The address of the device with this place in the list."""
    found = _found(library, runtime)
    return found[calling.chosen(device, [number for number in range(len(found)) if number == device.get("number")])]


def new_queue(runtime: Runtime, device: int) -> int:
    queue = runtime.object(device, "newCommandQueue")
    if queue is None:
        raise calling.Failed("unsupported", "`newCommandQueue` gave no queue: the device takes no commands")
    return queue


def new_buffer(runtime: Runtime, device: int, size: int, mode: int) -> int:
    """Memory of so many bytes, SHARED with the processor or the card's own."""
    buffer = runtime.object(device, "newBufferWithLength:options:", c_uint64(size), c_uint64(mode))
    if buffer is None:
        words = f"`newBufferWithLength:options:` gave no buffer of {size // 1024} KiB: the memory is used up"
        raise calling.Failed("busy", f"{words}; end what uses it")
    length = runtime.number(buffer, "length")
    if length < size:
        raise calling.Failed("unsupported", f"`newBufferWithLength:options:` was asked for {size} bytes and gave {length}")
    return buffer


def free_memory(runtime: Runtime, device: int) -> int | None:
    """Bytes of the recommended working set that this process does not hold; None where the system does not say. What others
    hold it does not count, so it is no figure of the device."""
    total = _number(runtime, device, "recommendedMaxWorkingSetSize")
    own = _number(runtime, device, "currentAllocatedSize", zero=0)
    return None if total is None or own is None else max(0, total - own)


def _found(library: CDLL, runtime: Runtime) -> list[int]:
    """The addresses of the devices. They are never released: the process ends soon."""
    found = _all_devices(library, runtime)
    if not found:
        default = _default_device(library, runtime)
        found = [] if default is None else [default]
    if not found:
        words = "Metal has no device: neither `MTLCopyAllDevices` nor `MTLCreateSystemDefaultDevice` gave one"
        raise calling.Failed("no_devices", f"{words}; a virtual machine may have none, nor a session without graphics")
    return found


def _all_devices(library: CDLL, runtime: Runtime) -> list[int]:
    if calling.optional(library, "MTLCopyAllDevices") is None:
        return []
    runtime.announce("MTLCopyAllDevices")
    listed = CFUNCTYPE(c_void_p)(("MTLCopyAllDevices", library))()
    count = runtime.number(listed, "count") if listed else 0
    found = (runtime.object(listed, "objectAtIndex:", c_uint64(place)) for place in range(count))
    return [device for device in found if device is not None]


def _default_device(library: CDLL, runtime: Runtime) -> int | None:
    """Apple documents that it answers nil in a program without graphics unless that has CoreGraphics loaded."""
    beside = os.path.dirname(os.path.dirname(library._name))  # noqa: PTH120
    runtime.announce("load CoreGraphics")
    try:  # noqa: SIM105 `contextlib` would import collections and functools
        calling.load([f"{beside}/CoreGraphics.framework/CoreGraphics"])
    except calling.Failed:
        pass  # without it the call itself shows what is missing
    runtime.announce("MTLCreateSystemDefaultDevice")
    return CFUNCTYPE(c_void_p)(("MTLCreateSystemDefaultDevice", library))()  # type: ignore[no-any-return]


def _described(runtime: Runtime, number: int, device: int) -> Json:
    name = runtime.text(device, "name")
    switches = {ours: _truth(runtime, device, theirs) for theirs, ours in _SWITCHES.items()}
    known = {
        **switches,
        **{ours: _number(runtime, device, theirs) for theirs, ours in _SIZES.items()},
        **_families(runtime, device),
    }
    return {
        "number": number,
        "name": name,
        "type": _type(name, switches),
        "vendor_id": _VENDORS.get((name or "").partition(" ")[0]),
        "total_memory": _number(runtime, device, "recommendedMaxWorkingSetSize"),
        "capabilities": {key: value for key, value in known.items() if value is not None},
    }


def _type(name: str | None, switches: dict[str, bool | None]) -> str:
    if _PARAVIRTUAL in (name or ""):
        return "virtual"
    if switches["unified_memory"] or switches["low_power"]:
        return "integrated"
    return "unknown" if switches["unified_memory"] is None else "discrete"


def _truth(runtime: Runtime, device: int, selector: str) -> bool | None:
    return runtime.truth(device, selector) if runtime.answers(device, selector) else None


def _number(runtime: Runtime, device: int, selector: str, zero: int | None = None) -> int | None:
    """What a method says; `zero` where that is 0, which most figures never are; None where there is no such method."""
    return (runtime.number(device, selector) or zero) if runtime.answers(device, selector) else None


def _families(runtime: Runtime, device: int) -> Json:
    """The newest of Apple's own families that the device belongs to, and whether it is of those that cut across."""
    if not runtime.answers(device, "supportsFamily:"):
        return {}
    own = [family for family in range(_APPLE_1, _NEWEST_APPLE + 1) if _is_of(runtime, device, family)]
    across = {name: _is_of(runtime, device, family) for family, name in _FAMILIES.items()}
    return {"apple_family": max(own) - _APPLE_1 + 1 if own else None, **across}


def _is_of(runtime: Runtime, device: int, family: int) -> bool:
    return runtime.truth(device, "supportsFamily:", c_int64(family))
