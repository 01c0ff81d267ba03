"""What each library and tool calls one card: its number and name in CUDA, nvidia-smi, HIP, Vulkan and the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe.judging.belonging import is_of
from gpuprobe.judging.visibility import raw_number
from gpuprobe.libraries import library_named
from gpuprobe.machine import Card
from gpuprobe.model import SYSTEM, Device, DeviceType, Inventory, Outcome, Purpose, Reason
from gpuprobe.record_classes import NamedTuple

_PROGRAM = "llama.cpp"


class Name(NamedTuple):
    """`number` as that library, tool or program counts."""

    by: str  # "CUDA", "nvidia-smi", "HIP", "ROCr", "Vulkan raw", "Vulkan listed", "Level Zero", "DRM", "llama.cpp"
    number: int | None = None
    name: str | None = None
    uuid: str | None = None


def names_of(card: Card, inventory: Inventory) -> tuple[Name, ...]:
    """In the order of the libraries, then what the kernel and the programs call it."""
    found = (*_by_libraries(card, inventory), *_by_kernel(card), *_by_programs(card, inventory))
    return tuple(dict.fromkeys(found))


def _by_libraries(card: Card, inventory: Inventory) -> Iterator[Name]:
    for outcome in _listings(inventory):
        if outcome.probe.build == SYSTEM:
            for device in outcome.devices:
                if is_of(device, card):
                    yield from _in_library(device, outcome, inventory)


def _in_library(device: Device, outcome: Outcome, inventory: Inventory) -> Iterator[Name]:
    library = library_named(device.library)
    called = library.counted_by or library.name
    if any(selection.takes == "raw" for selection in library.selections.values()):
        yield Name(f"{called} raw", device.number, device.name, device.uuid)
        yield Name(f"{called} listed", _place(device, outcome, inventory), device.name, device.uuid)
    elif library.numbered_as is not None:
        yield Name(called, device.number, device.name, device.uuid)
    if library.beneath is not None:
        # Under a variable that hides cards the library counts anew, and the layer below does not.
        hides = any(inventory.evidence.host.environ.get(name) for name in library.filters)
        yield Name(library.beneath, None if hides else raw_number(device), device.gfx_target, device.uuid)


def _by_kernel(card: Card) -> Iterator[Name]:
    if card.render_node is not None:
        digits = card.render_node.rpartition("renderD")[2]
        yield Name("DRM", int(digits) if digits.isdecimal() else None, card.render_node)


def _by_programs(card: Card, inventory: Inventory) -> Iterator[Name]:
    """By the builds that are installed; where none is, as one for the system's library would count."""
    listings = [each for each in _listings(inventory) if library_named(each.probe.library).ggml_devices]
    builds = [each for each in listings if each.probe.build != SYSTEM and each.devices]
    for outcome in builds or listings:
        for device in outcome.devices:
            place = _place(device, outcome, inventory) if is_of(device, card) else None
            if place is not None:
                yield Name(_PROGRAM, place, f"{library_named(device.library).ggml_devices}{place}")


def _listings(inventory: Inventory) -> Iterable[Outcome]:
    return (each for each in inventory.evidence.outcomes if each.probe.purpose is Purpose.LIST)


def _place(device: Device, outcome: Outcome, inventory: Inventory) -> int | None:
    """As `llama-server --list-devices` counts: software renderers and second views of a card left out."""
    twice = {drop.device.listed_as or drop.device.key for drop in inventory.drops if drop.reason is Reason.LISTED_TWICE}
    counted = [one for one in outcome.devices if one.type is not DeviceType.SOFTWARE and one.key not in twice]
    return counted.index(device) if device in counted else None
