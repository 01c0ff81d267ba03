"""`i915`, `xe` and the card: a kernel that does not know the chip yet, and firmware that is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from gpuprobe.doctor import installing
from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.system_changes import kernel_word
from gpuprobe.facts.system_facts import LogLine
from gpuprobe.machine.boot_parameters import has_word
from gpuprobe.machine.distribution import distribution
from gpuprobe.machine.kernel_log import lines, lines_of
from gpuprobe.machine.kernel_modules import forbidden, is_loaded, is_on_disk, modules_for
from gpuprobe.vendors import INTEL

# i915_pci.c and xe_pci.c: "Your graphics device 7d55 is not properly supported by i915 in this kernel version. To force
# driver probe anyway, use i915.force_probe=7d55".
_FORCE = re.compile(r"graphics device ([0-9a-f]{4}) is not (?:officially|properly) supported by")
_FIRMWARE = re.compile(
    r"GuC firmware .{0,120}(?:fetch failed|failed to load)|Failed to (?:fetch|load) GuC|GuC (?:load|initialization) failed"
)

_driver = partial(cause, rung=Rung.KERNEL_DRIVER, severity=Severity.BLOCKER, reason=CardReason.NO_KERNEL_DRIVER)


def chip_unknown(situation: Situation) -> Iterator[Finding]:
    host, card = situation.host, situation.card
    if card.kind != "pci" or card.driver is not None or situation.kept or card.device_id is None:
        return
    told = next((line for line in lines(host, _FORCE) if _names(line, card.device_id)), None)
    claims = modules_for(host, card.pci_id or "")
    if told is None and (claims is None or claims or not _has_drivers(situation)):
        return
    where = "kernel log" if told else f"/lib/modules/{host.kernel}/modules.alias"
    probe = f"xe.force_probe={card.device_id:04x}"
    newer = Step(f"install a newer kernel ({_newer(situation)}) and reboot", needs_reboot="it is another kernel")
    force = kernel_word(host, probe, add=True, why="drivers are bound at the start")
    yield _driver(
        "intel-kernel-too-old",
        because=f"this kernel ({host.kernel}) is too old for the card: its drivers `xe` and `i915` do not take the chip",
        brief="the kernel is too old for it",
        evidence=(Observed(where, told.message if told else f"nothing for 8086:{card.device_id:04x}"),),
        fix=(newer, force._replace(text=f"to try it with this kernel, {force.text}")) if told else (newer,),
    )


def _names(line: LogLine, device: int) -> bool:
    found = _FORCE.search(line.message)
    return found is not None and found[1] == f"{device:04x}"


def not_loaded(situation: Situation) -> Iterator[Finding]:
    """A module that says that it is for the card is there, and not in memory."""
    host, card = situation.host, situation.card
    claims = modules_for(host, card.pci_id or "") if card.kind == "pci" and card.driver is None else None
    wanted = next((each for each in claims or () if each in INTEL.drivers), None)
    if wanted is None or situation.kept or is_loaded(host, wanted) is not False or has_word(host, "nomodeset"):
        return
    line = forbidden(host, wanted)
    because = f"`{wanted}`, the card's kernel driver, is not loaded"
    fix: tuple[Step, ...] = (run("load it with", f"sudo modprobe {wanted}"),)
    if line is not None:
        because = f"`{line.line}` in `{line.path}` forbids loading `{wanted}`, the card's kernel driver"
        again = installing.rebuilt_initramfs(host)
        fix = (Step(f"remove that line from `{line.path}`", needs_root=True), *((again,) if again else ()))
        fix = (*fix, installing.reboot("drivers are bound at the start"))
    yield _driver(
        "intel-driver-not-loaded",
        because=because,
        brief=f"`{wanted}` is not loaded",
        evidence=(Observed(f"/sys/module/{wanted}", "absent"), Observed("modules.alias", f"{wanted} is for this card")),
        fix=fix,
    )


def firmware_missing(situation: Situation) -> Iterator[Finding]:
    """The GuC schedules all that the card computes; without its firmware the card has nodes and does nothing."""
    card, host = situation.card, situation.host
    if situation.kept or card.driver not in INTEL.drivers:
        return
    told = next((line for line in lines_of(host, card.pci_id or "") if _FIRMWARE.search(line.message)), None)
    if told is None:
        return
    yield _driver(
        "intel-guc-firmware-missing",
        reason=CardReason.CARD_FAILED,
        because="its kernel driver could not load the card's GuC firmware, which schedules all work",
        brief="its GuC firmware is missing",
        evidence=(Observed("kernel log", told.message),),
        fix=installing.firmware(host, INTEL),
    )


def _has_drivers(situation: Situation) -> bool:
    return any(is_on_disk(situation.host, driver) for driver in INTEL.drivers)


def _newer(situation: Situation) -> str:
    here = distribution(situation.host)
    if here.is_or_like("ubuntu"):
        return f"`sudo apt install linux-generic-hwe-{here.version or '24.04'}`"
    return "an update of the distribution, or its newest release"


CHECKS = (chip_unknown, not_loaded, firmware_missing)
