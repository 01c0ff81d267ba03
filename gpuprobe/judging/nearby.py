"""Which of many devices may be the same card as one. Without it all would be compared with all, as many as they may be."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from gpuprobe.judging.identity import normal_pci, normal_uuid
from gpuprobe.model import Device


class Nearby:
    """Devices by what `same_card` knows cards by. Two that share none of it are never one card by `same_card`."""

    def __init__(self, devices: Iterable[Device] = ()) -> None:
        self._all: list[Device] = []
        self._places: dict[Hashable, list[int]] = {}
        for device in devices:
            self.add(device)

    def add(self, device: Device) -> None:
        for mark in _marks(device):
            self._places.setdefault(mark, []).append(len(self._all))
        self._all.append(device)

    def of(self, device: Device) -> Iterator[Device]:
        """Those that may be this card, in their order; itself, where it is among them."""
        return (self._all[place] for place in self._near(device))

    def behind(self, place: int, device: Device) -> tuple[int, Device] | None:
        """The first behind this place that may be this card, and its own place."""
        return next(((each, self._all[each]) for each in self._near(device) if each > place), None)

    def _near(self, device: Device) -> list[int]:
        found = [places for mark in _marks(device) if (places := self._places.get(mark))]
        return found[0] if len(found) == 1 else sorted({place for places in found for place in places})


def _marks(device: Device) -> list[Hashable]:
    address, uuid = normal_pci(device.pci_id), normal_uuid(device.uuid)
    marks: list[Hashable] = [(device.library, device.build, device.manifest, device.key)]
    marks += [("address", address)] if address else []
    marks += [("uuid", uuid)] if uuid else []
    return marks
