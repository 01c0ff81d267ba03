"""What each library and tool calls one card: its number and name in CUDA, nvidia-smi, HIP, Vulkan and the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gpuprobe.judging.belonging import is_of
from gpuprobe.libraries import library_named
from gpuprobe.machine import Card
from gpuprobe.model import SYSTEM, Device, DeviceType, Inventory, Outcome, Purpose


class Name(NamedTuple):
    """`number` as that library counts; for Vulkan the raw list's, software renderers included."""

    by: str  # "CUDA", "nvidia-smi", "HIP", "Vulkan", "llama.cpp"
    number: int | None = None
    name: str | None = None
    uuid: str | None = None


def names_of(card: Card, inventory: Inventory) -> tuple[Name, ...]:
    """In the order of the libraries, then what the kernel and the programs call it."""
    return (*_by_libraries(card, inventory), *_by_kernel(card), *_by_programs(card, inventory))


def _by_libraries(card: Card, inventory: Inventory) -> Iterator[Name]:
    for outcome in inventory.evidence.outcomes:
        if outcome.probe.purpose is not Purpose.LIST or outcome.probe.build != SYSTEM:
            continue
        library = library_named(outcome.probe.library)
        for device in outcome.devices:
            if is_of(device, card):
                yield Name(library.numbered_as or library.name, device.number, device.name, device.uuid)


def _by_kernel(card: Card) -> Iterator[Name]:
    if card.render_node is not None:
        yield Name(
            "DRM", int(digits) if (digits := card.render_node.rpartition("renderD")[2]).isdecimal() else None, card.render_node
        )


def _by_programs(card: Card, inventory: Inventory) -> Iterator[Name]:
    """llama.cpp counts the devices of each backend that it loads, without renderers on the CPU."""
    builds = [each for each in inventory.evidence.outcomes if each.probe.build != SYSTEM and _lists(each)]
    for outcome in builds:
        real = [device for device in outcome.devices if device.type is not DeviceType.SOFTWARE]
        for place, device in enumerate(real):
            if is_of(device, card):
                yield Name("llama.cpp", None, _ggml_name(device, place))


def _lists(outcome: Outcome) -> bool:
    return outcome.probe.purpose is Purpose.LIST and bool(outcome.devices)


def _ggml_name(device: Device, place: int) -> str:
    """As `llama-server --list-devices` prints it and `-dev` takes it: "CUDA0", "ROCm0", "Vulkan1"."""
    return f"{device.library.replace(' ', '')}{place}"
