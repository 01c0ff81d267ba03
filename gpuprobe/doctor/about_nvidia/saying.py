"""How a cause of NVIDIA's cards is put: what most of them share is said once."""

from __future__ import annotations

import re

from gpuprobe.doctor import naming
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.libraries import CUDA, Library
from gpuprobe.machine.surroundings import wsl
from gpuprobe.model import Reason, Status

AGAIN = "a module in memory stays the old one until then"
_LINK = re.compile("^((?:or |and |if [^,]{1,80}, )?)")  # to the step before
FRESH = "the boot image and the drivers of the screen take it up at the next start"


def cause(
    slug: str,
    rung: Rung,
    because: str,
    brief: str,
    *evidence: Observed | None,
    fix: tuple[Step, ...] = (),
    reason: CardReason | Reason | Status = CardReason.DRIVER_FAULT,
    settle: str | None = None,
    severity: Severity = Severity.BLOCKER,
    library: Library | None = CUDA,
) -> Finding:
    """A finding that is certain, or with `settle` likely."""
    return naming.cause(
        slug,
        rung=rung,
        severity=severity,
        because=because,
        brief=brief,
        reason=reason,
        evidence=tuple(each for each in evidence if each is not None),
        fix=fix,
        library=library,
        settle=settle,
    )


def where_cuda_stops(situation: Situation) -> Rung:
    """The rung of what CUDA refuses: to start and list the card, or, once it is listed, a context."""
    return Rung.CONTEXT if situation.views(CUDA.name) else Rung.LIBRARY


def outside(situation: Situation) -> Place:
    """Where the kernel's side is mended: a container has none of its own."""
    return Place.HOST if situation.container is not None or wsl(situation.host) else Place.HERE


def on_the_host(situation: Situation, text: str) -> str:
    """ "or on the host open it to everybody with"."""
    return _LINK.sub(r"\1on the host ", text, count=1) if outside(situation) is Place.HOST else text


def kernel_step(situation: Situation, text: str, command: str, *, reboot: str | None = None) -> Step:
    """A command of the kernel's side: "on the host load it with `…`" from inside a container."""
    return run(on_the_host(situation, text), command, reboot=reboot, where=outside(situation))


def reboot(situation: Situation, why: str, text: str = "reboot") -> Step:
    if outside(situation) is Place.HOST:
        return Step(on_the_host(situation, text), needs_root=True, needs_reboot=why, where=Place.HOST)
    return Step(text, "sudo reboot", needs_root=True, needs_reboot=why)


def look_at_the_log(words: str = "nvrm") -> str:
    return f"sudo dmesg | grep -iE '{words}'"
