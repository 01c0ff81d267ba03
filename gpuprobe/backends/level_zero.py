"""Level Zero: ask the loader which devices its drivers list, and copy a buffer to one of them and back.

Every installed driver runs inside `zeInit`, so one that crashes or hangs there takes the others with it; the parent then asks
each driver library alone.
"""

from __future__ import annotations

import os
from ctypes import byref, c_size_t, c_uint32, c_void_p, memmove, string_at

from gpuprobe.backends import calling, level_zero_results, level_zero_sysman
from gpuprobe.backends import level_zero_structs as structs
from gpuprobe.backends.level_zero_calls import Session
from gpuprobe.backends.level_zero_sysman import Sysman

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Facts, Step

    Json = dict[str, Any]

_INTEL = 0x8086
_GPU, _CPU = 1, 2  # ze_device_type_t
_INTEGRATED = 1  # ze_device_property_flag_t
_COMPUTE = 1  # ze_command_queue_group_property_flag_t
_SYNCHRONOUS = 1  # ze_command_queue_mode_t
_COPIED = 65536  # bytes
_ALIGNMENT = 64


def load(candidates: Sequence[str], paths: Sequence[str] = ()) -> CDLL:
    """The Level Zero loader; Failed("not_loadable") where no candidate is one."""
    library = calling.load(candidates, needs="zeInit")
    level_zero_sysman.choose_start(library)
    return library


def devices(library: CDLL, step: Step, facts: Facts) -> Iterator[Json]:
    """Every GPU that a driver lists; `number` is the one that `ZE_AFFINITY_MASK` takes for it."""
    session = Session(library, step)
    found = listed(session, session.drivers())
    others = [device.text("name") for device in found if device.kind not in (_GPU, _CPU)]
    if others:
        facts({"other_devices": others})
    sysman = Sysman(session)
    for device in found:
        if device.kind in (_GPU, _CPU):
            yield device.described(sysman)


def validate(library: CDLL, step: Step, facts: Facts, device: Json) -> str:
    """Make a context, take memory on the wanted device, copy a pattern there and back and compare it: "copy"."""
    session = Session(library, step)
    chosen = wanted(listed(session, session.drivers()), device)
    session.judge = level_zero_results.validation_status
    _copy(session, chosen)
    return "copy"


def wanted(found: list[Device], device: Json) -> Device:
    """By UUID, else by address, else by number: in the order in which the parent tells devices apart."""
    key = next((name for name in ("uuid", "pci_id") if device.get(name)), "number")
    places = [place for place, one in enumerate(found) if one.identity()[key] == device[key]]
    return found[calling.chosen(device, places)]


class _Driver:
    """One driver's handle, and what it says of itself."""

    def __init__(self, session: Session, handle: c_void_p) -> None:
        self.handle = handle
        about = structs.answered(structs.ZeDriverProperties)[0]
        session.run("zeDriverGetProperties", handle, byref(about))
        self.uuid, self.version = calling.known_bytes(about.uuid), calling.known(about.driverVersion)
        version = c_uint32(calling.UNTOUCHED_32)
        told = session.answers({}, "api_version", "zeDriverGetApiVersion", handle, byref(version))
        known = calling.known(version.value) if told else None
        self.api_version = None if known is None else f"{known >> 16}.{known & 0xFFFF}"


class Device:
    """One device while it is asked. What a call could not tell stays unknown; `problems` keeps its words, by field."""

    def __init__(self, session: Session, driver: _Driver, handle: c_void_p) -> None:
        self.session, self.driver, self.handle = session, driver, handle
        self.number = 0
        self.problems: dict[str, str] = {}
        self.properties = structs.answered(structs.ZeDeviceProperties)[0]
        session.run("zeDeviceGetProperties", handle, byref(self.properties))
        self.kind = calling.known(self.properties.type)
        flags = calling.known(self.properties.flags)
        self.integrated = None if flags is None else bool(flags & _INTEGRATED)
        self.uuid = calling.known_bytes(self.properties.uuid)
        self.pci_id = self._pci_id()

    def identity(self) -> Json:
        return {"uuid": calling.uuid_text(self.uuid), "pci_id": self.pci_id, "number": self.number}

    def described(self, sysman: Sysman) -> Json:
        """The device's line of the protocol."""
        known = {**self._units(), **self._memories(), "sub_devices": self.session.counted("zeDeviceGetSubDevices", self.handle)}
        card: Json = {
            **self.identity(),
            "name": self.text("name"),
            "type": self._type(),
            "uuid_space": "level zero",
            "vendor_id": calling.known(self.properties.vendorId),
            "device_id": calling.known(self.properties.deviceId),
            "total_memory": known.pop("total_memory"),
            "free_memory": sysman.free_memory(self.handle, self.uuid, self.integrated is True, self.problems),
            "api_version": self.driver.api_version,
            "runtime_version": self._driver_version(),
            "capabilities": {name: value for name, value in known.items() if value is not None},
        }
        return {**card, "problems": self.problems} if self.problems else card

    def text(self, field: str) -> str | None:
        return calling.known_text(getattr(self.properties, field))

    def _type(self) -> str:
        if self.kind == _CPU:
            return "software"
        return {True: "integrated", False: "discrete", None: "unknown"}[self.integrated]

    def _driver_version(self) -> str | None:
        version = self.driver.version
        if version is None or calling.known(self.properties.vendorId) != _INTEL:
            return None if version is None else str(version)
        # Intel's packing, as in the name of its library: libze_intel_gpu.so.1.3.24595.
        return f"{version >> 24}.{version >> 16 & 0xFF}.{version & 0xFFFF}"

    def _pci_id(self) -> str | None:
        about = structs.answered(structs.ZePciExtProperties)[0]
        if not self.session.answers(self.problems, "pci_id", "zeDevicePciGetPropertiesExt", self.handle, byref(about)):
            return None
        place = about.address
        # The sentinel is out of every range of an address, so an untouched structure reads as none.
        return calling.pci_id(f"{place.domain:x}:{place.bus:x}:{place.device:x}.{place.function:x}")

    def _memories(self) -> Json:
        """Total bytes of all its memories, and what is said of the first."""
        memories = self.session.described("zeDeviceGetMemoryProperties", structs.ZeDeviceMemoryProperties, self.handle)
        sizes = [calling.known(memory.totalSize) for memory in memories]
        if not memories or None in sizes:
            self.problems["total_memory"] = "`zeDeviceGetMemoryProperties` gave no size"
            return {"total_memory": None}
        return {
            "total_memory": sum(size for size in sizes if size) or None,
            "memory_name": calling.known_text(memories[0].name),
            "memory_bus_width_bits": calling.known(memories[0].maxBusWidth) or None,
        }

    def _units(self) -> Json:
        said = self.properties
        counts = [calling.known(each) for each in (said.numSlices, said.numSubslicesPerSlice, said.numEUsPerSubslice)]
        slices, subslices, units = counts
        return {
            "core_clock_mhz": calling.known(said.coreClockRate) or None,
            "max_allocation_bytes": calling.known(said.maxMemAllocSize) or None,
            "execution_units": slices * subslices * units if slices and subslices and units else None,
            "threads_per_execution_unit": calling.known(said.numThreadsPerEU) or None,
        }


