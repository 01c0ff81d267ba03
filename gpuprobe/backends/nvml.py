"""NVML: ask NVIDIA's management library, through its own binding `pynvml`, which cards are there and what they hold.

It only witnesses: a card that NVML lists and CUDA does not is a finding. It also sees what visibility variables hide from CUDA.
"""

from __future__ import annotations

import sys

from gpuprobe.backends import calling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Facts, Step

    Json = dict[str, Any]
    Binding = tuple[Any, CDLL | None]  # the module pynvml, and the library where this file loaded it

NOT_SUPPORTED, NOT_FOUND, LIBRARY_NOT_FOUND = 3, 6, 12

# nvmlReturn_t; the binding gives words but not these names.
NAMES = {
    1: "NVML_ERROR_UNINITIALIZED",
    2: "NVML_ERROR_INVALID_ARGUMENT",
    3: "NVML_ERROR_NOT_SUPPORTED",
    4: "NVML_ERROR_NO_PERMISSION",
    6: "NVML_ERROR_NOT_FOUND",
    7: "NVML_ERROR_INSUFFICIENT_SIZE",
    8: "NVML_ERROR_INSUFFICIENT_POWER",
    9: "NVML_ERROR_DRIVER_NOT_LOADED",
    10: "NVML_ERROR_TIMEOUT",
    11: "NVML_ERROR_IRQ_ISSUE",
    12: "NVML_ERROR_LIBRARY_NOT_FOUND",
    13: "NVML_ERROR_FUNCTION_NOT_FOUND",
    14: "NVML_ERROR_CORRUPTED_INFOROM",
    15: "NVML_ERROR_GPU_IS_LOST",
    16: "NVML_ERROR_RESET_REQUIRED",
    17: "NVML_ERROR_OPERATING_SYSTEM",
    18: "NVML_ERROR_LIB_RM_VERSION_MISMATCH",
    19: "NVML_ERROR_IN_USE",
    20: "NVML_ERROR_MEMORY",
    21: "NVML_ERROR_NO_DATA",
    23: "NVML_ERROR_INSUFFICIENT_RESOURCES",
    25: "NVML_ERROR_ARGUMENT_VERSION_MISMATCH",
    26: "NVML_ERROR_DEPRECATED",
    27: "NVML_ERROR_NOT_READY",
    28: "NVML_ERROR_GPU_NOT_FOUND",
    29: "NVML_ERROR_INVALID_STATE",
    999: "NVML_ERROR_UNKNOWN",
}
_MEANINGS = {
    4: "this user may not open the device nodes; look at the permissions of `/dev/nvidiactl` and `/dev/nvidia0`",
    8: "a card lacks power; power off and connect every power lead of the card",
    9: "NVIDIA's kernel module is not loaded, or its device nodes are missing; try `sudo nvidia-modprobe -c=0 -u`, and in a "
    "container, start it with the GPUs",
    11: "interrupts of a card do not arrive, as in a virtual machine without interrupt routing; look at the kernel log",
    12: "the library is not there; install the package that brings `libnvidia-ml.so.1`",
    13: "the library is older than this function; install a newer driver",
    14: "a card's infoROM is damaged; the card needs service",
    15: "a card has fallen off the bus; reboot, then look at its power, its heat and its slot",
    16: "a card needs a reset; end its clients and run `sudo nvidia-smi --gpu-reset`, or reboot",
    17: "the system refused something to the driver; in a container, look at the devices it was given",
    18: "the library and the kernel module in memory are of different releases, as after an update; reboot",
    999: "the driver gives no reason; where it happens in a container that worked before, restart the container",
}
COMPUTE_MODES = {0: "default", 1: "exclusive_thread", 2: "prohibited", 3: "exclusive_process"}


def load(candidates: Sequence[str], paths: Sequence[str]) -> Binding:
    """The binding, with our choice of library under it; Failed("not_loadable") where either is missing."""
    # pynvml opens `libnvidia-ml.so.1` by that name and takes no other. A library that is loaded already answers to its name, so
    # a candidate elsewhere (WSL) is found through it. On Windows pynvml looks in the system's own directory, by full path.
    library = None if sys.platform == "win32" else calling.load(candidates)
    try:
        import pynvml
    except Exception as problem:  # a damaged or foreign module of that name may raise anything
        where = ", ".join(paths) or "no directory"
        words = f"`pynvml` was looked for in {where} and not imported: {type(problem).__name__}: {problem}"
        raise calling.Failed("not_loadable", f"{words}; install the distribution `nvidia-ml-py`") from None
    return pynvml, library


