"""What is mended in the kernel or below it: a container has no kernel of its own, so that is done on its host."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gpuprobe.doctor.findings import Finding, Place, Rung, Step
from gpuprobe.doctor.situation import Situation

_BELOW = (Rung.HARDWARE, Rung.KERNEL_DRIVER)

Check = Callable[[Situation], Iterator[Finding]]


def placed(check: Check) -> Check:
    """The check, with its steps where they are done."""

    def seen(situation: Situation) -> Iterator[Finding]:
        for finding in check(situation):
            yield _outside(finding) if situation.container else finding

    return seen


def _outside(finding: Finding) -> Finding:
    """Of a fault below the nodes every step, and where it ends with a reboot all that goes before it."""
    restarts = any(step.needs_reboot for step in finding.fix)
    return finding._replace(fix=tuple(map(_moved, finding.fix))) if restarts or finding.rung in _BELOW else finding


def _moved(step: Step) -> Step:
    return step._replace(where=Place.HOST) if step.where is Place.HERE else step
