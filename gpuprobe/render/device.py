"""One device as the documents show it: its identity, its views, and everything that is known of it."""

from __future__ import annotations

from collections.abc import Iterable

from gpuprobe.judging import flash_attention, visibility
from gpuprobe.judging.card_views import in_every_library, visible_index
from gpuprobe.judging.identity import same_card
from gpuprobe.judging.nearby import Nearby
from gpuprobe.libraries import library_named
from gpuprobe.model import (
    SYSTEM,
    Call,
    Device,
    DeviceType,
    Evidence,
    Inventory,
    Json,
    Outcome,
    Partition,
    Purpose,
    Reason,
    Validation,
)
from gpuprobe.once import once
from gpuprobe.render.software_text import compatibility_of
from gpuprobe.strings import compute_string, is_lone, printable


def identity(device: Device) -> Json:
    """What tells a device from all others; every document that names a device has these keys."""
    return {
        "id": device.id,
        "filter_id": device.filter_id,
        "library": device.library,
        "selector": selector(device),
        "index": device.ordinal,
        "build": device.build,
        "name": device.name,
        "type": device.type.value,
        "pci_id": device.pci_id,
        "uuid": device.uuid,
    }


def selector(device: Device) -> str | None:
    """What every DEVICE argument takes for it: `CUDA:0`. None: it has no number, because it is not kept."""
    return None if device.ordinal is None else f"{device.library}:{device.ordinal}"


def view(device: Device) -> Json:
    """A device as one library reports it, kept or not."""
    shown = {key: value for key, value in identity(device).items() if key not in ("filter_id", "selector", "index")}
    return {
        **shown,
        "number": device.number,
        "description": device.description,
        "partition": _partition(device.partition),
        **_compute(device),
        "driver": _driver(device),
        **_memory(device),
        "library_path": device.library_path,
        "manifest": device.manifest,
        **validation_of(device.validation),
    }


def record(device: Device, inventory: Inventory) -> Json:
    """Everything about a kept device."""
    from gpuprobe.judging.capabilities import capabilities  # knows rows, which a machine without a device never needs

    return {
        **identity(device),
        "visible_index": visible_index(device, inventory),
        "description": device.description,
        "partition": _partition(device.partition),
        "numbers": numbers(device, inventory),
        **_compute(device),
        "driver": _driver(device),
        **_memory(device),
        "memory_source": dict(device.sources).get("free_memory", device.library if device.free_memory is not None else None),
        "measured_at": inventory.evidence.gathered_at,
        "stale": False,
        "minimum_memory_bytes": library_named(device.library).minimum_memory,
        "library_path": device.library_path,
        "manifest": device.manifest,
        **validation_of(device.validation),
        "flash_attention": flash_attention_of(device),
        "visible": _visible(device, inventory),
        "capabilities": capabilities(device),
        **compatibility_of(device, inventory.evidence),
        "sources": dict(device.sources),
    }


def _visible(device: Device, inventory: Inventory) -> Json | None:
    """None where a value is not UTF-8: a document cannot hold it, and one that is nearly right would name another file."""
    variables = dict(variables_for([device], inventory))
    return None if any(is_lone(value) for value in variables.values() if value) else variables


def _partition(partition: Partition | None) -> Json | None:
    return None if partition is None else {"kind": partition.kind, "parent": partition.parent}


def _compute(device: Device) -> Json:
    return {
        "compute": compute_string(device),
        "compute_major": device.compute_major,
        "compute_minor": device.compute_minor,
        "gfx_target": device.gfx_target,
    }


def _driver(device: Device) -> Json:
    return {
        "name": device.driver_name,
        "api_version": device.api_version,
        "kernel_version": device.kernel_version,
        "runtime_version": device.runtime_version,
    }


def _memory(device: Device) -> Json:
    return {
        "total_memory_bytes": device.total_memory,
        "free_memory_bytes": device.free_memory,
        "used_memory_bytes": device.used_memory,
    }


def validation_of(validation: Validation | None) -> Json:
    """The key `validation`, or nothing at all where nobody asked."""
    if validation is None:
        return {}
    return {
        "validation": {
            "verdict": validation.verdict.value,
            "depth": validation.depth.value if validation.depth else None,
            "because": printable(validation.because),
            "steps": calls_of(validation.calls),
            "seconds": rounded(validation.seconds),
        }
    }


def calls_of(calls: Iterable[Call]) -> list[Json]:
    return [{"name": call.name, "seconds": rounded(call.seconds)} for call in calls]


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def flash_attention_of(device: Device) -> Json:
    answer = flash_attention.of_device(device)
    return {"supported": answer.supported, "rule": answer.rule, "because": answer.because}


def variables_for(devices: Iterable[Device], inventory: Inventory) -> visibility.Variables:
    """The variables that select exactly these devices' cards, in every library, on the machine that the inventory speaks of."""
    host = inventory.evidence.host
    return visibility.visible_variables(
        in_every_library(list(devices), inventory), listed(inventory), host.platform, host.environ
    )


@once
def listed(inventory: Inventory) -> tuple[Device, ...]:
    """Every device that a library offered, kept or dropped."""
    return (*inventory.kept, *(drop.device for drop in inventory.drops))


def numbers(device: Device, inventory: Inventory) -> Json:
    """What each library that was asked calls this card; a library that does not list it is left out."""
    return {
        key: number
        for outcome, near in listed_by(inventory.evidence)
        if outcome.probe.purpose is Purpose.LIST or (device.manifest and outcome.probe.manifest == device.manifest)
        for other in near.of(device)
        if same_card(device, other).same
        for key, number in _numbers_in(other, inventory)
    }


@once
def listed_by(evidence: Evidence) -> list[tuple[Outcome, Nearby]]:
    return [(outcome, Nearby(outcome.devices)) for outcome in evidence.outcomes if outcome.devices]


def _numbers_in(device: Device, inventory: Inventory) -> list[tuple[str, int | None]]:
    library = library_named(device.library)
    if device.partition is not None and library.witness:
        return []  # nvidia-smi numbers cards; a slice has a number inside its card only
    if not any(selection.takes == "raw" for selection in library.selections.values()):
        return [(library.numbered_as, device.number)] if library.numbered_as else []
    if device.build != SYSTEM:
        return [("vulkan_listed", device.number)]
    return [("vulkan_raw", device.number), ("vulkan_listed", _place_behind_filters(device, inventory))]


def _place_behind_filters(device: Device, inventory: Inventory) -> int | None:
    """How programs count Vulkan's devices: software renderers and second views of a card left out."""
    return _places_behind_filters(inventory).get((device.library, device.manifest), {}).get(device.number)


@once
def _places_behind_filters(inventory: Inventory) -> dict[tuple[str, str | None], dict[int, int]]:
    """Library and manifest → raw number → place."""
    twice = {drop.device.number for drop in inventory.drops if drop.reason is Reason.LISTED_TWICE}
    raw: dict[tuple[str, str | None], set[int]] = {}
    for device in listed(inventory):
        number = visibility.raw_number(device)
        if number is not None and device.type is not DeviceType.SOFTWARE and device.number not in twice:
            raw.setdefault((device.library, device.manifest), set()).add(number)
    return {source: {number: place for place, number in enumerate(sorted(numbers))} for source, numbers in raw.items()}