def loaded_path(library: Binding) -> str | None:
    """The real file of the library under the binding."""
    return calling.loaded_path(library[1]) if library[1] is not None else None


def devices(library: Binding, step: Step, facts: Facts) -> Iterator[Json]:
    """Every card in NVML's order (by PCI address), each followed by its MIG instances, which are numbered behind all cards."""
    return _listed(library[0], step, facts)


def readings(library: Binding, step: Step, facts: Facts) -> Iterator[Json]:
    """The same with what each card is doing. Started again for each reading, which NVML only counts."""
    from gpuprobe.backends.nvml_activity import activity

    return _listed(library[0], step, facts, activity)


def _listed(nvml: Any, step: Step, facts: Facts, activity: Callable[[Any], Json] | None = None) -> Iterator[Json]:
    _initialised(nvml, step)
    said = _said_of_itself(nvml, step)
    facts({key: value for key, value in said.items() if value is not None})
    step("nvmlDeviceGetCount_v2")
    count = _essential(nvml, "nvmlDeviceGetCount_v2", nvml.nvmlDeviceGetCount)
    if count == 0:
        raise calling.Failed("no_devices", "NVML started and counts no card: the kernel driver could not start any")
    slices = count
    for number in range(count):
        card = _Device(nvml, step, number, said["driver_version"])
        described = card.described()
        if activity is not None and card.handle is not None:
            described["capabilities"]["activity"] = activity(card)
        yield card.line(described)
        for each in card.slices(slices):
            slices += 1
            yield each


def _initialised(nvml: Any, step: Step) -> None:
    step("nvmlInitWithFlags")
    try:
        nvml.nvmlInitWithFlags(0)
    except nvml.NVMLError as error:
        status = "not_loadable" if error.value == LIBRARY_NOT_FOUND else "init_failed"
        raise _failure(status, "nvmlInitWithFlags", error.value) from None


def _failure(status: str, function: str, code: int) -> calling.Failed:
    name = NAMES.get(code)
    meaning = _MEANINGS.get(code, "the kernel log may say more (`sudo dmesg | grep -i nvrm`)")
    return calling.Failed(status, f"`{function}` answered {name or 'a number without a name'} ({code}): {meaning}", code, name)


def _essential(nvml: Any, function: str, call: Callable[[], int]) -> int:
    try:
        return call()
    except nvml.NVMLError as error:
        raise _failure("call_failed", function, error.value) from None


def _said_of_itself(nvml: Any, step: Step) -> dict[str, str | None]:
    step("nvmlSystemGetDriverVersion")
    driver = _text(_known(nvml, _raw(nvml.nvmlSystemGetDriverVersion)))
    step("nvmlSystemGetNVMLVersion")
    own = _text(_known(nvml, _raw(nvml.nvmlSystemGetNVMLVersion)))
    step("nvmlSystemGetCudaDriverVersion")
    cuda = _known(nvml, nvml.nvmlSystemGetCudaDriverVersion_v2) or _known(nvml, nvml.nvmlSystemGetCudaDriverVersion)
    return {
        "driver_version": driver,
        "nvml_version": own,
        "cuda_version": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
    }


def _known(nvml: Any, call: Callable[[], Any]) -> Any:
    """What a call answers; None where the library or the driver has no answer."""
    try:
        return call()
    except nvml.NVMLError:
        return None


def _raw(function: Any) -> Callable[..., Any]:
    """The binding decodes strictly, and a name that is not UTF-8 would raise; the function it wraps gives the bytes."""
    return getattr(function, "__wrapped__", function)  # type: ignore[no-any-return]


def _text(value: bytes | str | None) -> str | None:
    return calling.text(value) if isinstance(value, bytes) else value or None


