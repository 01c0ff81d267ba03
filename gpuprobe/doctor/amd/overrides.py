"""`HSA_OVERRIDE_GFX_VERSION`, which makes ROCm take a chip for another: of another family, not needed, or for one card only."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe import environment, knowledge
from gpuprobe.doctor.amd.architectures import chip_of
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.ways import answers
from gpuprobe.facts import Host
from gpuprobe.judging.architecture import COMPATIBLE, NATIVE, of_gfx
from gpuprobe.judging.build_fit import BUILD
from gpuprobe.libraries import ROCM
from gpuprobe.machine.amd import AmdCard, amd_cards
from gpuprobe.model import Reason
from gpuprobe.strings import Gfx, gfx_of_override

_FITS = (NATIVE, COMPATIBLE)


def override(situation: Situation) -> Iterator[Finding]:
    """Of the form for every card and the one with the number of KFD's node the latter counts (libhsakmt, topology.c)."""
    chip = chip_of(situation)
    if chip is None or chip.gfx is None or chip.node is None or not answers(situation, ROCM):
        return
    name = _name_for(situation.host, chip)
    if name is None or not situation.host.environ[name]:
        return
    value = situation.host.environ[name]
    taken = gfx_of_override(value)
    if taken is None:
        yield _wrong(situation, f"`{name}={value}` is not a version such as 10.3.0, so ROCm starts with rubbish", name, chip)
    elif (taken.major, taken.minor) != (chip.gfx.major, chip.gfx.minor):
        native = ", which ROCm supports as it is" if _is_native(situation.host, chip.gfx) else ""
        because = f"`{name}={value}` makes ROCm take it for {taken.name}, of another family than its {chip.gfx.name}{native}"
        yield _wrong(situation, because, name, chip)
    elif taken.name != chip.gfx.name and (software := _is_native(situation.host, chip.gfx)):
        yield _not_needed(situation, name, chip, software)


def _name_for(host: Host, chip: AmdCard) -> str | None:
    rows = ((name, environment.variable(name)) for name in host.environ)
    names = [name for name, row in rows if row is not None and row.per_device and row.kind == environment.OVERRIDE]
    mine = [name for name in names if name.endswith(("VERSION", f"_{chip.node}"))]
    return max(mine, key=len, default=None)


def _is_native(host: Host, gfx: Gfx) -> str | None:
    """Which rocBLAS on this machine has code for the chip itself."""
    blas = (each for each in host.software or () if each.name == ROCM.blas and each.where != BUILD)
    found = next((each for each in blas if of_gfx(gfx.name, each.architectures).answer in _FITS), None)
    return None if found is None else f"{found.name} of ROCm {found.release}" if found.release else found.name


def _wrong(situation: Situation, because: str, name: str, chip: AmdCard) -> Finding:
    severity = Severity.DEGRADED if situation.kept else Severity.BLOCKER
    return cause(
        "hsa-override-wrong",
        rung=Rung.LIBRARY,
        severity=severity,
        because=because,
        brief=f"`{name}` is wrong for it",
        reason=Reason.FAILED_VALIDATION,
        evidence=_evidence(situation.host, name, chip),
        fix=tuple(_unset(situation.host, name, chip)),
        library=ROCM,
    )


def _not_needed(situation: Situation, name: str, chip: AmdCard, software: str) -> Finding:
    gfx = chip.gfx.name if chip.gfx else "it"
    severity = Severity.DEGRADED if situation.kept else Severity.BLOCKER
    return cause(
        "hsa-override-not-needed",
        rung=Rung.LIBRARY,
        severity=severity,
        because=f"`{name}={situation.host.environ[name]}` is not needed: {software} has code for {gfx} itself",
        brief=f"`{name}` is not needed",
        reason=Reason.FAILED_VALIDATION,
        evidence=_evidence(situation.host, name, chip),
        fix=tuple(_unset(situation.host, name, chip)),
        library=ROCM,
        settle=None if situation.kept else f"unset {name}; gpuprobe validate",
    )


def _evidence(host: Host, name: str, chip: AmdCard) -> tuple[Observed, ...]:
    gfx = chip.gfx.name if chip.gfx else "unknown"
    return Observed(name, host.environ[name]), Observed(f"KFD's node {chip.node}", gfx)


def _unset(host: Host, name: str, chip: AmdCard) -> Iterator[Step]:
    """Without it, or for the one card that it is right for."""
    yield run("unset it where it is set, in the shell or in the service:", f"unset {name}", where=Place.HERE)
    value = host.environ[name]
    rows = {row.gfx: row.override for row in knowledge.targets()}
    for other in amd_cards(host):
        fits = other.gfx is not None and rows.get(other.gfx.name) == value and other.pci_id != chip.pci_id
        if fits and other.gfx is not None and not name.endswith(f"_{other.node}"):
            only = f"{name.removesuffix(f'_{chip.node}')}_{other.node}={value}"
            yield run(f"set it for the {other.gfx.name} alone, which is KFD's node {other.node}:", f"export {only}")


CHECKS = (override,)
