"""Which cards a library is asked for on this machine. Pure."""

from __future__ import annotations

from gpuprobe import environment, machine
from gpuprobe.facts import FoundBuild, Host
from gpuprobe.judging.build_choice import is_ollamas
from gpuprobe.libraries import Library


def vendor_cards(library: Library, host: Host) -> tuple[machine.Card, ...]:
    """The cards on the bus that this library should list."""
    return tuple(card for card in machine.cards(host) if not library.vendors or card.vendor_id in library.vendor_ids)


def sleeping(library: Library, host: Host) -> list[str]:
    """The cards that asking this library would wake."""
    opened = list(vendor_cards(library, host))
    if library.opens_every_node:
        opened += [card for card in machine.cards(host) if card.render_node and card not in opened]
    return [card.pci_id or "the card" for card in opened if card.was_asleep]


def switched_off(library: Library, host: Host, build: FoundBuild | None = None) -> bool:
    """Whether Ollama's own switch turns this library off here, or this build of it.

    It is Ollama's alone: a build of llama.cpp does not obey it, and where one is here, the system's own library is asked too,
    because only that knows the numbers by which a program that loads the build selects.
    """
    if not library.switch or environment.truth(host.environ.get(library.switch, "")) is not False:
        return False
    mine = [each for each in host.builds if each.library == library.name and each.problem is None] if build is None else [build]
    return all(is_ollamas(each) for each in mine)
