"""Which causes a card has, in the order in which they count: the checks, and the one precedence that everything follows.

The lowest broken rung wins; a cause goes before a symptom. What the lowest explains stays, and names it.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.checks import CHECKS
from gpuprobe.doctor.findings import Certainty, Finding, Rung, Severity, Step
from gpuprobe.doctor.precedence import place
from gpuprobe.doctor.reasons import CardReason, Why
from gpuprobe.doctor.situation import Situation, situation_of
from gpuprobe.doctor.symptoms import (
    device_node,
    dropped,
    hidden,
    kernel_driver,
    library_failed,
    not_cut,
    not_given,
    number_of,
    unknown_node,
    unserved,
)
from gpuprobe.machine import Card
from gpuprobe.model import Inventory


def why(card: Card, inventory: Inventory) -> Why:
    """The reason that a person can act on first: the headline of the findings of a card that is not usable."""
    first = next(each for each in findings_of(card, inventory) if each.severity is Severity.BLOCKER)
    because = first.because if first.generic else f"{_said(first)}{_number(first, situation_of(card, inventory))}"
    return Why(first.reason, because, first.advice, first.brief, None if first.generic else first.id)


def _said(finding: Finding) -> str:
    """What the evidence only makes the best explanation is not told as a fact."""
    return f"most likely {finding.because}" if finding.certainty is Certainty.LIKELY else finding.because


def _number(finding: Finding, situation: Situation) -> str:
    """ " (`cuInit`: CUDA_ERROR_NO_DEVICE, error 100)": what people search for, behind the cause that explains it."""
    outcomes = situation.of_library(finding.library) if finding.library else iter(())
    failed = next((each for each in outcomes if each.code is not None), None)
    return f" ({number_of(failed)})" if failed is not None else ""


def findings_of(card: Card, inventory: Inventory) -> tuple[Finding, ...]:
    """All that is known against the card, the headline first. The same cause is named once."""
    situation = situation_of(card, inventory)
    found: dict[str, Finding] = {}
    for each in (*_causes(situation), *_symptoms(situation)):
        found.setdefault(each.id, each)
    if not situation.kept and not any(each.severity is Severity.BLOCKER for each in found.values()):
        found["not-listed"] = _symptom(Rung.LIBRARY, _not_listed(card, inventory), card)
    return _explained(sorted(found.values(), key=place))


def _explained(findings: list[Finding]) -> tuple[Finding, ...]:
    """A blocker explains every blocker above it, and the symptom at its own rung. Two causes at one rung are two faults."""
    first = findings[0] if findings and findings[0].severity is Severity.BLOCKER else None
    if first is None:
        return tuple(findings)
    return tuple(
        each._replace(because_of=first.id) if each is not first and _follows(each, first) else each for each in findings
    )


def _follows(finding: Finding, first: Finding) -> bool:
    if finding.severity is not Severity.BLOCKER or finding.because_of is not None:
        return False
    return finding.rung.height > first.rung.height or finding.generic


def _causes(situation: Situation) -> Iterator[Finding]:
    for vendor, checks in CHECKS:
        if vendor is None or vendor.made(situation.card.vendor_id):
            for check in checks:
                yield from (finding._replace(card=situation.card) for finding in check(situation))


def _symptoms(situation: Situation) -> Iterator[Finding]:
    """What happened, where the card is not usable. A card that some library lists has its driver and its node."""
    if situation.kept:
        return
    card, host, inventory, drops = situation.card, situation.host, situation.inventory, situation.drops
    told = (
        (Rung.KERNEL_DRIVER, kernel_driver(card, host) if not drops else None),
        (Rung.DEVICE_NODE, device_node(card, host) if not drops else None),
        (Rung.LIBRARY, hidden(card, inventory)),
        (Rung.LIBRARY, not_given(card, inventory)),
        (Rung.LIBRARY, not_cut(card, inventory)),
        (Rung.LIBRARY, library_failed(card, inventory, drops)),
        (Rung.CONTEXT, dropped(drops, inventory)),
        (Rung.CONTEXT, unserved(card)),
    )
    yield from (_symptom(rung, said, card) for rung, said in told if said is not None)


def _symptom(rung: Rung, said: Why, card: Card) -> Finding:
    return Finding(
        id=said.reason.value.replace("_", "-"),
        rung=rung,
        severity=Severity.BLOCKER,
        certainty=Certainty.CERTAIN,
        because=said.because,
        brief=said.brief,
        reason=said.reason,
        fix=(Step(said.advice),) if said.advice else (),
        card=card,
        generic=True,
    )


def _not_listed(card: Card, inventory: Inventory) -> Why:
    nobody = "none of the libraries that were asked lists it" if inventory.request.libraries else "no library lists it"
    unknown = unknown_node(card, inventory.evidence.host)
    return Why(CardReason.NOT_LISTED, f"{nobody}; {unknown}" if unknown else nobody, None)
