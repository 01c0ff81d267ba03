"""What `list` answers: the whole machine or the part that one DEVICE means, its first line and its exit code."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.command.gathering import selected
from gpuprobe.doctor import card_status
from gpuprobe.doctor.card_status import CardStatus
from gpuprobe.exits import Exit, WrongUsage, weightiest
from gpuprobe.judging.identity import normal_pci, same_card
from gpuprobe.judging.views import numbered
from gpuprobe.model import Device, Inventory, Json
from gpuprobe.render.part import Part
from gpuprobe.strings import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.command.options import Options
    from gpuprobe.judging.requirement import Requirement


def part_of(inventory: Inventory, device: str | None, by_free_memory: bool = False) -> Part:
    """WrongUsage where DEVICE means nothing here, or several devices."""
    card_statuses = card_status.card_statuses(inventory)
    if device is None:
        kept = _most_free_first(inventory.kept) if by_free_memory else inventory.kept
        return Part(kept, inventory.drops, card_statuses)
    views = _meant(device, inventory, card_statuses)
    address = normal_pci(device)
    return Part(
        kept=tuple(each for each in inventory.kept if _shown(each, views)),
        drops=tuple(drop for drop in inventory.drops if _shown(drop.device, views)),
        card_statuses=tuple(
            each for each in card_statuses if _concerns(each, views) or each.card.pci_id == address is not None
        ),
        one=True,
    )


def _most_free_first(devices: Sequence[Device]) -> tuple[Device, ...]:
    return tuple(sorted(devices, key=lambda device: -1 if device.free_memory is None else device.free_memory, reverse=True))


def _meant(text: str, inventory: Inventory, card_statuses: Sequence[CardStatus]) -> tuple[Device, ...]:
    """The views that DEVICE means: a kept device first, else what was dropped, else a card that nobody lists."""
    try:
        return selected([text], inventory.kept)
    except WrongUsage:
        try:
            return selected([text], numbered(inventory))
        except WrongUsage:
            if any(each.card.pci_id == normal_pci(text) is not None for each in card_statuses):
                return ()
            raise


def _shown(device: Device, views: Sequence[Device]) -> bool:
    return any(same_card(device, view).same for view in views)


def _concerns(each: CardStatus, views: Sequence[Device]) -> bool:
    address = each.card.pci_id
    return any(device in each.devices for device in views) or (
        address is not None and any(normal_pci(view.pci_id) == address for view in views)
    )


def with_loads(part: Part, inventory: Inventory, options: Options) -> Part:
    """Tries what was found for the chosen devices. A capture cannot be tried, and the whole list need not be."""
    if not part.one or options.source is not None or not inventory.evidence.host.software:
        return part
    from gpuprobe.command.gathering import request_of
    from gpuprobe.probing.runtime_loading import loads

    libraries = {device.library for device in part.kept}
    found = [each for each in inventory.evidence.host.software if each.library in libraries and each.is_runtime]
    with options.screen.progress(options.quiet) as watch:
        return part._replace(loads=loads(found, request_of(options).seconds, watch))


def headline(inventory: Inventory, part: Part, quick: bool, requirement: Requirement | None) -> tuple[str, Exit]:
    """The first line and the exit code."""
    text = card_status.summary(inventory).text
    if quick and inventory.kept:
        text += " (only listed: whether they work was not tested)"
    if requirement is None:
        return text, Exit.ANSWERED
    from gpuprobe.judging.requirement import meets

    met = meets(requirement, part.kept)
    doubt = met.undecided or (not met.answer and card_status.undecided(inventory))
    leave_with = weightiest(Exit.ANSWERED if met.answer else Exit.NO, Exit.UNDECIDED if doubt else Exit.ANSWERED)
    verdict = {Exit.ANSWERED: "met", Exit.NO: "not met", Exit.UNDECIDED: "cannot be decided"}[leave_with]
    gone = "" if met.answer else card_status.missing(inventory)
    return f"requirement {verdict}: {met.because}{f' ({gone})' if gone else ''}", leave_with


def document(inventory: Inventory, part: Part, text: str, leave_with: Exit, *, of_this_machine: bool = False) -> Json:
    from gpuprobe.render.document import list_document

    document = list_document(
        inventory, text, leave_with, kept=part.kept, drops=part.drops, card_statuses=part.card_statuses, loads=part.loads
    )
    if of_this_machine:
        document["host"] = {"name": _host_name(), **document["host"]}
    return document


def _host_name() -> str | None:
    """Read here and not with the host's facts, which a capture holds: that is to name nobody's machine."""
    import os
    from platform import node

    name = os.uname().nodename if hasattr(os, "uname") else node()
    return printable(name) or None
