"""The memory of known devices as it was just told: matched by identity, never by position.

A device that nobody told of keeps its old figure, which is then stale. What cannot be matched for sure is not matched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gpuprobe.judging import identity
from gpuprobe.judging.alike import Alike
from gpuprobe.judging.completion import FROM_SYSTEM, without_defaults
from gpuprobe.judging.nearby import Nearby
from gpuprobe.judging.verdicts import describe, validations_of
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, Outcome, Probe, Status
from gpuprobe.once import remembered
from gpuprobe.record_classes import NamedTuple

# Beside a library's own figures: how far the kernel's total may be off for it to be the same memory.
_SAME_TOTAL = 0.05
_LARGEST, _MOST_WATTS = 2**63, 1e6


class Silence(NamedTuple):
    """Why nobody told the memory of a device."""

    because: str  # a clause
    in_doubt: bool = False  # something hung, crashed or was not asked: another try may tell
    is_gone: bool = False


class User(NamedTuple):
    """A process that uses a device; `used_memory` in bytes."""

    process: int
    used_memory: int | None
    name: str | None = None
    account: str | None = None  # whose it is


class Activity(NamedTuple):
    """What a device is doing, as its witness tells. Unknown is None; percents are of time, clocks in MHz, power in watts."""

    utilization: int | None = None
    memory_utilization: int | None = None
    temperature: int | None = None  # degrees Celsius
    power: float | None = None
    power_limit: float | None = None
    clock: int | None = None
    memory_clock: int | None = None
    throttle_reasons: tuple[str, ...] | None = None  # slugs; what holds its clocks back
    users: tuple[User, ...] | None = None


class Figure(NamedTuple):
    """The memory of one device. `device` is the known one, with free and used memory (bytes) as told, if they were."""

    device: Device
    source: str | None  # who told it: a library, a witness, "sysfs", "system", a server; None: nobody ever did
    measured_at: str  # ISO 8601, UTC
    silence: Silence | None = None  # the figure is an old one, because of this
    activity: Activity | None = None  # None: not asked, or nobody tells it

    @property
    def stale(self) -> bool:
        return self.silence is not None

    @property
    def unknown(self) -> bool:
        """Nobody ever told it: there is no old figure either."""
        return self.device.free_memory is None and self.device.used_memory is None


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
            for device in map(without_defaults, outcome.devices):
                if device.free_memory is not None:
                    yield Told(device, outcome.probe.library)


def matched(known: Sequence[Device] | Alike, told: Sequence[Told]) -> dict[int, Told]:
    """Position in `known` → the one answer that is surely about it; a witness, which sees every process, before a library."""
    if not told:
        return {}
    known = known if isinstance(known, Alike) else Alike(known)
    return {place: told[answer] for place, answer in _matched((known, Alike(each.device for each in told)))}


def _matched_anew(known_and_told: tuple[Alike, Alike]) -> tuple[tuple[int, int], ...]:
    """Positions in both."""
    known, told = known_and_told
    often = Counter((_list_of(device), _kind(device)) for device in told.devices)
    unmistakable = [
        (answer, device) for answer, device in enumerate(told.devices) if often[_list_of(device), _kind(device)] == 1
    ]
    twins = Counter((_list_of(device), _kind(device)) for device in known.devices)
    sure = (
        (place, device)
        for place, device in enumerate(known.devices)
        if _is_named(device) or twins[_list_of(device), _kind(device)] == 1
    )
    near = Nearby(device for _, device in unmistakable)
    answer_of = {id(device): answer for answer, device in unmistakable}
    nameless = [device for _, device in unmistakable if not _is_named(device)]
    found = ((place, _surest(device, list(near.of(device)) if _is_named(device) else nameless)) for place, device in sure)
    return tuple((place, answer_of[id(device)]) for place, device in found if device is not None)


_matched = remembered(_matched_anew, most=16)


def _surest(device: Device, told: Sequence[Device]) -> Device | None:
    about = [each for each in told if _is_about(each, device)]
    often = Counter(map(_list_of, about))
    alone = [each for each in about if often[_list_of(each)] == 1]
    return min(alone, key=lambda each: not library_named(each.library).witness, default=None)


def activities(known: Sequence[Device], outcomes: Sequence[Outcome]) -> dict[int, Activity]:
    """Position in `known` → what the device is doing, where a witness tells it."""
    read = ((place, activity_from(said)) for place, said in what_they_do(known, list(told_by(outcomes))).items())
    return {place: activity for place, activity in read if activity is not None}


def what_they_do(
    known: Sequence[Device] | Alike, told: Sequence[Told], found: Mapping[int, Told] | None = None
) -> dict[int, object]:
    """Position in `known` → what a witness said that the device is doing. `found`: who of `told` is about which, if known."""
    witnessed = [each for each in told if "activity" in each.device.capabilities]
    if found is None or len(witnessed) != len(told):
        found = matched(known, witnessed)
    return {place: each.device.capabilities["activity"] for place, each in found.items()}


def users_of_cut_cards(known: Sequence[Device], outcomes: Sequence[Outcome]) -> dict[str, tuple[User, ...]]:
    """Address of a card that is known by its slices alone → who uses it, on whichever slice."""
    at = {identity.normal_pci(device.pci_id) for device in known if identity.is_slice(device)} - {None}
    at -= {identity.normal_pci(device.pci_id) for device in known if not identity.is_slice(device)}
    found: dict[str, tuple[User, ...]] = {}
    for told in told_by(outcomes):
        place = identity.normal_pci(told.device.pci_id)
        activity = activity_from(told.device.capabilities.get("activity"))
        if place is not None and place in at and not identity.is_slice(told.device) and activity and activity.users:
            found[place] = activity.users
    return found


def activity_from(said: object) -> Activity | None:
    """A child's answer as a record; what has not the right shape in it is unknown."""
    if not isinstance(said, dict):
        return None
    counts = ("utilization_percent", "memory_utilization_percent", "temperature_celsius")
    busy, memory_busy, heat = (_count(said.get(key)) for key in counts)
    reasons, processes = said.get("throttle_reasons"), said.get("processes")
    return Activity(
        utilization=busy,
        memory_utilization=memory_busy,
        temperature=heat,
        power=_watts(said.get("power_watts")),
        power_limit=_watts(said.get("power_limit_watts")),
        clock=_count(said.get("clock_mhz")),
        memory_clock=_count(said.get("memory_clock_mhz")),
        throttle_reasons=tuple(each for each in reasons if isinstance(each, str)) if isinstance(reasons, list) else None,
        users=tuple(_users(processes)) if isinstance(processes, list) else None,
    )


