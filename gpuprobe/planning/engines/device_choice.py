"""Which devices an engine takes where the user names none, and what they offer it."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.libraries import library_named
from gpuprobe.model import Device, DeviceType
from gpuprobe.planning import records
from gpuprobe.planning.engines.engine_records import HostMemory, selector_of


def is_integrated(device: Device) -> bool:
    return device.type is DeviceType.INTEGRATED


def groups(devices: Sequence[Device]) -> list[tuple[Device, ...]]:
    """By library, in the order of the first of each."""
    names = dict.fromkeys(device.library for device in devices)
    return [tuple(device for device in devices if device.library == name) for name in names]


def available(devices: Sequence[Device], host: HostMemory) -> int:
    """Free bytes of all together. What integrated ones share is the system's, and is there once."""
    own = sum(device.free_memory or 0 for device in devices if not is_integrated(device))
    shared = sum(device.free_memory or 0 for device in devices if is_integrated(device))
    return own + (shared if host.available is None else min(shared, host.available))


def best_group(devices: Sequence[Device], host: HostMemory) -> tuple[Device, ...]:
    """The library with a discrete device, then the one with most memory free; of equals the first."""
    found = groups(devices)

    def rank(group: Sequence[Device]) -> tuple[bool, int]:
        return any(not is_integrated(device) for device in group), available(group, host)

    return max(found, key=rank) if found else ()


def for_engine(device: Device, reserve: int) -> records.Device:
    """The device as arithmetic knows it."""
    library = library_named(device.library)
    return records.Device(
        selector=selector_of(device),
        name=device.name,
        total=device.total_memory,
        free=device.free_memory,
        reserve=reserve,
        unified=is_integrated(device),
        pipeline=library.ggml_events,
    )


def taken_by_library(device: Device) -> int:
    """What its library needs for itself before anything is loaded."""
    return library_named(device.library).minimum_memory


def is_of_a_build(device: Device) -> bool:
    """Whether ggml, and so Ollama and llama.cpp, has a backend that would show it."""
    return library_named(device.library).ggml is not None
