"""A cause as most checks name one: certain, unless a command is given that would settle it."""

from __future__ import annotations

from gpuprobe.doctor.findings import Certainty, Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.libraries import Library
from gpuprobe.model import Reason, Status

_LIKELY, _CERTAIN = Certainty.LIKELY, Certainty.CERTAIN


def cause(
    slug: str,
    *,
    rung: Rung,
    severity: Severity,
    because: str,
    brief: str,
    reason: CardReason | Reason | Status,
    evidence: tuple[Observed, ...] = (),
    fix: tuple[Step, ...] = (),
    library: Library | None = None,
    build: str | None = None,
    settle: str | None = None,
) -> Finding:
    return Finding(
        id=slug,
        rung=rung,
        severity=severity,
        certainty=_LIKELY if settle else _CERTAIN,
        because=because,
        brief=brief,
        reason=reason,
        evidence=evidence,
        fix=fix,
        settle=settle,
        library=library.name if library else None,
        build=build,
    )
