"""Which of many devices may be the same card as one. Without it all would be compared with all, as many as they may be."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from gpuprobe.judging.identity import normal_pci, normal_uuid
from gpuprobe.model import Device


class Nearby:
    """Devices by what `same_card` knows cards by. Two that share none of it are never one card by `same_card`."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self._all = tuple(devices)
        self._places: dict[Hashable, list[int]] = {}
        for place, device in enumerate(self._all):
            for mark in _marks(device):
                self._places.setdefault(mark, []).append(place)

    def of(self, device: Device) -> Iterator[Device]:
        """Those that may be this card, in their order; itself, where it is among them."""
        places = {place for mark in _marks(device) for place in self._places.get(mark, ())}
        return (self._all[place] for place in sorted(places))


def _marks(device: Device) -> list[Hashable]:
    address, uuid = normal_pci(device.pci_id), normal_uuid(device.uuid)
    marks: list[Hashable] = [(device.library, device.build, device.manifest, device.key)]
    marks += [("address", address)] if address else []
    marks += [("uuid", uuid)] if uuid else []
    return marks
