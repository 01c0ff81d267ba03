"""One card as AMD's HIP runtime knows it: who it is, what it can, and a context on it."""

from __future__ import annotations

import os
from ctypes import byref, c_int, c_size_t, c_void_p, create_string_buffer

from gpuprobe.backends import calling
from gpuprobe.backends.rocm import results, structs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce
    from gpuprobe.backends.rocm.structs import Properties

    Json = dict[str, Any]

AMD = 0x1002

# Values that no call gives: where one is still there after a success, the runtime wrote nothing.
NO_INT = -0x5A5A5A5B
_NO_SIZE = 0xA5A5A5A5A5A5A5A5 & c_size_t(-1).value
_HEXADECIMAL = set("0123456789abcdef")


class Card:
    """One device while it is asked. What a call could not tell stays unknown; `problems` keeps its words, by field."""

    def __init__(self, library: CDLL, announce: Announce, number: int) -> None:
        self.library, self.announce, self.number = library, announce, number
        self.problems: dict[str, str] = {}

    def described(self, uuid: str | None, versions: Json, is_partition: bool) -> Json:
        """The device's line of the protocol."""
        properties = self.properties()
        place = self.pci_id(properties)
        card: Json = {
            "number": self.number,
            "name": self.name(),
            "uuid": uuid,
            "uuid_space": "rocr" if uuid else None,
            "vendor_id": AMD,
            # Only function 0 is on the bus; what HIP shows as others are the partitions' numbers (amdkfd, location_id).
            "pci_id": f"{place.rpartition('.')[0]}.0" if is_partition and place else place,
            "partition": {"kind": "cpx", "parent": uuid} if is_partition else None,
            "total_memory": self.total_memory(),
            **versions,
            **_said(properties, structs.function_of(self.library)),
        }
        return {**card, "problems": self.problems} if self.problems else card

    def uuid(self) -> str | None:
        """ "GPU-" and 16 digits, as `ROCR_VISIBLE_DEVICES` takes it; None where the card has none.

        HIP gives ROCr's spelling without its first four letters: 16 ASCII digits of the card's unique_id, or "XX" where the
        card has none. On Windows they are only the PCI address once more, in decimal (rocclr, setUUID).
        """
        function, raw = "hipDeviceGetUuid", create_string_buffer(b"\xa5" * 16, 16)
        if os.name == "nt" or calling.optional(self.library, function) is None:  # since HIP 5.1
            return None
        self.announce(function)
        if not self.answers("uuid", function, raw, c_int(self.number)):
            return None
        digits = raw.raw.decode("ascii", "replace").lower()
        return f"GPU-{digits}" if set(digits) <= _HEXADECIMAL and digits.strip("0") else None

    def name(self) -> str | None:
        buffer = create_string_buffer(256)
        self.announce("hipDeviceGetName")
        answered = self.answers("name", "hipDeviceGetName", buffer, c_int(len(buffer)), c_int(self.number))
        return calling.text(buffer.raw) if answered else None

    def total_memory(self) -> int | None:
        size = c_size_t(_NO_SIZE)
        self.announce("hipDeviceTotalMem")
        if not self.answers("total_memory", "hipDeviceTotalMem", byref(size), c_int(self.number)):
            return None
        if size.value == _NO_SIZE:
            self.problems["total_memory"] = "`hipDeviceTotalMem` reported success but wrote nothing"
            return None
        return size.value or None

    def properties(self) -> Properties | None:
        self.announce(structs.function_of(self.library))
        code, found = structs.asked(self.library, self.number)
        if isinstance(found, str):
            self.problems["properties"] = results.named(code, self.library) if code else found
            return None
        return found

    def pci_id(self, properties: Properties | None) -> str | None:
        buffer = create_string_buffer(32)
        self.announce("hipDeviceGetPCIBusId")
        if self.answers("pci_id", "hipDeviceGetPCIBusId", buffer, c_int(len(buffer)), c_int(self.number)):
            found = calling.pci_id(calling.text(buffer.raw) or "")
            if found:
                return found
        parts = [properties.numbers.get(f"pci{part}ID") for part in ("Domain", "Bus", "Device")] if properties else [None]
        return None if None in parts else calling.pci_id("{:x}:{:x}:{:x}.0".format(*parts))

    def is_wanted(self, wanted: Json) -> bool:
        """Does this device have the identity that the wanted one was listed with? Numbers count only where it had none."""
        if wanted.get("uuid"):
            uuid: str = wanted["uuid"]
            return (self.uuid() or "").lower() == uuid.lower()
        if wanted.get("pci_id"):
            return self.pci_id(self.properties()) == calling.pci_id(wanted["pci_id"])
        number: int | None = wanted.get("number")
        return number == self.number

    def answers(self, field: str, function: str, *arguments: object) -> bool:
        call = calling.optional(self.library, function)
        if call is None:
            self.problems[field] = f"this release of HIP has no `{function}`"
            return False
        code = call(*arguments)
        if code:
            self.problems[field] = results.named(code, self.library)
        return code == 0

    def check(self, function: str, *arguments: object, judge: Callable[[int], str] = results.proof_status) -> None:
        """A call on the card that must succeed; `judge` gives the status of its failure."""
        self.announce(function)
        self.check_unannounced(function, *arguments, judge=judge)

    def check_unannounced(self, function: str, *arguments: object, judge: Callable[[int], str] = results.proof_status) -> None:
        """The same between timed copies, where a line would be timed with them."""
        code = calling.required(self.library, function)(*arguments)
        if code:
            raise results.failure(judge(code), function, code, self.library)

    def make_context(self) -> tuple[int, int]:
        """Makes a context on the card and gives its free and its total memory in bytes."""
        self.check("hipSetDevice", c_int(self.number), judge=results.context_status)
        self.check("hipFree", c_void_p(), judge=results.context_status)  # frees nothing: it makes the context
        return self.memory()

    def memory(self) -> tuple[int, int]:
        """Free and total memory in bytes, as a context on the card sees it."""
        free, total = c_size_t(_NO_SIZE), c_size_t(_NO_SIZE)
        self.check("hipMemGetInfo", byref(free), byref(total), judge=results.context_status)
        if _NO_SIZE in (free.value, total.value):
            raise calling.Failed("call_failed", "`hipMemGetInfo` reported success but wrote nothing")
        return free.value, total.value


def _said(properties: Properties | None, layout: str) -> Json:
    """What the properties say: gfx1100 is 11 and 0. The architecture's switches are kept among the capabilities alone."""
    if properties is None:
        return {}
    numbers, capabilities = properties.numbers, {"gcn_arch_name": properties.arch, "properties": layout}
    names = {"multiProcessorCount": "multiprocessors", "warpSize": "warp_size", "clockRate": "clock_khz"}
    names |= {"memoryClockRate": "memory_clock_khz", "l2CacheSize": "l2_cache_bytes"}
    return {
        # 0 says nothing: HIP 5 and the first releases of 6 leave the field out (clr, ihipGetDeviceProperties).
        "type": "integrated" if properties.switch("integrated") else "unknown",
        "compute_major": numbers.get("major"),
        "compute_minor": numbers.get("minor"),
        "gfx_target": properties.arch.partition(":")[0],
        "capabilities": {
            **capabilities,
            **{ours: numbers.get(theirs) for theirs, ours in names.items()},
            "ecc_enabled": properties.switch("ECCEnabled"),
            "large_bar": properties.switch("isLargeBar"),
        },
    }
