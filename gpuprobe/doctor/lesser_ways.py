"""Cards that work and could do better: through which library they should, and why they do not. A sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.card_status import CardStatus, card_statuses
from gpuprobe.doctor.diagnosis import findings_of
from gpuprobe.doctor.findings import Severity
from gpuprobe.doctor.remedies import and_advice
from gpuprobe.doctor.situation import situation_of
from gpuprobe.doctor.ways import answers, better_ways
from gpuprobe.judging.verdicts import describe, outcomes_of, telling
from gpuprobe.machine import Card
from gpuprobe.model import Device, Drop, Inventory


def of_cards(inventory: Inventory) -> Iterator[str]:
    """A card that works, while its vendor's own library is installed, was asked and does not list it. Said once for cards
    with one cause."""
    told: dict[tuple[str, str, str], list[str]] = {}
    for status in card_statuses(inventory):
        situation = situation_of(status.card, inventory)
        for library in better_ways(situation):
            cause = _about(library.name, status.card, inventory) or describe(answers(situation, library)[0])
            where = told.setdefault((status.devices[0].library, library.name, cause), [])
            where.append(status.card.pci_id or status.card.name or "the GPU")
    for (used, better, cause), cards in told.items():
        works, them = ("works", "it") if len(cards) == 1 else ("work", "them")
        yield f"{', '.join(cards)} {works} through {used}; {better} is installed and does not list {them}: {cause}"


def kept_below(status: CardStatus, inventory: Inventory) -> Iterator[str]:
    """What keeps the library through which a card is used from all that it could do."""
    used = {device.library for device in status.devices}
    for found in findings_of(status.card, inventory):
        if found.severity is Severity.DEGRADED and found.library in used:
            name = status.devices[0].name or "a device"
            yield f"{name} ({status.devices[0].id}): {found.because}{f'; {found.advice}' if found.advice else ''}"


def used_instead(device: Device, drop: Drop, inventory: Inventory) -> str:
    better = drop.device.library
    second = f"{device.library}:{device.ordinal} is used because {better} does not work on it"
    status = next((each for each in card_statuses(inventory) if device in each.devices), None)
    why = _about(better, status.card, inventory) if status else None
    if why is not None:
        return f"{second}: {why}"
    spoken = outcomes_of(drop.device, inventory.evidence.outcomes)
    return and_advice(f"{second}: {drop.because}", telling(spoken) if spoken else None)


def _about(library: str, card: Card, inventory: Inventory) -> str | None:
    """The clause of the first cause that keeps this library from the card, with what to do; None: no check names one."""
    mine = (each for each in findings_of(card, inventory) if each.library == library)
    found = next((each for each in mine if each.severity is not Severity.INFO), None)
    if found is None:
        return None
    return f"{found.because}; {found.fix[0].text}" if found.fix else found.because
