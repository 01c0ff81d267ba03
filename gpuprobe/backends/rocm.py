"""ROCm: ask AMD's HIP runtime which cards it can compute on; make a context on one of them and start rocBLAS there.

rocBLAS aborts the process on a card that it has no kernels for, and starts on every card that it sees: the parent lets the
validating child see one card alone, and the abort is then the answer about that card.
"""

from __future__ import annotations

import os
from ctypes import byref, c_int, c_size_t, c_uint, c_void_p, create_string_buffer

from gpuprobe.backends import calling, rocblas, rocm_properties, rocm_results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Facts, Step
    from gpuprobe.backends.rocm_properties import Properties

    Json = dict[str, Any]

AMD = 0x1002

# Values that no call gives: where one is still there after a success, the runtime wrote nothing.
_NO_INT = -0x5A5A5A5B
_NO_SIZE = 0xA5A5A5A5A5A5A5A5 & c_size_t(-1).value
_HEXADECIMAL = set("0123456789abcdef")


def load(candidates: Sequence[str], paths: Sequence[str]) -> CDLL:
    """AMD's HIP runtime; Failed("not_loadable") where none of the candidates is one."""
    return calling.load(candidates, needs="hipInit")


def devices(library: CDLL, step: Step, facts: Facts) -> Iterator[Json]:
    """Every device in HIP's numbering, as ROCr's and HIP's own variables leave it. Free memory needs a context: not asked.

    The partitions of an Instinct card share one UUID; that, and nothing else, tells them from whole cards.
    """
    versions = started(library, step, facts)
    cards = [Card(library, step, number) for number in range(_counted(library, step))]
    uuids = [card.uuid() for card in cards]
    for card, uuid in zip(cards, uuids, strict=True):
        yield card.described(uuid, versions, is_partition=uuid is not None and uuids.count(uuid) > 1)


def validate(library: CDLL, step: Step, facts: Facts, device: Json) -> str:
    """Make a context on the wanted device, then start rocBLAS where there is one: "rocBLAS", else "context".

    `facts` gets the memory in bytes, and as "rocblas" the file, or why the context alone had to do.
    """
    versions = started(library, step, facts)
    free, total = make_context(wanted_card(library, step, device))
    facts({"free_memory": free, "total_memory": total})
    return rocblas.start(library, step, facts, versions["runtime_version"])


def wanted_card(library: CDLL, step: Step, device: Json) -> Card:
    """The device with the wanted identity; Failed("device_missing") where it is not there, or not alone though it should be."""
    cards = [Card(library, step, number) for number in range(_counted(library, step))]
    if device.get("alone") and len(cards) != 1:
        words = f"the child was to see this device alone and sees {len(cards)}"
        raise calling.Failed("device_missing", f"{words}: the runtime does not obey the variable that hides the others")
    return cards[calling.chosen(device, [card.number for card in cards if card.is_wanted(device)])]


def started(library: CDLL, step: Step, facts: Facts) -> dict[str, str | None]:
    """Starts the runtime and asks its versions. Without a card it answers 101 to this call and 100 to the next (HIP 5.2)."""
    step("hipInit")
    code = calling.required(library, "hipInit")(c_uint(0))
    if code:
        none = code in (rocm_results.NO_DEVICE, rocm_results.INVALID_DEVICE)
        raise rocm_results.failure("no_devices" if none else "init_failed", "hipInit", code)
    versions = {
        "api_version": _version(library, step, "hipDriverGetVersion"),
        "runtime_version": _version(library, step, "hipRuntimeGetVersion"),
    }
    facts({name: version for name, version in versions.items() if version is not None})
    return versions


def _version(library: CDLL, step: Step, function: str) -> str | None:
    """HIP's own formula: major · 10^7 + minor · 10^5 + patch. By CUDA's, ROCm 6.3 would read 60342.13."""
    ask, number = calling.optional(library, function), c_int(_NO_INT)
    step(function)
    if ask is None or ask(byref(number)) or number.value < 10**7:
        return None
    return f"{number.value // 10**7}.{number.value // 10**5 % 100}.{number.value % 10**5}"


def _counted(library: CDLL, step: Step) -> int:
    count = c_int(_NO_INT)
    step("hipGetDeviceCount")
    code = calling.required(library, "hipGetDeviceCount")(byref(count))
    if code:
        status = "no_devices" if code == rocm_results.NO_DEVICE else "call_failed"
        raise rocm_results.failure(status, "hipGetDeviceCount", code, library)
    if count.value < 0:
        raise calling.Failed("call_failed", "`hipGetDeviceCount` answered success and wrote no number of devices")
    if count.value == 0:
        raise calling.Failed("no_devices", "`hipGetDeviceCount` counts no device; compare with `rocminfo`")
    return count.value


class Card:
    """One device while it is asked. What a call could not tell stays unknown; `problems` keeps its words, by field."""

    def __init__(self, library: CDLL, step: Step, number: int) -> None:
        self.library, self.step, self.number = library, step, number
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
            **_said(properties, rocm_properties.function_of(self.library)),
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
        self.step(function)
        if not self.answers("uuid", function, raw, c_int(self.number)):
            return None
        digits = raw.raw.decode("ascii", "replace").lower()
        return f"GPU-{digits}" if set(digits) <= _HEXADECIMAL and digits.strip("0") else None

    def name(self) -> str | None:
        buffer = create_string_buffer(256)
        self.step("hipDeviceGetName")
        answered = self.answers("name", "hipDeviceGetName", buffer, c_int(len(buffer)), c_int(self.number))
        return calling.text(buffer.raw) if answered else None

    def total_memory(self) -> int | None:
        size = c_size_t(_NO_SIZE)
        self.step("hipDeviceTotalMem")
        if not self.answers("total_memory", "hipDeviceTotalMem", byref(size), c_int(self.number)):
            return None
        if size.value == _NO_SIZE:
            self.problems["total_memory"] = "`hipDeviceTotalMem` answered success and wrote nothing"
            return None
        return size.value or None

    def properties(self) -> Properties | None:
        self.step(rocm_properties.function_of(self.library))
        code, found = rocm_properties.asked(self.library, self.number)
        if isinstance(found, str):
            self.problems["properties"] = rocm_results.named(code, self.library) if code else found
            return None
        return found

    def pci_id(self, properties: Properties | None) -> str | None:
        buffer = create_string_buffer(32)
        self.step("hipDeviceGetPCIBusId")
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
            self.problems[field] = rocm_results.named(code, self.library)
        return code == 0


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


def make_context(card: Card) -> tuple[int, int]:
    """Makes a context on the card and gives its free and its total memory in bytes."""
    _run_in_context(card, "hipSetDevice", c_int(card.number))
    _run_in_context(card, "hipFree", c_void_p())  # frees nothing: it makes the context
    return memory(card)


def memory(card: Card) -> tuple[int, int]:
    """Free and total memory in bytes, as a context on the card sees it."""
    free, total = c_size_t(_NO_SIZE), c_size_t(_NO_SIZE)
    _run_in_context(card, "hipMemGetInfo", byref(free), byref(total))
    if _NO_SIZE in (free.value, total.value):
        raise calling.Failed("call_failed", "`hipMemGetInfo` answered success and wrote nothing")
    return free.value, total.value


def _run_in_context(card: Card, function: str, *arguments: object) -> None:
    card.step(function)
    code = calling.required(card.library, function)(*arguments)
    if code:
        raise rocm_results.failure(rocm_results.context_status(code), function, code, card.library)