def listed(session: Session, drivers: list[c_void_p]) -> list[Device]:
    """Every device of every driver, GPU or not, in the drivers' order, numbered as `ZE_AFFINITY_MASK` counts.

    Each driver library reads the mask by itself and counts its own devices from 0. Intel's (since 25.09) gives a handle per
    product family, so the devices of one library can be spread over handles: its mask counts discrete devices first, then by
    address (ExecutionEnvironment::sortNeoDevices), and its handles share one UUID.
    """
    libraries: dict[bytes, list[list[Device]]] = {}
    for place, handle in enumerate(drivers):
        driver = _Driver(session, handle)
        handles = libraries.setdefault(driver.uuid if any(driver.uuid) else b"%d" % place, [])
        handles.append([Device(session, driver, device) for device in session.listed("zeDeviceGet", handle)])
    for handles in libraries.values():
        together = [device for devices in handles for device in devices]
        for number, device in enumerate(together if len(handles) == 1 else sorted(together, key=_mask_order)):
            device.number = number
    return [device for handles in libraries.values() for devices in handles for device in devices]


def _mask_order(device: Device) -> tuple[bool, str]:
    by_address_alone = os.environ.get("ZE_ENABLE_PCI_ID_DEVICE_ORDER") == "1"
    return device.integrated is True and not by_address_alone, device.pci_id or "~"


def _copy(session: Session, device: Device) -> None:
    """Immediate and synchronous: each call returns when the device is done with it."""
    context, there, here, commands = c_void_p(), c_void_p(), c_void_p(), c_void_p()
    size, alignment, no_wait = c_size_t(_COPIED), c_size_t(_ALIGNMENT), c_uint32(0)
    host, card = structs.asking(structs.ZeHostMemAllocDesc), structs.asking(structs.ZeDeviceMemAllocDesc)
    queue = structs.asking(structs.ZeCommandQueueDesc, ordinal=compute_group(session, device), mode=_SYNCHRONOUS)
    session.run("zeContextCreate", device.driver.handle, byref(structs.asking(structs.ZeContextDesc)), byref(context))
    session.run("zeMemAllocDevice", context, byref(card), size, alignment, device.handle, byref(there))
    session.run("zeMemAllocHost", context, byref(host), size, alignment, byref(here))
    session.run("zeCommandListCreateImmediate", context, device.handle, byref(queue), byref(commands))
    if not (context and there and here and commands):
        raise calling.Failed("call_failed", "a context, memory or a command list was made with success, and is not there")
    pattern = bytes(range(256)) * (_COPIED // 256)
    memmove(here, pattern, _COPIED)
    session.run("zeCommandListAppendMemoryCopy", commands, there, here, size, None, no_wait, None)
    memmove(here, bytes(_COPIED), _COPIED)
    session.run("zeCommandListAppendMemoryCopy", commands, here, there, size, None, no_wait, None)
    if string_at(here, _COPIED) != pattern:
        raise calling.Failed("unsupported", "what was copied to the device and back is not what was sent")
    for function, arguments in (
        ("zeCommandListDestroy", (commands,)),
        ("zeMemFree", (context, there)),
        ("zeMemFree", (context, here)),
        ("zeContextDestroy", (context,)),
    ):
        session.run(function, *arguments)


def compute_group(session: Session, device: Device) -> int:
    """The number of the first group of queues that computes."""
    function = "zeDeviceGetCommandQueueGroupProperties"
    groups = session.described(function, structs.ZeCommandQueueGroupProperties, device.handle)
    able = (place for place, group in enumerate(groups) if (calling.known(group.flags) or 0) & _COMPUTE)
    ordinal = next(able, None)
    if ordinal is None:
        raise calling.Failed("unsupported", "no queue of the device can compute")
    return ordinal
