"""Completing what a library says of a card with what others know better: witnesses, the survey, its own validation, the system.

Each completed field names its source; nothing that the library itself said is overwritten except free and used memory,
which witnesses see for every process and not only for the asking one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gpuprobe import machine
from gpuprobe.facts import Host
from gpuprobe.judging import identity
from gpuprobe.judging.matching import matches
from gpuprobe.judging.nearby import Nearby
from gpuprobe.judging.verdicts import validations_of
from gpuprobe.judging.visibility import repeated
from gpuprobe.libraries import library_named
from gpuprobe.model import SYSTEM, Device, DeviceType, Evidence, Outcome, Purpose, Status

FROM_SYSTEM = "system"  # as the source of a figure: the machine, not a library
_FROM_WITNESS = ("free_memory", "used_memory")
_FROM_ANYONE = (
    *("uuid", "uuid_space", "pci_id", "total_memory", "kernel_version"),
    *("compute_major", "compute_minor", "vendor_id", "device_id", "gfx_target", "name"),
)
_FROM_THE_SYSTEM = ("partition", "api_version", "runtime_version", "driver_name")
# Two figures are of one memory where they differ by less than this part: drivers take different reserves off.
_SAME_MEMORY = 1 / 8


def completed(devices: Sequence[Device], evidence: Evidence) -> list[Device]:
    asked = [device for outcome in evidence.outcomes if _is_witness(outcome) for device in outcome.devices]
    witnesses = Nearby((*asked, *machine.witnesses(evidence.host)))
    known = _through_the_system([without_defaults(device) for device in devices], evidence.host.environ)
    return [_complete(device, witnesses, len(asked), evidence) for device in known]


def without_defaults(device: Device) -> Device:
    """Without a figure of free memory that nobody measured.

    Where a build or a driver does not know, it answers that everything is free (ggml's Vulkan backend without the budget
    extension, its SYCL backend, i915 to accounts without CAP_PERFMON), and a card is never that empty: what lists it holds
    some. An integrated GPU, which has what the system has, may be. Metal counts what the asking process holds.
    """
    free, total = device.free_memory, device.total_memory
    if free is None or library_named(device.library).witness:
        return device
    default = total is not None and free >= total and (device.build != SYSTEM or device.type is not DeviceType.INTEGRATED)
    own = not library_named(device.library).refreshes
    return device._replace(free_memory=None, used_memory=None) if default or own else device


def _through_the_system(devices: Sequence[Device], environ: Mapping[str, str]) -> list[Device]:
    """A build tells little more than name and memory of a card: the rest is what its library says without the build."""
    found: dict[int, Device] = {}
    for library, build in dict.fromkeys((device.library, device.build) for device in devices if device.build != SYSTEM):
        mine = [device for device in devices if (device.library, device.build) == (library, build)]
        mine = [device for device in mine if repeated(device, environ) is None]
        own = [device for device in devices if (device.library, device.build) == (library, SYSTEM)]
        found |= {id(device): _told_by_twin(device, twin) for twin, device in matches(own, mine)}
    return [found.get(id(device), device) for device in devices]


def _told_by_twin(device: Device, twin: Device) -> Device:
    """The number is taken too: variables count through the system's list, and ggml leaves out some of that."""
    known = filled(device, twin, (*_FROM_ANYONE, *_FROM_THE_SYSTEM, *_FROM_WITNESS))
    certain = filled(known, twin, ("number",), overwrite=True)._replace(copy=twin.copy)
    type_is_known = twin.type is not DeviceType.UNKNOWN
    return certain._replace(
        type=twin.type if type_is_known else device.type, capabilities={**twin.capabilities, **device.capabilities}
    )


def _is_witness(outcome: Outcome) -> bool:
    return library_named(outcome.probe.library).witness and outcome.probe.purpose is Purpose.LIST


def _complete(device: Device, witnesses: Nearby, asked: int, evidence: Evidence) -> Device:
    """`asked`: how many of the witnesses are libraries; behind them come those of the survey. What one tells of a device, such
    as its UUID, is what the next ones may know it by."""
    told = []
    found = witnesses.behind(-1, device)
    while found is not None:
        place, witness = found
        if identity.same_card(device, witness).same:
            told.append(witness)
            device = _of_its_card(filled(device, witness, _FROM_ANYONE), witness)
            device = _described(device, witness) if place >= asked else device
        found = witnesses.behind(place, device)
    device = _measured(device, told)
    device = _from_validation(device, evidence)
    device = shared_memory(device, evidence.host)
    return _used(device)


