"""What counts before what: the one order of findings that every command follows."""

from __future__ import annotations

from gpuprobe.doctor.findings import Certainty, Finding, Severity

_SEVERITIES = tuple(Severity)


def place(finding: Finding) -> tuple[int, int, bool, bool]:
    """Blockers first, from the bottom up; at one rung a cause goes before what merely happened, and the certain first."""
    likely = finding.certainty is Certainty.LIKELY
    return _SEVERITIES.index(finding.severity), finding.rung.height, finding.generic, likely
