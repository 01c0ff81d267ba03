"""Devices by all that they are known by, so that what was found out about which is which holds until that changes.

A reading every second tells other figures of the same devices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

from gpuprobe.model import Device

# What `same_card`, `is_same` and the lists of a device go by, and nothing that is measured.
_marks = attrgetter(
    *("library", "build", "manifest", "number", "copy", "listed_as"),
    *("name", "pci_id", "uuid", "uuid_space", "partition"),
)


class Alike:
    """Devices in their order. Two are equal where each is known by the same as that of the other."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self.devices: Sequence[Device] = tuple(devices)
        self._known_by = tuple(map(_marks, self.devices))

    def __hash__(self) -> int:
        return hash(self._known_by)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike) and self._known_by == other._known_by
