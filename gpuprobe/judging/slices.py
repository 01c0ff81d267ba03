"""Slices of cut cards: which a process can see at once, and which a library did not list and can be asked for alone."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.facts import Host
from gpuprobe.judging.identity import is_slice, normal_pci, same_card
from gpuprobe.libraries import Library, library_named
from gpuprobe.model import Device, Evidence, Outcome, Partition, Probe, Purpose, Status


def seen_at_once(devices: Sequence[Device]) -> tuple[Device, ...]:
    """`devices` without those that no process sees beside the others: of several slices CUDA uses the first.

    Source: NVIDIA MIG User Guide, "CUDA Device Enumeration": a process can enumerate a single MIG device.
    """
    seen: list[Device] = []
    cut: set[str] = set()  # libraries of which a slice is seen
    for device in devices:
        if not is_slice(device):
            seen.append(device)
        elif not (device.library in cut and library_named(device.library).one_slice):
            seen.append(device)
            cut.add(device.library)
    return tuple(seen)


def unlisted(library: Library, evidence: Evidence) -> tuple[Device, ...]:
    """The slices that a witness names and the library, asked for everything, did not list; as the witness knows them."""
    listing = evidence.outcome_of(Probe(library.name, Purpose.LIST))
    if not library.one_slice or listing is None or not listing.status.answered:
        return ()
    named = (device for outcome in evidence.outcomes if _is_witness(outcome, library) for device in outcome.devices)
    return tuple(
        device
        for device in named
        if is_slice(device) and device.uuid and not any(same_card(device, other).same for other in listing.devices)
    )


def _is_witness(outcome: Outcome, library: Library) -> bool:
    witness = library_named(outcome.probe.library)
    of_same_cards = witness.witness and set(witness.vendor_ids) & set(library.vendor_ids)
    return bool(of_same_cards) and outcome.probe.purpose is Purpose.LIST and outcome.status is Status.OK


def alone(library: Library, evidence: Evidence) -> tuple[Probe, ...]:
    """A question for each of these. Where the user has chosen devices by a variable, what that leaves out is not asked for."""
    selection = library.selections.get(evidence.host.platform)
    if selection is None or selection.variable in evidence.host.environ:
        return ()
    return tuple(
        Probe(library.name, Purpose.ALONE, device=device.uuid, variables=((selection.variable, device.uuid),))
        for device in unlisted(library, evidence)
    )


def as_partition(device: Device, host: Host, surveyed: Sequence[Device]) -> Device:
    """The device, or the partition that it is: where a list of the user's leaves one of an AMD card, nothing beside it shows
    that its UUID is shared. A build does not even know the UUID, but the address is put right all the same.

    The machine shows it: KFD has several nodes with this UUID, or its address is no function of the bus, where the card itself
    is. The function then numbers the partitions (amdkfd, location_id). `surveyed`: what the machine's own files witness.
    """
    address = normal_pci(device.pci_id)
    if device.partition is not None or not library_named(device.library).numbers_partitions or address is None:
        return device
    function = int(address[-1])
    card, on_bus = f"{address[:-1]}0", {each.address for each in host.pci}
    known = surveyed if device.uuid else ()
    cut = next((each.partition for each in known if each.partition and each.uuid == device.uuid), None)
    if cut is None and (not function or address in on_bus or card not in on_bus):
        return device
    placed = device._replace(pci_id=card, listed_as=device.key)
    kind = cut.kind if cut is not None else "cpx"
    return placed._replace(partition=Partition(kind, device.uuid), copy=function) if device.uuid else placed
