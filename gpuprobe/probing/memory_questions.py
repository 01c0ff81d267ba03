"""Which questions tell how much memory of a known device is free, the cheapest first. Pure: it starts nothing."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.judging.figures import is_same
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, Evidence, Outcome, Probe, Purpose, Status
from gpuprobe.probing.questions import validation_probe


def memory_probes(device: Device, known: Evidence) -> tuple[Probe, ...]:
    """A witness that told it at the discovery, then the device's own library: its listing where that told it, else a
    context. Each is to be asked only where those before it did not tell."""
    library = library_named(device.library)
    if not library.refreshes:
        return ()
    own = [_own(device, known)] if library.backend is not None else []
    return (*dict.fromkeys(_witnesses(device, known)), *own)


def _witnesses(device: Device, known: Evidence) -> Iterator[Probe]:
    """NVML sees every process, and needs no context."""
    for outcome in known.outcomes:
        witness = library_named(outcome.probe.library).witness and outcome.probe.purpose is Purpose.LIST
        told = (other for other in outcome.devices if other.free_memory is not None)
        if witness and outcome.status is Status.OK and any(is_same(device, other) for other in told):
            yield outcome.probe


def _own(device: Device, known: Evidence) -> Probe:
    listing = next((outcome for outcome in known.outcomes if _lists(outcome, device)), None)
    if listing is not None and any(each.key == device.key and each.free_memory is not None for each in listing.devices):
        return listing.probe
    return validation_probe(device)


def _lists(outcome: Outcome, device: Device) -> bool:
    probe = outcome.probe
    source = (probe.library, probe.build, probe.manifest) == (device.library, device.build, device.manifest)
    return source and probe.purpose in (Purpose.LIST, Purpose.ALONE)
