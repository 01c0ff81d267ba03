"""Level Zero: ask the loader which devices its drivers list, and copy a buffer to one of them and back.

Every installed driver runs inside `zeInit`, so one that crashes or hangs there takes the others with it; the parent then asks
each driver library alone.
"""

from __future__ import annotations

import os
from ctypes import byref, c_size_t, c_uint32, c_void_p, memmove, string_at

from gpuprobe.backends import calling
from gpuprobe.backends.level_zero import results, structs, sysman
from gpuprobe.backends.level_zero.card import CPU, GPU, Card, Driver
from gpuprobe.backends.level_zero.session import Session
from gpuprobe.backends.level_zero.sysman import Sysman

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce, Facts

    Json = dict[str, Any]

_SYNCHRONOUS = 1  # ze_command_queue_mode_t
_COPIED = 65536  # bytes
_ALIGNMENT = 64


def load(candidates: Sequence[str], paths: Sequence[str] = ()) -> CDLL:
    """The Level Zero loader; Failed("not_loadable") where no candidate is one."""
    library = calling.load(candidates, needs="zeInit")
    sysman.choose_start(library)
    return library


def devices(library: CDLL, announce: Announce, facts: Facts) -> Iterator[Json]:
    """Every GPU that a driver lists; `number` is the one that `ZE_AFFINITY_MASK` takes for it."""
    session, drivers = start(library, announce)
    found = listed(session, drivers)
    others = [device.text("name") for device in found if device.kind not in (GPU, CPU)]
    if others:
        facts({"other_devices": others})
    sysman = Sysman(session)
    for device in found:
        if device.kind in (GPU, CPU):
            yield device.described(sysman)


def validate(library: CDLL, announce: Announce, facts: Facts, device: Json) -> str:
    """Make a context, take memory on the wanted device, copy a pattern there and back and compare it: "copy"."""
    session, drivers = start(library, announce)
    chosen = find(listed(session, drivers), device)
    session.judge = results.validation_status
    _copy(session, chosen)
    return "copy"


def start(library: CDLL, announce: Announce) -> tuple[Session, list[c_void_p]]:
    """The library, started, and its drivers' handles."""
    session = Session(library, announce)
    return session, session.drivers()


def find(found: list[Card], device: Json) -> Card:
    """By UUID, else by address, else by number: in the order in which the parent tells devices apart."""
    key = next((name for name in ("uuid", "pci_id") if device.get(name)), "number")
    places = [place for place, one in enumerate(found) if one.identity()[key] == device[key]]
    return found[calling.chosen(device, places)]


def listed(session: Session, drivers: list[c_void_p]) -> list[Card]:
    """Every device of every driver, GPU or not, in the drivers' order, numbered as `ZE_AFFINITY_MASK` counts.

    Each driver library reads the mask by itself and counts its own devices from 0. Intel's (since 25.09) gives a handle per
    product family, so the devices of one library can be spread over handles: its mask counts discrete devices first, then by
    address (ExecutionEnvironment::sortNeoDevices), and its handles share one UUID.
    """
    libraries: dict[bytes, list[list[Card]]] = {}
    for place, handle in enumerate(drivers):
        driver = Driver(session, handle)
        handles = libraries.setdefault(driver.uuid if any(driver.uuid) else b"%d" % place, [])
        handles.append([Card(session, driver, device) for device in session.listed("zeDeviceGet", handle)])
    for handles in libraries.values():
        together = [device for devices in handles for device in devices]
        for number, device in enumerate(together if len(handles) == 1 else sorted(together, key=_mask_order)):
            device.number = number
    return [device for handles in libraries.values() for devices in handles for device in devices]


def _mask_order(device: Card) -> tuple[bool, str]:
    by_address_alone = os.environ.get("ZE_ENABLE_PCI_ID_DEVICE_ORDER") == "1"
    return device.integrated is True and not by_address_alone, device.pci_id or "~"


def _copy(session: Session, device: Card) -> None:
    """Immediate and synchronous: each call returns when the device is done with it."""
    context, there, here, commands = c_void_p(), c_void_p(), c_void_p(), c_void_p()
    size, alignment, no_wait = c_size_t(_COPIED), c_size_t(_ALIGNMENT), c_uint32(0)
    host, card = structs.asking(structs.ZeHostMemAllocDesc), structs.asking(structs.ZeDeviceMemAllocDesc)
    queue = structs.asking(structs.ZeCommandQueueDesc, ordinal=device.compute_group(), mode=_SYNCHRONOUS)
    session.check("zeContextCreate", device.driver.handle, byref(structs.asking(structs.ZeContextDesc)), byref(context))
    session.check("zeMemAllocDevice", context, byref(card), size, alignment, device.handle, byref(there))
    session.check("zeMemAllocHost", context, byref(host), size, alignment, byref(here))
    session.check("zeCommandListCreateImmediate", context, device.handle, byref(queue), byref(commands))
    if not (context and there and here and commands):
        raise calling.Failed("call_failed", "the driver reported success but made no context, memory or command list")
    pattern = bytes(range(256)) * (_COPIED // 256)
    memmove(here, pattern, _COPIED)
    session.check("zeCommandListAppendMemoryCopy", commands, there, here, size, None, no_wait, None)
    memmove(here, bytes(_COPIED), _COPIED)
    session.check("zeCommandListAppendMemoryCopy", commands, here, there, size, None, no_wait, None)
    if string_at(here, _COPIED) != pattern:
        raise calling.Failed("unsupported", "what was copied to the device and back is not what was sent")
    for function, arguments in (
        ("zeCommandListDestroy", (commands,)),
        ("zeMemFree", (context, there)),
        ("zeMemFree", (context, here)),
        ("zeContextDestroy", (context,)),
    ):
        session.check(function, *arguments)
