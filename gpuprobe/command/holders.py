"""Asking once who holds the memory of the devices that a plan is for."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.judging.figures import Figure, User
from gpuprobe.model import Device, Inventory
from gpuprobe.planning.memory_holders import held, sentences


def who_holds(devices: Sequence[Device], inventory: Inventory, *, live: bool) -> tuple[str, ...]:
    """A sentence for each device of which others hold much; without names where nobody tells them."""
    wanted = [device for device in devices if held(device)]
    figures: Sequence[Figure] = _figures(wanted, inventory) if live and wanted else ()
    return tuple(sentences((device, _users(device, figures)) for device in wanted))


def _figures(devices: Sequence[Device], inventory: Inventory) -> Sequence[Figure]:
    from gpuprobe.readings import Watching

    watching = Watching(devices, inventory.evidence, inventory.request)
    try:
        return watching.read().refreshed.figures
    finally:
        watching.close()


def _users(device: Device, figures: Sequence[Figure]) -> Sequence[User]:
    found = next((figure.activity for figure in figures if figure.device.key == device.key), None)
    return (found.users or ()) if found is not None else ()
