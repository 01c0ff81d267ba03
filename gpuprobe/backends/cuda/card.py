"""One card as CUDA's driver library knows it: who it is, what it can, and a context on it."""

from __future__ import annotations

from ctypes import byref, c_int, c_size_t, c_ubyte, c_void_p, create_string_buffer

from gpuprobe.backends import calling
from gpuprobe.backends.cuda import results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce

    Json = dict[str, Any]

NVIDIA = 0x10DE

# CUdevice_attribute, cuda.h 13.0.
INTEGRATED, COMPUTE_MODE = 18, 20
PCI_BUS, PCI_DEVICE, PCI_DOMAIN = 33, 34, 50
COMPUTE_MAJOR, COMPUTE_MINOR = 75, 76
GPU_PCI_DEVICE_ID = 139
NUMBERS = {
    "max_threads_per_block": 1,
    "warp_size": 10,
    "clock_khz": 13,
    "multiprocessors": 16,
    "memory_clock_khz": 36,
    "memory_bus_width_bits": 37,
    "l2_cache_bytes": 38,
    "shared_memory_per_block_optin_bytes": 97,
}
SWITCHES = {
    "kernel_run_time_limit": 17,
    "ecc_enabled": 32,
    "tcc_driver": 35,
    "unified_addressing": 41,
    "managed_memory": 83,
    "pageable_memory_access": 88,
    "cooperative_launch": 95,
    "virtual_memory_management": 102,
    "memory_pools": 115,
    "mps_enabled": 133,
}
COMPUTE_MODES = {0: "default", 2: "prohibited", 3: "exclusive_process"}

# Values that no call gives: where one is still there after a success, the driver wrote nothing (the Khronos mock does that).
NO_INT = -0x5A5A5A5B
NO_SIZE = 0xA5A5A5A5A5A5A5A5 & c_size_t(-1).value


def check(
    library: CDLL, announce: Announce, function: str, *arguments: object, judge: Callable[[int], str] = results.undecided
) -> None:
    """A call that must succeed; `judge` gives the status of its failure."""
    announce(function)
    code = calling.required(library, function)(*arguments)
    if code:
        raise results.failure(judge(code), function, code, library)