def _users(said: Sequence[object]) -> Iterator[User]:
    for each in said:
        process = _count(each.get("pid")) if isinstance(each, dict) else None
        if isinstance(each, dict) and process:
            yield User(process, _count(each.get("used_memory_bytes")))


def _count(said: object) -> int | None:
    return said if type(said) is int and 0 <= said < _LARGEST else None


def _watts(said: object) -> float | None:
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) and 0 <= said < _MOST_WATTS else None


def _is_about(other: Device, device: Device) -> bool:
    """A witness speaks of every library's devices, a library of its own only."""
    if _list_of(other) == _list_of(device):
        return is_same(device, other) or _are_of_one_kind(device, other)
    return library_named(other.library).witness and is_same(device, other)


def _are_of_one_kind(device: Device, other: Device) -> bool:
    """Of one list, and known by nothing but their name: one device, where the list has one such."""
    return not _is_named(device) and not _is_named(other) and _kind(device) == _kind(other)


def is_same(device: Device, other: Device) -> bool:
    """Whether two reports are of one device. A card at the address of another one is known by its UUID."""
    mine, its = identity.normal_uuid(device.uuid), identity.normal_uuid(other.uuid)
    if mine and its and device.uuid_space == other.uuid_space and mine != its:
        return False
    known_by_name = _names(device) != (None, None) and _names(other) != (None, None)
    return known_by_name and identity.same_card(device, other).same


