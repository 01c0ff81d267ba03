"""What a process holds on each device: what NVML, DRM fdinfo and KFD say of it, matched by the card's identity.

Two tellers of one card count the same memory, so the larger one counts and is named. Slices share their card's address: where
a teller names no slice by its UUID, what it counts is the card's, and no slice is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gpuprobe.judging.figures import Figure, User
from gpuprobe.judging.identity import is_slice, normal_pci, normal_uuid
from gpuprobe.machine.process_records import DrmClient, Process, Share
from gpuprobe.model import Device, DeviceType

FDINFO = "DRM fdinfo"


class Held(NamedTuple):
    """`size` in bytes; None: it uses the device, and nobody tells how much. `device`: `CUDA:0`, or the card's address."""

    device: str
    size: int | None
    teller: str


class Holding(NamedTuple):
    """`counted`: the devices of which somebody counts what this process holds, so that nothing there is nothing.

    `is_told`: that is so of every device that it could hold something on, which is judged beside what it has open.
    """

    held: tuple[Held, ...] = ()
    counted: tuple[tuple[str, str], ...] = ()  # (device, who counts)
    is_told: bool = False

    @property
    def size(self) -> int:
        return sum(each.size or 0 for each in self.held)

    @property
    def uses_something(self) -> bool:
        return any(each.size is None or each.size > 0 for each in self.held)

    def counts(self, device: str) -> bool:
        return any(device == each for each, _ in self.counted)


def holding(
    process: Process,
    devices: Sequence[Device],
    figures: Sequence[Figure],
    kfd: Mapping[int, Sequence[Share]] | None,
    cut_cards: Mapping[str, Sequence[User]] | None = None,
    *,
    same_numbers: bool,
) -> Holding:
    """`same_numbers`: processes have here the numbers that drivers know them by; in a container they have others.
    `cut_cards`: address → who uses a card that has been cut into slices."""
    found = [*_of_fdinfo(process, devices)]
    counted = [(_named(client.pci_id, devices), FDINFO) for client in process.clients if _counts(client)]
    if same_numbers:
        found += [*_of_figures(process.number, figures), *_of_kfd(kfd or {}, process.number, devices)]
        found += _of_cut_cards(process.number, cut_cards or {}, figures)
        # Where NVML speaks of a card's processes at all, one that it leaves out holds nothing there. Behind /dev/dxg (WSL) it
        # speaks of none.
        if not any(node.endswith("/dxg") for node in process.nodes or ()):
            counted += [(selector(figure.device), _teller(figure)) for figure in figures if _tells_sizes(figure)]
        counted += [(_named(share.pci_id, devices, share.uuid), share.teller) for share in (kfd or {}).get(process.number, ())]
    best: dict[str, Held] = {}
    for each in found:
        known = best.get(each.device)
        if known is None or (each.size or 0) > (known.size or 0):
            best[each.device] = each
    return Holding(tuple(sorted(best.values(), key=lambda each: each.device)), tuple(dict.fromkeys(counted)))


def _counts(client: DrmClient) -> bool:
    return client.device_memory is not None or client.shared_memory is not None


def _tells_sizes(figure: Figure) -> bool:
    users = figure.activity.users if figure.activity is not None else None
    return users is not None and all(user.used_memory is not None for user in users)


def _of_figures(number: int, figures: Iterable[Figure]) -> Iterable[Held]:
    for figure in figures:
        users = (figure.activity.users or ()) if figure.activity is not None else ()
        for user in users:
            if user.process == number:
                yield Held(selector(figure.device), user.used_memory, _teller(figure))


def _of_cut_cards(number: int, cards: Mapping[str, Sequence[User]], figures: Sequence[Figure]) -> list[Held]:
    """What no slice tells of, the card does; what a slice tells is the same memory."""
    told = {
        normal_pci(figure.device.pci_id)
        for figure in figures
        if figure.activity is not None and any(user.process == number for user in figure.activity.users or ())
    }
    return [
        Held(place, user.used_memory, "NVML")
        for place, users in cards.items()
        for user in users
        if user.process == number and place not in told
    ]


def _teller(figure: Figure) -> str:
    return figure.source or "the driver"


def _of_kfd(kfd: Mapping[int, Sequence[Share]], number: int, devices: Sequence[Device]) -> Iterable[Held]:
    """What is held on several partitions of a card is held on the card."""
    found: dict[tuple[str, str], list[int | None]] = {}
    for share in kfd.get(number, ()):
        if share.size != 0:
            found.setdefault((_named(share.pci_id, devices, share.uuid), share.teller), []).append(share.size)
    for (name, teller), sizes in found.items():
        yield Held(name, None if None in sizes else sum(size or 0 for size in sizes), teller)


def _of_fdinfo(process: Process, devices: Sequence[Device]) -> Iterable[Held]:
    """Every handle of a card holds memory of its own. Of an integrated GPU all of it is the system's."""
    sizes: dict[str | None, list[int]] = {}
    for client in process.clients:
        known = [
            size for size in _sizes(client.device_memory, client.shared_memory, client.pci_id, devices) if size is not None
        ]
        if known:
            sizes.setdefault(client.pci_id, []).append(sum(known))
    for pci_id, several in sizes.items():
        if sum(several):
            yield Held(_named(pci_id, devices), sum(several), FDINFO)


def _sizes(own: int | None, shared: int | None, pci_id: str | None, devices: Sequence[Device]) -> tuple[int | None, ...]:
    device = _at(pci_id, devices)
    is_integrated = own is None or (device is not None and device.type is DeviceType.INTEGRATED)
    return (own, shared) if is_integrated else (own,)


def _at(pci_id: str | None, devices: Sequence[Device], uuid: str | None = None) -> Device | None:
    """`uuid`: of a slice. None also where only slices are at this address, and it is not told which of them is meant."""
    if uuid is not None:
        return next((device for device in devices if normal_uuid(device.uuid) == normal_uuid(uuid)), None)
    place = normal_pci(pci_id)
    here = [device for device in devices if place is not None and normal_pci(device.pci_id) == place]
    return next((device for device in here if not is_slice(device)), None)


def _named(pci_id: str | None, devices: Sequence[Device], uuid: str | None = None) -> str:
    device = _at(pci_id, devices, uuid)
    return selector(device) if device is not None else (pci_id or "a card")


def selector(device: Device) -> str:
    """`CUDA:0`, what every DEVICE argument takes."""
    return f"{device.library}:{device.number if device.ordinal is None else device.ordinal}"
