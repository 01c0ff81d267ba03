"""How far each card gets: hardware, kernel driver, device node, library, context, build; and what was seen on each rung."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.doctor.findings import Finding, Rung, Severity
from gpuprobe.doctor.situation import Situation
from gpuprobe.enumerations import Enum
from gpuprobe.judging.belonging import is_of, serves
from gpuprobe.libraries import library_named
from gpuprobe.machine import Card
from gpuprobe.model import Outcome, Purpose, Status
from gpuprobe.record_classes import NamedTuple
from gpuprobe.vendors import vendor_of


class Mark(str, Enum):
    PASSED = "passed"
    BROKEN = "broken"
    NOT_REACHED = "not_reached"  # a lower rung is broken, and nothing shows that this one holds
    UNKNOWN = "unknown"


class RungState(NamedTuple):
    rung: Rung
    mark: Mark
    seen: str | None = None  # in a few words; None: nothing was to be seen


def ladder(situation: Situation, findings: Sequence[Finding]) -> tuple[RungState, ...]:
    """One state for each rung, from the bottom up. What was seen to hold is passed, whatever is broken below it."""
    return tuple(_states(situation, findings))


def _states(situation: Situation, findings: Sequence[Finding]) -> Iterator[RungState]:
    blockers = [each for each in findings if each.severity is Severity.BLOCKER]
    lowest = min((each.rung.height for each in blockers), default=None)
    for rung in Rung:
        holds, seen = _SEEN[rung](situation)
        broken = next((each for each in blockers if each.rung is rung and each.because_of is None), None)
        if broken is not None:
            yield RungState(rung, Mark.BROKEN, broken.brief or broken.because)
        elif holds:
            yield RungState(rung, Mark.PASSED, seen)
        elif rung is Rung.BUILD and lowest is None and _unserved(situation):
            yield RungState(rung, Mark.BROKEN, _without_build(situation))
        elif lowest is not None and rung.height > lowest:
            yield RungState(rung, Mark.NOT_REACHED, seen)
        else:
            yield RungState(rung, Mark.UNKNOWN, seen)


def _hardware(situation: Situation) -> tuple[bool, str | None]:
    card = situation.card
    asleep = ", asleep" if card.was_asleep else ""
    return True, f"{card.pci_id} on the bus{asleep}" if card.pci_id else _kind(card)


def _kind(card: Card) -> str:
    return {"wsl": "shown by Windows", "listed": "shown by a library alone"}.get(card.kind, "part of the board")


def _kernel_driver(situation: Situation) -> tuple[bool, str | None]:
    driver, maker = situation.card.driver, vendor_of(situation.card.vendor_id)
    if driver is None:
        return bool(situation.kept or situation.drops), None
    lesser = maker is not None and driver in maker.lesser_drivers
    return not lesser or bool(situation.kept), f"`{driver}`"


def _device_node(situation: Situation) -> tuple[bool, str | None]:
    maker = vendor_of(situation.card.vendor_id)
    path = maker.node_of.get(situation.card.driver or "", situation.card.render_node) if maker else situation.card.render_node
    node = situation.node(path) if path else None
    if node is not None:
        return node.accessible, f"`{node.path}` {'may' if node.accessible else 'may not'} be opened"
    return bool(situation.kept or situation.drops), None


def _library(situation: Situation) -> tuple[bool, str | None]:
    naming = [each.probe.library for each in _offers(situation) if any(is_of(one, situation.card) for one in each.devices)]
    if naming:
        return True, f"{', '.join(dict.fromkeys(naming))} {'lists' if len(set(naming)) == 1 else 'list'} it"
    asked = [each.probe.library for each in _offers(situation) if each.seconds is not None]
    return False, f"{', '.join(dict.fromkeys(asked))} asked" if asked else None


def _offers(situation: Situation) -> list[Outcome]:
    """Listings by libraries that compute on cards of its vendor."""
    listings = (each for each in situation.outcomes if each.probe.purpose in (Purpose.LIST, Purpose.ALONE))
    libraries = ((each, library_named(each.probe.library)) for each in listings if each.status is not Status.ABSENT)
    return [each for each, library in libraries if not library.witness and serves(library, situation.card)]


def _context(situation: Situation) -> tuple[bool, str | None]:
    through = dict.fromkeys(device.library for device in situation.kept if device.validation is not None)
    return bool(through), f"made through {', '.join(through)}" if through else None


def _build(situation: Situation) -> tuple[bool, str | None]:
    """Whether an installed Ollama or llama.cpp computes on it; unknown where none is installed."""
    if not situation.kept or _unserved(situation):
        return False, None
    used = dict.fromkeys(build.name for build in situation.host.builds)
    return bool(used), f"{', '.join(used)} installed" if used else "no Ollama or llama.cpp was found"


def _unserved(situation: Situation) -> bool:
    """Whether programs are installed, and none of them computes on the card."""
    from gpuprobe.judging.programs_without_build import served_by_nothing

    return bool(situation.kept) and all(served_by_nothing(device, situation.inventory) for device in situation.kept)


def _without_build(situation: Situation) -> str:
    from gpuprobe.judging.programs_without_build import lacks

    programs = list(dict.fromkeys(lack.program for lack in lacks(situation.inventory)))
    return f"{' and '.join(programs)} {'has' if len(programs) == 1 else 'have'} no build for it"


_SEEN = {
    Rung.HARDWARE: _hardware,
    Rung.KERNEL_DRIVER: _kernel_driver,
    Rung.DEVICE_NODE: _device_node,
    Rung.LIBRARY: _library,
    Rung.CONTEXT: _context,
    Rung.BUILD: _build,
}
