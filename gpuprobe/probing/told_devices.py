"""A device as a child tells it, made into a record."""

from __future__ import annotations

from gpuprobe.model import Device, Json, Probe
from gpuprobe.probing.shapes import NotTheProtocol
from gpuprobe.record_classes import Any

_OF_A_CHILD = frozenset({
    *("number", "type", "partition", "name", "description", "pci_id", "uuid", "uuid_space", "gfx_target"),
    *("api_version", "kernel_version", "runtime_version", "driver_name", "library_path"),
    *("vendor_id", "device_id", "compute_major", "compute_minor", "total_memory", "free_memory", "used_memory"),
})  # fmt: skip


def device_from(said: object, probe: Probe) -> Device:
    """One device line as a record, read by the rules of a capture: what a child may say, a capture can hold.

    ShapeError, NotTheProtocol.
    """
    if not isinstance(said, dict):
        raise NotTheProtocol("a device without a number")
    known = {field: value for field, value in said.items() if field in _OF_A_CHILD and value is not None}
    place = {"library": probe.library, "build": probe.build, "manifest": probe.manifest}
    from gpuprobe.wire import from_json

    device: Device = from_json(Device, {**known, **place, "capabilities": capabilities_of(said)}, "device")
    return device


def capabilities_of(said: Json) -> Any:
    """What a device says that has no field of its own, with the reasons for what it does not know."""
    capabilities, problems = said.get("capabilities") or {}, said.get("problems")
    if isinstance(capabilities, dict) and isinstance(problems, dict) and problems:
        return {**capabilities, "problems": problems}
    return capabilities