def _list_of(device: Device) -> tuple[str, str, str | None]:
    return device.library, device.build, device.manifest


def _is_named(device: Device) -> bool:
    return _names(device) != (None, None)


def _kind(device: Device) -> tuple[str | None, str | None, str | None]:
    """Address and UUID; where there is neither, the name."""
    address, uuid = _names(device)
    return address, uuid, None if address or uuid else identity.normal_name(device.name)


def _names(device: Device) -> tuple[str | None, str | None]:
    return identity.normal_pci(device.pci_id), identity.normal_uuid(device.uuid)


def with_figure(device: Device, answer: Told) -> Device:
    """The known device with what was told of its memory and of its driver."""
    free, total = answer.device.free_memory, device.total_memory or answer.device.total_memory
    used = answer.device.used_memory
    # What a container may still take of the system's memory says nothing of what is used.
    if used is None and answer.source != FROM_SYSTEM and free is not None and total is not None:
        used = max(0, total - free)
    version = answer.device.kernel_version or device.kernel_version
    if (free, used, total, version) == (device.free_memory, device.used_memory, device.total_memory, device.kernel_version):
        return device
    return device._replace(free_memory=free, used_memory=used, total_memory=total, kernel_version=version)


def from_validation(device: Device, outcomes: Sequence[Outcome]) -> Told | None:
    """What a context on exactly this device told of its memory."""
    for outcome in validations_of(device, outcomes):
        free = _count(outcome.facts.get("free_memory"))
        told = without_defaults(device._replace(free_memory=free))
        if outcome.status is Status.OK and told.free_memory is not None:
            return Told(Device(device.library, device.number, free_memory=free), device.library)
    return None


def from_kernel(device: Device, views: Sequence[Device]) -> Told | None:
    """The kernel's count in sysfs, where it is of the memory that the library speaks of: an integrated GPU has several.

    A partition of a card is not counted apart.
    """
    if not views:
        return None
    place, total = identity.normal_pci(device.pci_id), device.total_memory
    if place is None or total is None or device.partition is not None:
        return None
    here = (view for view in views if view.pci_id == place and view.partition is None)
    for view in here:
        counted, used = view.total_memory, view.used_memory
        if counted and used is not None and used <= counted and abs(total - counted) <= counted * _SAME_TOTAL:
            told = Device(device.library, device.number, free_memory=max(0, total - used), used_memory=used)
            return Told(told, view.library)
    return None


def old_source(device: Device) -> str | None:
    return None if device.free_memory is None else dict(device.sources).get("free_memory", device.library)


def why_silent(device: Device, probes: Sequence[Probe], outcomes: Sequence[Outcome]) -> Silence:
    """Why nothing was told of a device by the questions asked for it."""
    asked = [outcome for outcome in outcomes if outcome.probe in probes]
    if not asked:
        return Silence("no library that reports it was asked", in_doubt=True)
    last = asked[-1]
    if last.status is Status.SKIPPED:  # for want of time: who took it is the one to be named
        last = next((outcome for outcome in asked if outcome.status.overdue or outcome.status.lost), last)
    library = last.probe.library
    if last.failure == "device_missing" or (last.status.answered and not _lists(last, device)):
        return Silence(f"{library} no longer lists it", is_gone=True)
    if last.status.answered:
        return Silence(f"{library} does not report it")
    return Silence(f"{library}: {describe(last)}", in_doubt=True)


def _lists(outcome: Outcome, device: Device) -> bool:
    return outcome.probe.purpose.is_validation or any(_is_about(other, device) for other in outcome.devices)
