"""What a device can do beyond what its library says of it: figures that follow from others, and what rows say of its kind."""

from __future__ import annotations

from gpuprobe import knowledge
from gpuprobe.judging import architecture, bandwidth
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, Json
from gpuprobe.strings import compute_string


def capabilities(device: Device) -> Json:
    """What the library said, and for one that compiles for architectures what is known of the device's.

    `memory_bytes_per_second` is what clock and bus width allow, and no measurement. null: the library or the rows do not tell.
    """
    if not architecture.compiles_beforehand(library_named(device.library)):
        return device.capabilities
    name, source = _generation(device)
    return {
        **device.capabilities,
        "memory_bytes_per_second": bandwidth.of_memory(device.capabilities),
        "architecture": name,
        "architecture_source": source,
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
