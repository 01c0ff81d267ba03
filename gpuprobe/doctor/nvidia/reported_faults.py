"""Faults that the driver reported of a card that is there: of its memory, and of programs."""

from __future__ import annotations

from collections.abc import Iterator

import gpuprobe.doctor.about_nvidia.told_faults as faults
from gpuprobe.doctor.about_nvidia import signs
from gpuprobe.doctor.about_nvidia.saying import cause
from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.model import Status
from gpuprobe.strings import printable

_MEMORY_FAULTS = (48, 63, 64, 94, 95, 140, 171, 172)  # Xids
_OF_PROGRAMS = (13, 31, 43, 45, 68, 109)


def memory_fault(situation: Situation) -> Iterator[Finding]:
    """Errors of the card's memory that could not be corrected."""
    xids, code = faults.xids(situation, *_MEMORY_FAULTS), signs.cuda_code(situation)
    if not xids and code != 214:
        return
    worn = any(xid.number in (64, 172) for xid in xids)
    replace = Step(
        "have the card replaced: its memory has no spare rows left" if worn else "if it comes again, have the card replaced"
    )
    yield cause(
        "ecc-or-memory-fault",
        Rung.HARDWARE,
        "the card's memory has an error that could not be corrected",
        "an error in the card's memory",
        *(Observed("kernel log", printable(xid.line.message[:300])) for xid in xids[:3]),
        Observed("CUDA", "CUDA_ERROR_ECC_UNCORRECTABLE (214)") if code == 214 else None,
        fix=(*faults.reset(situation)[:1], replace),
        reason=CardReason.CARD_FAILED,
        severity=Severity.DEGRADED if situation.kept else Severity.BLOCKER,
        library=None,
    )


def faults_of_programs(situation: Situation) -> Iterator[Finding]:
    """Xids that a program's own fault gives. They are told because people look for them, and never as a cause."""
    xids = faults.xids(situation, *_OF_PROGRAMS)
    if not xids:
        return
    numbers = ", ".join(str(number) for number in sorted({xid.number for xid in xids}))
    yield cause(
        "app-level-xid",
        Rung.BUILD,
        f"the kernel log has Xid {numbers} of this card: faults of programs, after which the card is normally healthy",
        f"Xid {numbers} of programs",
        Observed("kernel log", printable(xids[0].line.message[:300])),
        severity=Severity.INFO,
        reason=Status.OK,
        library=None,
    )


CHECKS = (
    memory_fault,
    faults_of_programs,
)
