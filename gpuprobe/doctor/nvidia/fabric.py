"""What CUDA waits for besides the driver: the fabric of NVSwitch bridges, and a confidential machine's consent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.about_nvidia import recipes, signs
from gpuprobe.doctor.about_nvidia.generations import chip_of
from gpuprobe.doctor.about_nvidia.saying import cause, kernel_step, look_at_the_log
from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity
from gpuprobe.doctor.situation import Situation
from gpuprobe.libraries import CUDA
from gpuprobe.machine.installed_packages import packages
from gpuprobe.machine.services import runs
from gpuprobe.machine.surroundings import fields_of, text_of
from gpuprobe.model import Status

_MANAGER, _KEEPER = "nv-fabricmanager", "nvidia-persistenced"
_NOT_READY = (802, 919)
# What the kernel of a confidential guest says of its processor.
_CONFIDENTIAL = ("tdx_guest", "sev_snp", "sev_es", "sev")
_SLOW = 8.0  # seconds for `cuInit`: a card that is up answers in less than one


def fabric_not_configured(situation: Situation) -> Iterator[Finding]:
    """Cards that are joined by bridges wait until the fabric manager has set these up, in exactly the driver's version."""
    host, bridges = situation.host, signs.switches(situation.host)
    if signs.cuda_code(situation) not in _NOT_READY or not bridges:
        return
    version, running = signs.driver_version(host), runs(host, _MANAGER)
    other = _of_another_version(situation, version)
    if running is True and other is None:
        return  # it runs and fits: then it is something else, which its own log says
    because = (
        f"the fabric manager is {other} and the driver is {version}: it must be of exactly that version"
        if other
        else f"its {len(bridges)} NVSwitch bridges are not set up: the fabric manager does not run"
        if running is False
        else f"its {len(bridges)} NVSwitch bridges are not set up, which the fabric manager does"
    )
    yield cause(
        "nv-fabric-manager-down",
        Rung.KERNEL_DRIVER,
        because,
        "the fabric manager is not ready",
        Observed("PCI bus", f"{len(bridges)} NVSwitch bridges, the first {bridges[0]}"),
        Observed(_MANAGER, "does not run") if running is False else None,
        Observed("its package", other) if other else None,
        fix=(
            recipes.fabric_manager(situation, version),
            kernel_step(situation, "look at its state with", "systemctl status nvidia-fabricmanager"),
        ),
    )


def _of_another_version(situation: Situation, version: str | None) -> str | None:
    """The version of its package, where that is not the driver's."""
    found = packages(situation.host, re.compile(r"(?:cuda-drivers-|nvidia-)fabric-?manager.*"))
    known = next((package.version for package in found if package.version), None)
    return known if known is not None and version is not None and version not in known else None


def confidential_machine(situation: Situation) -> Iterator[Finding]:
    """In a confidential virtual machine a card computes when it has been attested, and the machine says that it may."""
    host, chip = situation.host, chip_of(situation.card)
    flags = fields_of(text_of(host, "/proc/cpuinfo")).get("flags", "").split()
    sign = next((each for each in _CONFIDENTIAL if each in flags), None)
    is_able = chip is None or chip.since is not None
    if signs.cuda_code(situation) != 802 or sign is None or signs.virtual_machine(host) is None or not is_able:
        return
    if signs.switches(host):
        return
    yield cause(
        "nv-conf-compute-not-ready",
        Rung.KERNEL_DRIVER,
        "this confidential virtual machine has not set the card ready after its attestation",
        "the card waits for its attestation",
        Observed("/proc/cpuinfo", sign),
        fix=(kernel_step(situation, "after the attestation set it ready with", "sudo nvidia-smi conf-compute -srs 1"),),
        settle="nvidia-smi conf-compute -grs",
    )


def slow_to_start(situation: Situation) -> Iterator[Finding]:
    """Without a client the driver puts the cards down, and each program's first call brings them up again."""
    listed = situation.listing(CUDA.name)
    if listed is None or runs(situation.host, _KEEPER) is not False or situation.container or not signs.is_bound(situation):
        return
    took = next((call.seconds for call in listed.calls if call.name == "cuInit"), None)
    if listed.status is not Status.TIMED_OUT and (took is None or took < _SLOW):
        return
    yield cause(
        "nv-slow-init",
        Rung.LIBRARY,
        f"CUDA took {took:.0f} s to start" if took is not None else "CUDA did not start in time",
        "CUDA starts slowly",
        Observed("cuInit", f"{took:.1f} s" if took is not None else "no answer in time"),
        Observed(_KEEPER, "does not run"),
        fix=(kernel_step(situation, "keep the cards up with", "sudo systemctl enable --now nvidia-persistenced"),),
        reason=Status.TIMED_OUT,
        severity=Severity.DEGRADED if situation.kept else Severity.BLOCKER,
        settle=look_at_the_log("nvrm"),
    )


CHECKS = (fabric_not_configured, confidential_machine, slow_to_start)
