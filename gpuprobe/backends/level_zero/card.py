"""One card as a Level Zero driver lists it: who it is, what it can, and where its queues compute."""

from __future__ import annotations

from ctypes import byref, c_uint32, c_void_p

from gpuprobe.backends import calling
from gpuprobe.backends.level_zero import structs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpuprobe.backends.level_zero.session import Session
    from gpuprobe.backends.level_zero.sysman import Sysman

    Json = dict[str, Any]

_INTEL = 0x8086
GPU, CPU = 1, 2  # ze_device_type_t
_INTEGRATED = 1  # ze_device_property_flag_t
_COMPUTE = 1  # ze_command_queue_group_property_flag_t


class Driver:
    """One driver's handle, and what it says of itself."""

    def __init__(self, session: Session, handle: c_void_p) -> None:
        self.handle = handle
        about = structs.answered(structs.ZeDriverProperties)[0]
        session.check("zeDriverGetProperties", handle, byref(about))
        self.uuid, self.version = calling.known_bytes(about.uuid), calling.known(about.driverVersion)
        version = c_uint32(calling.UNTOUCHED_32)
        told = session.answers({}, "api_version", "zeDriverGetApiVersion", handle, byref(version))
        known = calling.known(version.value) if told else None
        self.api_version = None if known is None else f"{known >> 16}.{known & 0xFFFF}"


class Card:
    """One device while it is asked. What a call could not tell stays unknown; `problems` keeps its words, by field."""

    def __init__(self, session: Session, driver: Driver, handle: c_void_p) -> None:
        self.session, self.driver, self.handle = session, driver, handle
        self.number = 0
        self.problems: dict[str, str] = {}
        self.properties = structs.answered(structs.ZeDeviceProperties)[0]
        session.check("zeDeviceGetProperties", handle, byref(self.properties))
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
        if self.kind == CPU:
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

    def compute_group(self) -> int:
        """The number of the first group of queues that computes."""
        function = "zeDeviceGetCommandQueueGroupProperties"
        groups = self.session.described(function, structs.ZeCommandQueueGroupProperties, self.handle)
        able = (place for place, group in enumerate(groups) if (calling.known(group.flags) or 0) & _COMPUTE)
        ordinal = next(able, None)
        if ordinal is None:
            raise calling.Failed("unsupported", "no queue of the device can compute")
        return ordinal
