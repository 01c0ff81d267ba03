"""What is read of a machine besides the survey: always for a diagnosis, and for any other answer where a card is not usable.

Every answer that gives a reason comes by here, so that no two of them give different ones for the same card.
"""

from __future__ import annotations

import os

from gpuprobe.judging.rules import judge
from gpuprobe.libraries import library_named, rank_of
from gpuprobe.model import SYSTEM, Evidence, Inventory, Outcome, Purpose, Request


def judged(evidence: Evidence, request: Request) -> Inventory:
    """Evidence of this machine, with what its reasons need. A capture has that, or has it not."""
    return deepened_where_needed(judge(evidence, request))


def deepened(inventory: Inventory) -> Inventory:
    """Of this machine, with the evidence that only a diagnosis needs."""
    return inventory._replace(evidence=with_system(inventory.evidence))


def deepened_where_needed(inventory: Inventory) -> Inventory:
    """Of this machine. One whose cards all work pays nothing."""
    return deepened(inventory) if _needs(inventory) else inventory


def with_system(evidence: Evidence) -> Evidence:
    """Where a card may be: without one there is nothing that a log, a package or a server could explain."""
    host = evidence.host
    if host.system is not None or host.platform != "linux" or not (host.pci or host.nodes or host.off_the_bus):
        return evidence
    from gpuprobe.survey import deep

    return evidence._replace(host=deep.with_system(host, os.environ))


def _needs(inventory: Inventory) -> bool:
    """Whether a card is not usable, or its better library fell away."""
    from gpuprobe.doctor.card_status import card_statuses

    unused = any(status.why is not None and status.asked for status in card_statuses(inventory))
    return unused or (bool(inventory.kept) and _fell_away(inventory))


def _fell_away(inventory: Inventory) -> bool:
    """Whether a library that ranks before one that is used was asked, is made for a card that is here, and showed none."""
    from gpuprobe.judging.belonging import serves
    from gpuprobe.machine import cards

    worst = max(rank_of(device.library) for device in inventory.kept)
    silent = [each for each in inventory.evidence.outcomes if _was_asked(each) and not each.devices]
    before = [library_named(each.probe.library) for each in silent if rank_of(each.probe.library) < worst]
    return bool(before) and any(serves(library, card) for library in before for card in cards(inventory.evidence.host))


def _was_asked(outcome: Outcome) -> bool:
    own = outcome.probe.build == SYSTEM and outcome.probe.purpose is Purpose.LIST
    return own and outcome.seconds is not None and not library_named(outcome.probe.library).witness
