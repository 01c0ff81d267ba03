"""The whole diagnosis: each card with its ladder and findings, and what is wrong, said once, in the order that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gpuprobe.doctor.card_status import CardStatus, card_statuses, summary
from gpuprobe.doctor.findings import Finding, Severity
from gpuprobe.doctor.identities import Name, names_of
from gpuprobe.doctor.ladder import RungState, ladder
from gpuprobe.doctor.machine_findings import findings_of_the_machine
from gpuprobe.doctor.situation import situation_of
from gpuprobe.machine import Card
from gpuprobe.model import Inventory, Reason, Status
from gpuprobe.record_classes import NamedTuple
from gpuprobe.vendors import vendor_of

Wanted = Callable[[Finding], bool]


class CardReport(NamedTuple):
    status: CardStatus
    ladder: tuple[RungState, ...]
    findings: tuple[Finding, ...]  # the headline first
    names: tuple[Name, ...]


class Told(NamedTuple):
    """A finding, and all the cards of which it is true: eight equal cards are told of once."""

    finding: Finding
    cards: tuple[Card, ...]  # none: it is the machine's


class Examination(NamedTuple):
    text: str  # the first line, as `list` says it
    cards: tuple[CardReport, ...]  # those that a person most likely came for first
    told: tuple[Told, ...]  # headlines first, then what they explain
    notes: tuple[str, ...] = ()  # what `list` notes besides


def examine(
    inventory: Inventory, wanted: Wanted = lambda finding: True, chosen: Iterable[CardStatus] | None = None
) -> Examination:
    """`wanted`: which findings are told (`--only`, `--skip`); `chosen`: the cards to look at, all where none are named."""
    statuses = card_statuses(inventory) if chosen is None else tuple(chosen)
    reports = tuple(_report(status, inventory, wanted) for status in sorted(statuses, key=_sought))
    machine = [each for each in findings_of_the_machine(inventory) if wanted(each)]
    return Examination(summary(inventory).text, reports, _told(reports, machine))


def _report(status: CardStatus, inventory: Inventory, wanted: Wanted) -> CardReport:
    from gpuprobe.doctor.diagnosis import findings_of  # every check of every vendor: a machine without a card needs none
    from gpuprobe.doctor.lost_ways import lost_ways

    findings = findings_of(status.card, inventory)
    findings = (*findings, *lost_ways(status, findings, inventory))
    climbed = ladder(situation_of(status.card, inventory), findings)
    return CardReport(status, climbed, tuple(filter(wanted, findings)), names_of(status.card, inventory))


def _sought(status: CardStatus) -> tuple[bool, str]:
    """A discrete card before the graphics inside the processor: that is the one a person came for."""
    card = status.card
    maker = vendor_of(card.vendor_id)
    inside = maker is not None and maker.integrated_at is not None and (card.pci_id or "").endswith(maker.integrated_at)
    return inside, card.pci_id or "~"


def _told(reports: Iterable[CardReport], machine: Iterable[Finding]) -> tuple[Told, ...]:
    """Headlines of all cards before what they explain; equal ones once."""
    grouped: dict[tuple[str, str, str | None], Told] = {}
    for finding in (*(each for report in reports for each in report.findings), *machine):
        key = finding.id, finding.because, finding.advice
        known = grouped.get(key, Told(finding, ()))
        grouped[key] = known._replace(cards=(*known.cards, finding.card)) if finding.card is not None else known
    return tuple(sorted(grouped.values(), key=_weight))


def _weight(told: Told) -> tuple[int, bool]:
    return tuple(Severity).index(told.finding.severity), told.finding.because_of is not None


def is_undecided(finding: Finding) -> bool:
    """Whether it says only that no answer came: a crash, a timeout, a lost child."""
    reason = finding.reason
    unanswered = isinstance(reason, Status) and (reason.undecided or reason is Status.SKIPPED)
    return finding.generic and (unanswered or reason is Reason.NOT_DECIDED)


def with_findings(examination: Examination, findings: Iterable[Finding]) -> Examination:
    """With what was found elsewhere than in the cards, as in a server's log. A blocker of that comes first."""
    told = tuple(Told(finding, ()) for finding in findings)
    return examination._replace(told=tuple(sorted((*told, *examination.told), key=_weight)))


def untold(notes: Iterable[str], examination: Examination) -> tuple[str, ...]:
    """The notes of `list` that say what no finding says."""
    return tuple(note for note in notes if not any(_tells(told, note) for told in examination.told))


BETTER_LOST = "better-library-lost"
_SAME_WORDS, _SAME_NAME = 30, 12  # characters: a note and a finding that begin alike say the same


def _tells(told: Told, note: str) -> bool:
    """The same words; or of the same card, or of a program, the same thing in backquotes."""
    finding = told.finding
    if finding.generic or finding.id == BETTER_LOST:
        return finding.brief in note
    if any(each.where.startswith("/") and each.where in note for each in finding.evidence):
        return True
    named = set(finding.because.split("`")[1::2]) & set(note.split("`")[1::2])
    if not told.cards:
        return bool(named) or finding.because[:_SAME_NAME] in note
    return finding.because[:_SAME_WORDS] in note or (any((card.pci_id or "-") in note for card in told.cards) and bool(named))
