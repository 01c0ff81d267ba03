"""Which questions tell how much memory of a known device is free, the cheapest first. Pure: it starts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.judging.figures import is_same
from gpuprobe.judging.nearby import Nearby
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, Evidence, Outcome, Probe, Purpose, Status
from gpuprobe.probing.validation_questions import validation_probe

_Source = tuple[str, str, str | None]  # library, build, manifest


def all_memory_probes(devices: Sequence[Device], known: Evidence) -> list[tuple[Probe, ...]]:
    """For each device, in their order: a witness that told it at the discovery, then the device's own library: its listing
    where that told it, else a context. Each is to be asked only where those before it did not tell."""
    witnesses = [(outcome.probe, Nearby(_told(outcome))) for outcome in known.outcomes if _is_witness(outcome)]
    listings: dict[_Source, Outcome] = {}
    for outcome in known.outcomes:
        if outcome.probe.purpose in (Purpose.LIST, Purpose.ALONE):
            listings.setdefault(_source(outcome.probe), outcome)
    return [_probes(device, witnesses, listings.get(_source(device))) for device in devices]


def _source(of: Device | Probe) -> _Source:
    return of.library, of.build, of.manifest


def _is_witness(outcome: Outcome) -> bool:
    witness = library_named(outcome.probe.library).witness and outcome.probe.purpose is Purpose.LIST
    return witness and outcome.status is Status.OK


def _told(outcome: Outcome) -> Iterator[Device]:
    return (device for device in outcome.devices if device.free_memory is not None)


def _probes(device: Device, witnesses: Sequence[tuple[Probe, Nearby]], listing: Outcome | None) -> tuple[Probe, ...]:
    library = library_named(device.library)
    if not library.refreshes:
        return ()
    # NVML sees every process, and needs no context.
    told = (probe for probe, near in witnesses if any(is_same(device, other) for other in near.of(device)))
    own = [_own(device, listing)] if library.backend is not None else []
    return (*dict.fromkeys(told), *own)


def _own(device: Device, listing: Outcome | None) -> Probe:
    if listing is not None and any(each.key == device.key for each in _told(listing)):
        return listing.probe
    return validation_probe(device)