class _Device:
    """One card or MIG instance while it is asked. `problems` keeps the words of what could not be told, by field."""

    def __init__(self, nvml: Any, step: Step, number: int, driver_version: str | None, handle: Any = None) -> None:
        self.nvml, self.step, self.number, self.driver_version = nvml, step, number, driver_version
        self.problems: dict[str, str] = {}
        self.is_cut = False
        if handle is None:
            step("nvmlDeviceGetHandleByIndex_v2")
            handle = self.told("handle", nvml.nvmlDeviceGetHandleByIndex, number)
        self.handle = handle

    def described(self) -> Json:
        """A card that is lost still has its number: the other cards are asked all the same."""
        return {} if self.handle is None else self.identity() | self.place() | self.memory() | self.modes()

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

    def identity(self) -> Json:
        self.step("nvmlDeviceGetName")
        name = _text(self.told("name", _raw(self.nvml.nvmlDeviceGetName), self.handle))
        self.step("nvmlDeviceGetUUID")
        return {"name": name, "uuid": _text(self.told("uuid", _raw(self.nvml.nvmlDeviceGetUUID), self.handle))}

    def place(self) -> Json:
        self.step("nvmlDeviceGetPciInfo_v3")
        pci = self.told("pci_id", self.nvml.nvmlDeviceGetPciInfo, self.handle)
        self.step("nvmlDeviceGetCudaComputeCapability")
        major, minor = self.told("compute_major", self.nvml.nvmlDeviceGetCudaComputeCapability, self.handle) or (None, None)
        return {
            "pci_id": calling.pci_id(_text(pci.busId) or "") if pci is not None else None,
            "device_id": (pci.pciDeviceId >> 16 or None) if pci is not None else None,
            "compute_major": major or None,
            "compute_minor": minor if major else None,
        }

    def memory(self) -> Json:
        """Bytes. Version 2 tells the driver's own reserve apart from what is used; older libraries have only version 1."""
        ask, version = self.nvml.nvmlDeviceGetMemoryInfo, self.nvml.nvmlMemory_v2
        self.step("nvmlDeviceGetMemoryInfo_v2")
        known = _known(self.nvml, lambda: ask(self.handle, version=version))
        if known is None:
            self.step("nvmlDeviceGetMemoryInfo")
            known = self.told("total_memory", ask, self.handle)
        if known is None or not known.total:  # an integrated GPU without memory of its own; or nothing was written
            return {"total_memory": None, "free_memory": None, "used_memory": None}
        return {"total_memory": known.total, "free_memory": known.free, "used_memory": known.used}

    def modes(self) -> Json:
        self.step("nvmlDeviceGetComputeMode")
        compute = self.told("compute_mode", self.nvml.nvmlDeviceGetComputeMode, self.handle)
        self.step("nvmlDeviceGetEccMode")
        ecc = self.told("ecc_enabled", self.nvml.nvmlDeviceGetEccMode, self.handle)
        self.step("nvmlDeviceGetMigMode")
        mig = self.told("mig_enabled", self.nvml.nvmlDeviceGetMigMode, self.handle)
        self.is_cut = bool(mig and mig[0])
        return {
            "capabilities": {
                "compute_mode": None if compute is None else COMPUTE_MODES.get(compute, str(compute)),
                "ecc_enabled": bool(ecc[0]) if ecc else None,
                "mig_enabled": bool(mig[0]) if mig else None,
            }
        }

    def slices(self, number: int) -> Iterator[Json]:
        """The MIG instances of a card where MIG is on, numbered from `number`."""
        if not self.is_cut:
            return
        self.step("nvmlDeviceGetMigDeviceHandleByIndex")
        for index in range(_known(self.nvml, lambda: self.nvml.nvmlDeviceGetMaxMigDeviceCount(self.handle)) or 0):
            # Places without an instance answer NVML_ERROR_NOT_FOUND.
            handle = self.told("slice", self.nvml.nvmlDeviceGetMigDeviceHandleByIndex, self.handle, index)
            if handle is not None:
                yield _Device(self.nvml, self.step, number, self.driver_version, handle).as_slice_of(self, index)
                number += 1

    def as_slice_of(self, card: _Device, index: int) -> Json:
        """A MIG instance. NVML tells the place and the capability of whole cards only."""
        of_the_card = ("pci_id", "device_id", "compute_major", "compute_minor")
        known = {key: card.known[key] for key in of_the_card} | self.identity() | self.memory()
        known["partition"] = {"kind": "mig", "parent": card.known["uuid"]}
        known["capabilities"] = {
            "mig_index": index,
            "gpu_instance": self.told("gpu_instance", self.nvml.nvmlDeviceGetGpuInstanceId, self.handle),
            "compute_instance": self.told("compute_instance", self.nvml.nvmlDeviceGetComputeInstanceId, self.handle),
        }
        return self.line(known)

    def told(self, field: str, function: Callable[..., Any], *arguments: object) -> Any:
        """What a call answers; None where it fails. "Not supported" is normal for many fields of ordinary cards: no problem."""
        try:
            return function(*arguments)
        except self.nvml.NVMLError as error:
            if error.value not in (NOT_SUPPORTED, NOT_FOUND):
                self.problems[field] = f"{NAMES[error.value]} ({error.value})" if error.value in NAMES else str(error.value)
            return None
