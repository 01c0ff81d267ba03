"""A slot or riser with fewer lanes than the card has: it computes as before, and models load more slowly."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation


def fewer_lanes(situation: Situation) -> Iterator[Finding]:
    """Never the speed: an idle card lowers that, and keeps its lanes."""
    now, most = situation.card.current_link_width, situation.card.max_link_width
    if not now or not most or now >= most:
        return
    place = f"/sys/bus/pci/devices/{situation.card.pci_id}"
    yield cause(
        "pci-link-degraded",
        rung=Rung.HARDWARE,
        severity=Severity.INFO,
        because=f"it uses {now} of its {most} PCIe lanes, so models load more slowly",
        brief=f"{now} of {most} PCIe lanes",
        reason=CardReason.CARD_FAILED,
        evidence=(Observed(f"{place}/current_link_width", str(now)), Observed(f"{place}/max_link_width", str(most))),
        fix=(Step("look at its seat and riser, or put it into a slot with more lanes"),),
    )


CHECKS = (fewer_lanes,)
