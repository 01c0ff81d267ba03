"""The notes on one reading after another, made anew where something else than a figure is not as it was before.

To make them takes as long as to draw eight cards, and what they are made of hardly ever changes while a machine is watched.
"""

from __future__ import annotations

from operator import itemgetter

from gpuprobe.doctor import notes
from gpuprobe.doctor.refreshed import Refreshment, measured
from gpuprobe.facts import Host
from gpuprobe.model import Device, Inventory, Outcome


class LastingNotes:
    """Of one watch: what it remembers is that of the latest reading."""

    def __init__(self) -> None:
        self._made_of: tuple[object, ...] | None = None
        self._notes: tuple[str, ...] = ()
        self._latest: tuple[object, ...] | None = None

    def on(self, answer: Refreshment) -> tuple[str, ...]:
        """What `notes.of_inventory` says of the devices that were measured."""
        inventory = measured(answer)
        latest = _with_figures(inventory)
        if latest == self._latest and self._made_of is not None:
            return self._notes
        self._latest = latest
        made_of = _without_figures(inventory)
        if made_of != self._made_of:
            self._notes = notes.of_inventory(inventory)
            self._made_of = None if notes.take_in_figures(inventory) else made_of
        return self._notes


def _with_figures(inventory: Inventory) -> tuple[object, ...]:
    """Quick to compare on a machine at rest, whose records are the very same ones."""
    evidence = inventory.evidence
    outcomes = [(_OUTCOME(outcome), outcome.seconds is None, outcome.devices) for outcome in evidence.outcomes]
    return inventory.kept, outcomes, evidence.host, _beside(inventory)


def _without_figures(inventory: Inventory) -> tuple[object, ...]:
    """Readings that have this in common have the same notes, unless the notes take in figures."""
    evidence = inventory.evidence
    return (
        tuple(notes.little_free(inventory)),
        [_DEVICE(device) for device in inventory.kept],
        [_of_outcome(outcome) for outcome in evidence.outcomes],
        _HOST(evidence.host),
        {path: reading for path, reading in evidence.host.texts.items() if not path.endswith(_FILES)},
        _beside(inventory),
    )


def _beside(inventory: Inventory) -> tuple[object, ...]:
    evidence = inventory.evidence
    return evidence.appeared, evidence.not_understood, inventory.drops, inventory.request


def _of_outcome(outcome: Outcome) -> tuple[object, ...]:
    told = [(_TOLD(device), {**device.capabilities, "activity": None}) for device in outcome.devices]
    return _OUTCOME(outcome), outcome.seconds is None, told


def _all_but(fields: tuple[str, ...], *changing: str) -> itemgetter[tuple[object, ...]]:
    return itemgetter(*(place for place, name in enumerate(fields) if name not in changing))


_DEVICE = _all_but(Device._fields, "free_memory", "used_memory")
_TOLD = _all_but(Device._fields, "free_memory", "used_memory", "capabilities")
_OUTCOME = _all_but(Outcome._fields, "devices", "calls", "seconds")
_HOST = _all_but(Host._fields, "texts")
# Of the whole machine, of amdgpu's cards and of control groups: they tell how much is used.
_FILES = ("/meminfo", "_used", "/memory.current", "/memory.usage_in_bytes", "/memory.stat")
