"""A card that works, and not through its best library: said with the words of what failed, where no check names the cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe.doctor.card_status import CardStatus
from gpuprobe.doctor.findings import Certainty, Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.remedies import remedy
from gpuprobe.doctor.situation import Situation, situation_of
from gpuprobe.doctor.ways import answers, better_ways
from gpuprobe.judging.verdicts import describe, outcomes_of, telling
from gpuprobe.libraries import rank_of
from gpuprobe.model import Inventory, Outcome, Reason, Status


def lost_ways(status: CardStatus, known: Iterable[Finding], inventory: Inventory) -> Iterator[Finding]:
    """`known`: what the checks found. A library of which they name a cause is not told of twice."""
    if not status.devices:
        return
    explained = {each.library for each in known if each.severity is not Severity.INFO}
    for library, because, reason, outcome in _lost(situation_of(status.card, inventory)):
        if library not in explained:
            explained.add(library)
            yield _told(status, library, because, reason, outcome)


def _lost(situation: Situation) -> Iterator[tuple[str, str, Reason | Status, Outcome | None]]:
    """Views that failed while another works, and libraries that are installed and do not list the card."""
    best = min(rank_of(device.library) for device in situation.kept)
    for drop in situation.drops:
        if drop.reason in (Reason.FAILED_VALIDATION, Reason.NOT_DECIDED) and rank_of(drop.device.library) < best:
            spoken = outcomes_of(drop.device, situation.outcomes)
            yield drop.device.library, drop.because, drop.reason, telling(spoken) if spoken else None
    for library in better_ways(situation):
        answer = answers(situation, library)[0]
        yield library.name, f"it is installed and does not list the card ({describe(answer)})", answer.status, answer


def _told(status: CardStatus, library: str, because: str, reason: Reason | Status, outcome: Outcome | None) -> Finding:
    advice = remedy(outcome) if outcome is not None else None
    used = status.devices[0]
    return Finding(
        id="better-library-lost",
        rung=Rung.LIBRARY if isinstance(reason, Status) else Rung.CONTEXT,
        severity=Severity.DEGRADED,
        certainty=Certainty.CERTAIN,
        because=f"it works through {used.library}, and not through {library}: {because}",
        brief=f"{library} does not work on it",
        reason=reason,
        library=library,
        evidence=(Observed(library, describe(outcome)),) if outcome is not None else (),
        fix=(Step(advice),) if advice else (),
        card=status.card,
    )