def _of_its_card(device: Device, witness: Device) -> Device:
    """With the whole card that a slice is cut from, which CUDA does not tell, and how: HIP does not know "dpx" from "cpx"."""
    known = witness.partition is not None and witness.partition.parent
    if device.partition is None or not known or device.partition == witness.partition:
        return device
    sources = {**dict(device.sources), "partition": witness.library}
    return device._replace(partition=witness.partition, sources=tuple(sorted(sources.items())))


def _described(device: Device, surveyed: Device) -> Device:
    """With what the kernel's files say of the card itself. HIP shows the architecture that a variable tells it to, and most
    releases do not know which cards are integrated."""
    capabilities = {**surveyed.capabilities, **device.capabilities}
    if device.gfx_target and surveyed.gfx_target and device.gfx_target != surveyed.gfx_target:
        capabilities["real_gfx_target"] = surveyed.gfx_target
    device = device._replace(capabilities=capabilities)
    if device.type is not DeviceType.UNKNOWN or surveyed.type is DeviceType.UNKNOWN:
        return device
    sources = {**dict(device.sources), "type": surveyed.library}
    return device._replace(type=surveyed.type, sources=tuple(sorted(sources.items())))


def _measured(device: Device, witnesses: Iterable[Device]) -> Device:
    """With the free memory of the witness that speaks of the same memory: of the closest, and of equals the last.

    An integrated card has two memories, one set aside for it and one that it shares, and a witness may speak of the other.
    """

    def distance(witness: Device) -> int:
        known = device.total_memory is not None and witness.total_memory is not None
        return abs((device.total_memory or 0) - (witness.total_memory or 0)) if known else 0

    fitting = [witness for witness in witnesses if distance(witness) <= (device.total_memory or 0) * _SAME_MEMORY]
    for witness in sorted(fitting, key=distance, reverse=True):
        device = filled(device, witness, _FROM_WITNESS, overwrite=True)
    return device


def filled(device: Device, other: Device, fields: Iterable[str], overwrite: bool = False) -> Device:
    """`device` with the named fields taken from `other` where it has them and the device lacks them, sources noted."""
    news = {
        field: getattr(other, field)
        for field in fields
        if getattr(other, field) is not None and (overwrite or getattr(device, field) is None)
    }
    if not news:
        return device
    sources = {**dict(device.sources), **dict.fromkeys(news, other.library)}
    return device._replace(**news, sources=tuple(sorted(sources.items())), listed_as=device.key)


def _from_validation(device: Device, evidence: Evidence) -> Device:
    """The driver API tells free memory only inside a context: the validation had one."""
    for outcome in validations_of(device, evidence.outcomes):
        if outcome.status is Status.OK:
            free = outcome.facts.get("free_memory")  # of a capture, where facts may be anything
            told = without_defaults(device._replace(free_memory=free if type(free) is int and free >= 0 else None))
            return filled(device, told, ("free_memory",))
    return device


def shares_memory(device: Device) -> bool:
    """Whether its free memory is the system's."""
    return device.type is DeviceType.INTEGRATED and library_named(device.library).counts_page_cache


def shared_memory(device: Device, host: Host) -> Device:
    """An integrated NVIDIA GPU counts the page cache as used; what is really free is the system's.

    Clamped to the device's total, and the system's figure already respects the container's limit.
    """
    if not shares_memory(device):
        return device
    available = machine.memory(host).available
    if available is None:
        return device
    free = available if device.total_memory is None else min(available, device.total_memory)
    sources = {**dict(device.sources), "free_memory": FROM_SYSTEM}
    return device._replace(free_memory=free, used_memory=None, sources=tuple(sorted(sources.items())))


def _used(device: Device) -> Device:
    if device.used_memory is not None or device.total_memory is None or device.free_memory is None:
        return device
    if dict(device.sources).get("free_memory") == FROM_SYSTEM:
        return device  # what a container may still take says nothing of what is used
    return device._replace(used_memory=max(0, device.total_memory - device.free_memory))
