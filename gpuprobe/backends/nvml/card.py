"""One card or MIG instance as NVML knows it: who it is, and what it holds."""

from __future__ import annotations

from gpuprobe.backends import calling
from gpuprobe.backends.nvml import results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from gpuprobe.backends.calling import Announce

    Json = dict[str, Any]

COMPUTE_MODES = {0: "default", 1: "exclusive_thread", 2: "prohibited", 3: "exclusive_process"}


def answered(nvml: Any, call: Callable[[], Any]) -> Any:
    """What a call answers; None where the library or the driver has no answer."""
    try:
        return call()
    except nvml.NVMLError:
        return None


def raw(function: Any) -> Callable[..., Any]:
    """The binding decodes strictly, and a name that is not UTF-8 would raise; the function it wraps gives the bytes."""
    return getattr(function, "__wrapped__", function)  # type: ignore[no-any-return]


def text(value: bytes | str | None) -> str | None:
    return calling.text(value) if isinstance(value, bytes) else value or None


class Card:
    """One card or MIG instance while it is asked. `problems` keeps the words of what could not be told, by field."""

    def __init__(self, nvml: Any, announce: Announce, number: int, driver_version: str | None, handle: Any = None) -> None:
        self.nvml, self.announce, self.number, self.driver_version = nvml, announce, number, driver_version
        self.problems: dict[str, str] = {}
        self.is_cut = False
        if handle is None:
            announce("nvmlDeviceGetHandleByIndex_v2")
            handle = self.told("handle", nvml.nvmlDeviceGetHandleByIndex, number)
        self.handle = handle

    def described(self) -> Json:
        """A card that is lost still has its number: the other cards are asked all the same."""
        return {} if self.handle is None else self.identity() | self.place() | self.memory() | self.modes()

    def again(self, uuid: str, *, closely: bool) -> Json | None:
        """What can change of the card that had this UUID; `closely`: its UUID, and what only an administrator changes, too.
        None: it is another one, is cut into slices, or does not tell all."""
        if self.handle is None or (closely and self.uuid() != uuid):
            return None
        found = self.memory() | (self.modes() if closely else {"capabilities": {}})
        if self.problems or self.is_cut:
            self.problems.clear()
            return None
        return {"uuid": uuid, **found}

    def line(self, known: Json) -> Json:
        """One line of the protocol."""
        self.known: Json = {
            "number": self.number,
            "uuid_space": "nvidia",
            "vendor_id": 0x10DE,
            "kernel_version": self.driver_version,
            **known,
        }
        return {**self.known, "problems": self.problems} if self.problems else self.known

    def line_again(self, changed: Json) -> Json:
        """One line of the protocol, of a card that the answer before has described."""
        line = {"number": self.number, "again": True, **changed}
        return {**line, "problems": self.problems} if self.problems else line

    def identity(self) -> Json:
        self.announce("nvmlDeviceGetName")
        name = text(self.told("name", raw(self.nvml.nvmlDeviceGetName), self.handle))
        return {"name": name, "uuid": self.uuid()}

    def uuid(self) -> str | None:
        self.announce("nvmlDeviceGetUUID")
        return text(self.told("uuid", raw(self.nvml.nvmlDeviceGetUUID), self.handle))

    def place(self) -> Json:
        self.announce("nvmlDeviceGetPciInfo_v3")
        pci = self.told("pci_id", self.nvml.nvmlDeviceGetPciInfo, self.handle)
        self.announce("nvmlDeviceGetCudaComputeCapability")
        major, minor = self.told("compute_major", self.nvml.nvmlDeviceGetCudaComputeCapability, self.handle) or (None, None)
        return {
            "pci_id": calling.pci_id(text(pci.busId) or "") if pci is not None else None,
            "device_id": (pci.pciDeviceId >> 16 or None) if pci is not None else None,
            "compute_major": major or None,
            "compute_minor": minor if major else None,
        }

    def memory(self) -> Json:
        """Bytes. Version 2 tells the driver's own reserve apart from what is used; older libraries have only version 1."""
        ask, version = self.nvml.nvmlDeviceGetMemoryInfo, self.nvml.nvmlMemory_v2
        self.announce("nvmlDeviceGetMemoryInfo_v2")
        known = answered(self.nvml, lambda: ask(self.handle, version=version))
        if known is None:
            self.announce("nvmlDeviceGetMemoryInfo")
            known = self.told("total_memory", ask, self.handle)
        if known is None or not known.total:  # an integrated GPU without memory of its own; or nothing was written
            return {"total_memory": None, "free_memory": None, "used_memory": None}
        return {"total_memory": known.total, "free_memory": known.free, "used_memory": known.used}

    def modes(self) -> Json:
        self.announce("nvmlDeviceGetComputeMode")
        compute = self.told("compute_mode", self.nvml.nvmlDeviceGetComputeMode, self.handle)
        self.announce("nvmlDeviceGetEccMode")
        ecc = self.told("ecc_enabled", self.nvml.nvmlDeviceGetEccMode, self.handle)
        self.announce("nvmlDeviceGetMigMode")
        mig = self.told("mig_enabled", self.nvml.nvmlDeviceGetMigMode, self.handle)
        self.is_cut = bool(mig and mig[0])
        return {
            "capabilities": {
                "compute_mode": None if compute is None else COMPUTE_MODES.get(compute, str(compute)),
                "ecc_enabled": bool(ecc[0]) if ecc else None,
                "mig_enabled": bool(mig[0]) if mig else None,
            }
        }

    def slices(self, number: int, doing: Callable[[Card], Json] | None = None) -> Iterator[Json]:
        """The MIG instances of a card where MIG is on, numbered from `number`; `doing` tells what one of them is doing."""
        if not self.is_cut:
            return
        self.announce("nvmlDeviceGetMigDeviceHandleByIndex")
        for index in range(answered(self.nvml, lambda: self.nvml.nvmlDeviceGetMaxMigDeviceCount(self.handle)) or 0):
            # Places without an instance answer NVML_ERROR_NOT_FOUND.
            handle = self.told("slice", self.nvml.nvmlDeviceGetMigDeviceHandleByIndex, self.handle, index)
            if handle is not None:
                yield Card(self.nvml, self.announce, number, self.driver_version, handle).as_slice_of(self, index, doing)
                number += 1

    def as_slice_of(self, card: Card, index: int, doing: Callable[[Card], Json] | None = None) -> Json:
        """A MIG instance. NVML tells the place and the capability of whole cards only."""
        of_the_card = ("pci_id", "device_id", "compute_major", "compute_minor")
        known = {key: card.known[key] for key in of_the_card} | self.identity() | self.memory()
        known["partition"] = {"kind": "mig", "parent": card.known["uuid"]}
        known["capabilities"] = {
            "mig_index": index,
            "gpu_instance": self.told("gpu_instance", self.nvml.nvmlDeviceGetGpuInstanceId, self.handle),
            "compute_instance": self.told("compute_instance", self.nvml.nvmlDeviceGetComputeInstanceId, self.handle),
        }
        if doing is not None:
            known["capabilities"]["activity"] = doing(self)
        return self.line(known)

    def told(self, field: str, function: Callable[..., Any], *arguments: object) -> Any:
        """What a call answers; None where it fails. "Not supported" is normal for many fields of ordinary cards: no problem."""
        try:
            return function(*arguments)
        except self.nvml.NVMLError as error:
            if error.value not in (results.NOT_SUPPORTED, results.NOT_FOUND):
                self.problems[field] = (
                    f"{results.NAMES[error.value]} ({error.value})" if error.value in results.NAMES else str(error.value)
                )
            return None
