"""A library that is there and does not load: for another processor or C library than this process has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.ways import weight
from gpuprobe.judging.belonging import serves
from gpuprobe.libraries import LIBRARIES, Library
from gpuprobe.model import Outcome, Status

# glibc's dynamic linker, and musl's.
_OTHER_MACHINE = re.compile(r"wrong ELF class|cannot open shared object file: Exec format error")
_OTHER_LIBC = re.compile(r"version `(GLIBC_[0-9.]{1,10})' not found|Error relocating [^:]{1,200}: (\w{1,80})")


def not_for_this_process(situation: Situation) -> Iterator[Finding]:
    for library in LIBRARIES:
        outcome = situation.listing(library.name) if serves(library, situation.card) and not library.witness else None
        severity = weight(situation, library)
        if outcome is None or outcome.status is not Status.NOT_LOADABLE or severity is None:
            continue
        message = outcome.message or ""
        if _OTHER_MACHINE.search(message):
            yield _other_machine(situation, library, outcome)._replace(severity=severity)
        elif found := _OTHER_LIBC.search(message):
            yield _other_libc(library, outcome, found[1])._replace(severity=severity)


def _other_machine(situation: Situation, library: Library, outcome: Outcome) -> Finding:
    here = situation.host.machine
    return _finding(
        "process-arch-mismatch",
        library,
        outcome,
        f"{library.name}'s library is made for another kind of processor or word size than this Python ({here})",
        Step(f"run a Python and programs that are built for the machine itself (`uname -m`), not for {here} under emulation"),
    )


def _other_libc(library: Library, outcome: Outcome, needed: str | None) -> Finding:
    here = f"needs {needed}, newer than the C library here" if needed else "is made for glibc, and this system has musl"
    image = "use an image or system with a newer glibc" if needed else "use an image with glibc, such as Debian or Ubuntu"
    return _finding("libc-mismatch", library, outcome, f"{library.name}'s library {here}", Step(image))


def _finding(slug: str, library: Library, outcome: Outcome, because: str, step: Step) -> Finding:
    return cause(
        slug,
        rung=Rung.LIBRARY,
        severity=Severity.BLOCKER,
        because=because,
        brief=f"{library.name} is for another system",
        reason=outcome.status,
        evidence=(Observed("the loader", outcome.message or ""),),
        fix=(step,),
        library=library,
    )


CHECKS = (not_for_this_process,)