class Card:
    """One device while it is asked. What a call could not tell stays unknown; `problems` keeps its words, by field."""

    def __init__(self, library: CDLL, announce: Announce, number: int) -> None:
        self.library, self.announce, self.number = library, announce, number
        self.problems: dict[str, str] = {}
        self.handle = c_int(NO_INT)
        check(library, announce, "cuDeviceGet", byref(self.handle), c_int(number))
        if self.handle.value == NO_INT:
            raise calling.Failed("call_failed", f"`cuDeviceGet` reported success but gave no device for number {number}")

    def described(self, api_version: str | None) -> Json:
        """The device's line of the protocol."""
        name = self.name()
        is_slice = " MIG " in (name or "")
        card: Json = {
            "number": self.number,
            "name": name,
            "uuid": self.uuid(is_slice),
            "uuid_space": "nvidia",
            "vendor_id": NVIDIA,
            "partition": {"kind": "mig", "parent": None} if is_slice else None,
            "total_memory": self.asked("total_memory", "cuDeviceTotalMem_v2", c_size_t(NO_SIZE)) or None,
            "api_version": api_version,
        }
        self.announce("cuDeviceGetAttribute")
        card |= self.attributes()
        card["pci_id"] = self.pci_id()
        return {**card, "problems": self.problems} if self.problems else card

    def name(self) -> str | None:
        buffer = create_string_buffer(256)
        self.announce("cuDeviceGetName")
        answered = self.answers("name", "cuDeviceGetName", buffer, c_int(len(buffer)), self.handle)
        return calling.text(buffer.raw) if answered else None

    def uuid(self, is_slice: bool = False) -> str | None:
        """ "GPU-…" or "MIG-…". Before CUDA 11.4 there is only the first form of the call, which is not made for slices."""
        names = ("cuDeviceGetUuid_v2",) if is_slice else ("cuDeviceGetUuid_v2", "cuDeviceGetUuid")
        function = next((name for name in names if calling.optional(self.library, name)), names[0])
        raw = (c_ubyte * 16)()
        self.announce(function)
        if not self.answers("uuid", function, byref(raw), self.handle):
            return None
        digits = calling.uuid_text(bytes(raw))
        if digits is None:
            self.problems["uuid"] = f"`{function}` reported success but wrote nothing"
            return None
        return f"{'MIG' if is_slice else 'GPU'}-{digits}"

    def attributes(self) -> Json:
        integrated = self.attribute("type", INTEGRATED)
        vendor_and_device = self.attribute("device_id", GPU_PCI_DEVICE_ID) or 0
        mode = self.attribute("compute_mode", COMPUTE_MODE)
        switches = {name: self.attribute(name, number) for name, number in SWITCHES.items()}
        return {
            "type": {0: "discrete", 1: "integrated"}.get(-1 if integrated is None else integrated, "unknown"),
            "device_id": vendor_and_device >> 16 if vendor_and_device & 0xFFFF == NVIDIA else None,
            "compute_major": self.attribute("compute_major", COMPUTE_MAJOR),
            "compute_minor": self.attribute("compute_minor", COMPUTE_MINOR),
            "capabilities": {
                "compute_mode": None if mode is None else COMPUTE_MODES.get(mode, str(mode)),
                **{name: self.attribute(name, number) for name, number in NUMBERS.items()},
                **{name: None if value is None else bool(value) for name, value in switches.items()},
            },
        }

    def pci_id(self) -> str | None:
        buffer = create_string_buffer(32)
        self.announce("cuDeviceGetPCIBusId")
        if self.answers("pci_id", "cuDeviceGetPCIBusId", buffer, c_int(len(buffer)), self.handle):
            found = calling.pci_id(calling.text(buffer.raw) or "")
            if found:
                return found
        domain, bus, device = (self.attribute("pci_id", number) for number in (PCI_DOMAIN, PCI_BUS, PCI_DEVICE))
        return None if None in (domain, bus, device) else calling.pci_id(f"{domain:x}:{bus:x}:{device:x}.0")

    def is_wanted(self, wanted: Json) -> bool:
        """Does this device have the identity that the wanted one was listed with? Numbers count only where it had none."""
        if wanted.get("uuid"):
            # The prefix says what kind of device it is, which only the name tells.
            digits: str = wanted["uuid"].lower()[-36:]
            return (self.uuid() or "").lower()[-36:] == digits
        if wanted.get("pci_id"):
            return self.pci_id() == calling.pci_id(wanted["pci_id"])
        number: int | None = wanted.get("number")
        return number == self.number

    def attribute(self, field: str, number: int) -> int | None:
        return self.written(field, "cuDeviceGetAttribute", c_int(NO_INT), c_int(number))

    def asked(self, field: str, function: str, out: c_size_t) -> int | None:
        self.announce(function)
        return self.written(field, function, out)

    def written(self, field: str, function: str, out: c_int | c_size_t, *arguments: object) -> int | None:
        untouched = out.value
        if not self.answers(field, function, byref(out), *arguments, self.handle):
            return None
        if out.value == untouched:
            self.problems[field] = f"`{function}` reported success but wrote nothing"
            return None
        return out.value

    def answers(self, field: str, function: str, *arguments: object) -> bool:
        call = calling.optional(self.library, function)
        if call is None:
            self.problems[field] = f"this release of the driver has no `{function}`"
            return False
        code = call(*arguments)
        # An attribute that is newer than the driver is an invalid value to it: unknown, and nothing is wrong.
        if code and (code, function) != (results.INVALID_VALUE, "cuDeviceGetAttribute"):
            self.problems[field] = results.named(code, self.library)
        return code == 0

    def check(self, function: str, *arguments: object, judge: Callable[[int], str] = results.proof_status) -> None:
        """A call on the card that must succeed."""
        check(self.library, self.announce, function, *arguments, judge=judge)

    def make_context(self) -> None:
        """The card's primary context, which the CUDA runtime's libraries use too; current for this thread."""
        context, judge = c_void_p(), results.context_status
        self.check("cuDevicePrimaryCtxRetain", byref(context), self.handle, judge=judge)
        if not context:
            raise calling.Failed("call_failed", "`cuDevicePrimaryCtxRetain` reported success but gave no context")
        self.check("cuCtxSetCurrent", context, judge=judge)

    def memory(self) -> tuple[int, int]:
        """Free and total bytes, where its context is current."""
        free, total = c_size_t(NO_SIZE), c_size_t(NO_SIZE)
        self.check("cuMemGetInfo_v2", byref(free), byref(total), judge=results.context_status)
        if NO_SIZE in (free.value, total.value):
            raise calling.Failed("call_failed", "`cuMemGetInfo_v2` reported success but wrote nothing")
        return free.value, total.value
