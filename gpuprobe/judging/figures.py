"""The memory of known devices as it was just told: matched by identity, never by position.

A device that nobody told of keeps its old figure, which is then stale. What cannot be matched for sure is not matched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gpuprobe.judging import identity
from gpuprobe.judging.verdicts import describe, validates
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, Outcome, Probe, Status

# Beside a library's own figures: how far the kernel's total may be off for it to be the same memory.
_SAME_TOTAL = 0.05


class Silence(NamedTuple):
    """Why nobody told the memory of a device."""

    because: str  # a clause
    in_doubt: bool = False  # something hung, crashed or was not asked: another try may tell
    is_gone: bool = False


class Figure(NamedTuple):
    """The memory of one device. `device` is the known one, with free and used memory (bytes) as told, if they were."""

    device: Device
    source: str | None  # who told it: a library, a witness, "sysfs", "system", a server; None: nobody ever did
    measured_at: str  # ISO 8601, UTC
    silence: Silence | None = None  # the figure is an old one, because of this

    @property
    def stale(self) -> bool:
        return self.silence is not None


class ServerAnswer(NamedTuple):
    """What a running server said of its devices; `problem` is a clause that says why it said nothing."""

    process: int
    port: int
    devices: tuple[Device, ...] = ()
    problem: str | None = None


class Told(NamedTuple):
    """One answer about one device, before it is known which device it is about."""

    device: Device
    source: str


def told_by(outcomes: Iterable[Outcome]) -> Iterator[Told]:
    """What listings tell of memory; an answer that could not be read tells nothing."""
    for outcome in outcomes:
        if not outcome.probe.purpose.is_validation and outcome.status is not Status.UNREADABLE:
            for device in outcome.devices:
                if device.free_memory is not None:
                    yield Told(device, outcome.probe.library)


def matched(known: Sequence[Device], told: Sequence[Told]) -> dict[int, Told]:
    """Position in `known` → the one answer that is surely about it."""
    found = {
        place: answers
        for place, device in enumerate(known)
        if (answers := [each for each in told if _is_about(each, device, told)])
    }
    return {place: answers[0] for place, answers in found.items() if len(answers) == 1}


def _is_about(answer: Told, device: Device, told: Sequence[Told]) -> bool:
    other = answer.device
    if not library_named(other.library).witness and _list_of(other) != _list_of(device):
        return False
    names = _names(other)
    alike = [each for each in told if _list_of(each.device) == _list_of(other) and _names(each.device) == names]
    return names != (None, None) and len(alike) == 1 and is_same(device, other)


def is_same(device: Device, other: Device) -> bool:
    """Whether two reports are of one device. A card at the address of another one is known by its UUID."""
    mine, its = identity.normal_uuid(device.uuid), identity.normal_uuid(other.uuid)
    if mine and its and device.uuid_space == other.uuid_space and mine != its:
        return False
    known_by_name = _names(device) != (None, None) and _names(other) != (None, None)
    return known_by_name and identity.same_card(device, other).answer == "same"


def _list_of(device: Device) -> tuple[str, str, str | None]:
    return device.library, device.build, device.manifest


def _names(device: Device) -> tuple[str | None, str | None]:
    return identity.normal_pci(device.pci_id), identity.normal_uuid(device.uuid)


def with_figure(device: Device, answer: Told) -> Device:
    """The known device with what was told of its memory and of its driver."""
    free, total = answer.device.free_memory, device.total_memory or answer.device.total_memory
    used = answer.device.used_memory
    if used is None and free is not None and total is not None:
        used = max(0, total - free)
    version = answer.device.kernel_version or device.kernel_version
    return device._replace(free_memory=free, used_memory=used, total_memory=total, kernel_version=version)


def from_validation(device: Device, outcomes: Iterable[Outcome]) -> Told | None:
    """What a context on exactly this device told of its memory."""
    for outcome in outcomes:
        free = outcome.facts.get("free_memory")
        if outcome.status is Status.OK and validates(outcome.probe, device) and isinstance(free, int):
            return Told(Device(device.library, device.number, free_memory=free), device.library)
    return None


def from_kernel(device: Device, total: int, used: int) -> Told | None:
    """The kernel's count, where it is the memory that the library speaks of: an integrated GPU borrows more."""
    if device.total_memory is None or abs(device.total_memory - total) > total * _SAME_TOTAL:
        return None
    free = max(0, device.total_memory - used)
    return Told(Device(device.library, device.number, free_memory=free, used_memory=used), "sysfs")


def old_source(device: Device) -> str | None:
    return None if device.free_memory is None else dict(device.sources).get("free_memory", device.library)


def why_silent(device: Device, probes: Sequence[Probe], outcomes: Sequence[Outcome]) -> Silence:
    """Why nothing was told of a device by the questions asked for it."""
    asked = [outcome for outcome in outcomes if outcome.probe in probes]
    if not asked:
        return Silence("nothing that could tell was asked", in_doubt=True)
    last = asked[-1]
    library = last.probe.library
    if last.failure == "device_missing" or (last.status in _ANSWERED and not _lists(last, device)):
        return Silence(f"{library} no longer lists it", is_gone=True)
    if last.status in _ANSWERED:
        return Silence(f"{library} does not tell it")
    return Silence(f"{library}: {describe(last)}", in_doubt=True)


_ANSWERED = (Status.OK, Status.NO_DEVICES)


def _lists(outcome: Outcome, device: Device) -> bool:
    return outcome.probe.purpose.is_validation or any(is_same(device, other) for other in outcome.devices)
