"""What a device can do beyond what its library says of it: figures that follow from others, and what rows say of its kind."""

from __future__ import annotations

from gpuprobe import knowledge
from gpuprobe.judging import theoretical_bandwidth
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, Json
from gpuprobe.strings import compute_string


def capabilities(device: Device) -> Json:
    """What the library said, and for one that compiles for architectures what is known of the device's.

    `memory_bytes_per_second` is what clock and bus width allow, and no measurement. null: the library or the rows do not tell.
    """
    if not library_named(device.library).precompiled:
        return device.capabilities
    name, source = _generation(device)
    return {
        **device.capabilities,
        "memory_bytes_per_second": theoretical_bandwidth.of_memory(device.capabilities),
        "architecture": name,
        "architecture_source": source,
        **_data_types(device),
    }


def _data_types(device: Device) -> Json:
    """Of each type whether the device has instructions for it; null where no row speaks of it, as of every AMD card."""
    rows = knowledge.data_types()
    row = next((row for row in rows if row.compute == compute_string(device)), None)
    if row is None:
        return {"data_types": None, "data_types_source": None}
    every = dict.fromkeys(name for each in rows for name in each.types)
    return {
        "data_types": {name: name in row.types for name in every},
        "data_types_source": f"{row.source} ({row.checked})",
    }


def _generation(device: Device) -> tuple[str | None, str | None]:
    """ "Ada", "RDNA3", and the row that says so. Of a card that is overridden, what it really is."""
    known = str(device.capabilities.get("real_gfx_target") or compute_string(device) or "")
    for capability in knowledge.capabilities():
        if capability.compute == known:
            return capability.architecture, f"{capability.source} ({capability.checked})"
    for target in knowledge.targets():
        if target.gfx == known:
            return target.family, f"{target.source} ({target.checked})"
    return None, None
