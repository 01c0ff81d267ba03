"""The libraries through which a card could be used: whether one of them was lost, and how much that counts."""

from __future__ import annotations

from gpuprobe.doctor.findings import Severity
from gpuprobe.doctor.situation import Situation
from gpuprobe.judging.belonging import is_of
from gpuprobe.libraries import LIBRARIES, Library, rank_of
from gpuprobe.model import Outcome, Purpose, Status


def answers(situation: Situation, library: Library) -> tuple[Outcome, ...]:
    """How the library ended wherever it is installed and was asked for its devices; builds' copies of it too."""
    listings = (each for each in situation.outcomes if each.probe.purpose is Purpose.LIST)
    mine = (each for each in listings if each.probe.library == library.name)
    return tuple(each for each in mine if not each.status.not_there and each.status not in (Status.SKIPPED, Status.REFUSED))


def lists_it(situation: Situation, library: Library) -> bool:
    """Whether it shows the card, be it only without the user's variables, in whichever build."""
    mine = (each for each in situation.outcomes if each.probe.library == library.name)
    return any(is_of(device, situation.card) for each in mine for device in each.devices)


def is_lost(situation: Situation, library: Library) -> bool:
    """It is installed, was asked, and does not show the card."""
    return bool(answers(situation, library)) and not lists_it(situation, library)


def own_libraries(situation: Situation) -> tuple[Library, ...]:
    """Its vendor's own libraries that exist for this system, the most preferred first."""
    return tuple(each for each in situation.own_libraries if situation.host.platform in each.sonames)


def weight(situation: Situation, library: Library | None = None) -> Severity | None:
    """How much it counts that the card is not to be used through this library, or with None through any.

    None: not at all, because a library that is preferred to it serves the card.
    """
    if not situation.kept:
        return Severity.BLOCKER
    if library is None:
        return None
    best = min(rank_of(view.library) for view in situation.kept)
    return Severity.DEGRADED if rank_of(library.name) < best else None


def weight_if_lost(situation: Situation, library: Library) -> Severity | None:
    return weight(situation, library) if is_lost(situation, library) else None


def better_ways(situation: Situation) -> tuple[Library, ...]:
    """Of a usable card: its vendor's own libraries that rank before the one it is used through, were asked and lost it."""
    if not situation.kept:
        return ()
    best = min(rank_of(view.library) for view in situation.kept)
    own = (each for each in LIBRARIES[:best] if each in own_libraries(situation))
    return tuple(each for each in own if is_lost(situation, each))
