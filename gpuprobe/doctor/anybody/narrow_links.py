"""A card on fewer PCIe lanes than it has. The speed is no matter: an idle card lowers it, and keeps its lanes."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation


def fewer_lanes(situation: Situation) -> Iterator[Finding]:
    card = situation.card
    lanes, most = card.current_link_width, card.max_link_width
    if not situation.kept or not lanes or not most or lanes >= most:
        return
    place = f"/sys/bus/pci/devices/{card.pci_id}"
    yield cause(
        "pci-link-degraded",
        rung=Rung.HARDWARE,
        severity=Severity.INFO,
        because=f"the card uses {lanes} of its {most} PCIe lanes: models load and cards exchange data more slowly",
        brief=f"{lanes} of {most} PCIe lanes",
        reason=CardReason.CARD_FAILED,
        evidence=(Observed(f"{place}/current_link_width", str(lanes)), Observed(f"{place}/max_link_width", str(most))),
        fix=(Step("seat it again, or move it to a slot with more lanes, without a riser"),),
    )


CHECKS = (fewer_lanes,)
