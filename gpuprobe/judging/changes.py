"""What is not as it was at an earlier discovery: devices and cards that came and went, drivers, libraries, memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe import machine
from gpuprobe.enumerations import Enum
from gpuprobe.judging.alike import Alike
from gpuprobe.judging.figures import is_same
from gpuprobe.judging.nearby import Nearby
from gpuprobe.model import Device, Evidence, Outcome, Status
from gpuprobe.once import remembered
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.machine import Card


class ChangeKind(str, Enum):
    CARD_GONE = "card_gone"
    CARD_NEW = "card_new"
    DEVICE_GONE = "device_gone"
    DEVICE_NEW = "device_new"
    DRIVER = "driver"
    LIBRARY = "library"
    MEMORY = "memory"


class Change(NamedTuple):
    kind: ChangeKind
    subject: str  # an address, an id, the name of a library
    text: str
    before: str | int | None = None  # for "memory" in bytes
    after: str | int | None = None


def card_changes(old: Evidence, new: Evidence) -> Iterator[Change]:
    """Cards that came and went, by the bus alone."""
    before, after = ({card.pci_id: card for card in machine.cards(each.host) if card.pci_id} for each in (old, new))
    for address in sorted({*before, *after}):
        if address not in after:
            yield Change(ChangeKind.CARD_GONE, address, f"{_named(before[address])} is no longer on the bus")
        elif address not in before:
            yield Change(ChangeKind.CARD_NEW, address, f"{_named(after[address])} is new on the bus")


def _named(card: Card) -> str:
    return f"the card at {card.pci_id}{f' ({card.name})' if card.name else ''}"


def unknown_devices(old: Evidence, new: Evidence) -> Iterator[Change]:
    """Devices in a listing that the same question did not list before. One that cannot be told from others is left out."""
    for outcome in new.outcomes:
        before = old.outcome_of(outcome.probe)
        if before is None or outcome.probe.purpose.is_validation or outcome.status is Status.UNREADABLE:
            continue
        for place in _unknown((Alike(before.devices), Alike(outcome.devices))):
            device = outcome.devices[place]
            name = device.name or "a device"
            yield Change(ChangeKind.DEVICE_NEW, device.id, f"{outcome.probe.library} now lists {name} ({device.id})")


def _unknown_anew(before_and_now: tuple[Alike, Alike]) -> tuple[int, ...]:
    """Positions in those of now."""
    before, now = before_and_now
    near = Nearby(before.devices)
    return tuple(
        place
        for place, device in enumerate(now.devices)
        if is_same(device, device) and not any(is_same(device, other) for other in near.of(device))
    )


_unknown = remembered(_unknown_anew, most=16)


def device_changes(before: Sequence[Device], after: Sequence[Device]) -> Iterator[Change]:
    """Of the usable devices: whose driver is another one, which came and went, whose free memory is."""
    known, there = Alike(before), Alike(after)
    pairs = [(device, None if now is None else after[now]) for device, now in zip(before, _found((known, there)), strict=True)]
    yield from dict.fromkeys(change for device, now in pairs if now is not None for change in _driver(device, now))
    for device, now in pairs:
        if now is None:
            yield Change(ChangeKind.DEVICE_GONE, device.id, f"{_called(device)} ({device.name or 'unnamed'}) has disappeared")
        else:
            yield from _memory(device, now)
    for device, then in zip(after, _found((there, known)), strict=True):
        if then is None:
            yield Change(ChangeKind.DEVICE_NEW, device.id, f"{_called(device)} ({device.name or 'unnamed'}) is new")


def _found_anew(devices_and_others: tuple[Alike, Alike]) -> tuple[int | None, ...]:
    """For each device its position among the others; None: it is not there."""
    devices, among = devices_and_others
    near, places = Nearby(among.devices), {id(other): place for place, other in enumerate(among.devices)}
    found = (_same(device, near) for device in devices.devices)
    return tuple(None if other is None else places[id(other)] for other in found)


_found = remembered(_found_anew, most=16)


def _same(device: Device, others: Nearby) -> Device | None:
    return next((other for other in others.of(device) if other.library == device.library and _is_one(device, other)), None)


def _is_one(device: Device, other: Device) -> bool:
    """A library that gives neither address nor UUID is taken at its own word."""
    return is_same(device, other) or (device.build, device.manifest, device.key) == (other.build, other.manifest, other.key)


def _called(device: Device) -> str:
    return f"{device.library}:{device.ordinal if device.ordinal is not None else device.number}"


def _driver(old: Device, new: Device) -> Iterator[Change]:
    for word, before, after in (
        ("driver", old.kernel_version, new.kernel_version),
        ("runtime", old.runtime_version, new.runtime_version),
    ):
        if before and after and before != after:
            yield Change(ChangeKind.DRIVER, new.library, f"{new.library} {word} {before} → {after}", before, after)


def _memory(old: Device, new: Device) -> Iterator[Change]:
    before, after = old.free_memory, new.free_memory
    if before is not None and after is not None and before != after:
        yield Change(ChangeKind.MEMORY, new.id, f"{_called(new)} free {_range(before, after)}", before, after)


def _range(before: int, after: int) -> str:
    """`20.0 → 3.1 GiB`: the unit once, where it is one."""
    one, other = size_text(before), size_text(after)
    number, _, unit = one.partition(" ")
    return f"{number if other.endswith(f' {unit}') else one} → {other}"


_NOW = {
    Status.OK: "answers again",
    Status.NO_DEVICES: "now lists no device",
    Status.ABSENT: "is no longer installed",
    Status.NOT_LOADABLE: "no longer loads",
    Status.INIT_FAILED: "no longer starts",
    Status.CALL_FAILED: "now fails",
    Status.CRASHED: "now crashes",
    Status.EXITED: "now ends its process",
    Status.TIMED_OUT: "now times out",
    Status.ABANDONED: "now hangs in the kernel",
    Status.UNREADABLE: "now gives an answer that cannot be read",
}


def library_changes(old: Evidence, new: Evidence) -> Iterator[Change]:
    """Libraries whose listing or validation ends in another way than it did."""
    for outcome in new.outcomes:
        before = old.outcome_of(outcome.probe)
        if before is not None and outcome.status is not before.status and outcome.status in _NOW:
            yield Change(ChangeKind.LIBRARY, outcome.probe.library, _said(outcome), before.status.value, outcome.status.value)


def _said(outcome: Outcome) -> str:
    of = f" on {outcome.probe.device}" if outcome.probe.device else ""
    return f"{outcome.probe.library}{of} {_NOW[outcome.status]}"
