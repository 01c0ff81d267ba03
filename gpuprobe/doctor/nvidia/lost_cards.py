"""Cards that no longer answer: off the bus, not woken, without power, their own processor stopped."""

from __future__ import annotations

import re
from collections.abc import Iterator

import gpuprobe.doctor.about_nvidia.told_faults as faults
from gpuprobe.doctor.about_nvidia import recipes, signs
from gpuprobe.doctor.about_nvidia.saying import cause, kernel_step, look_at_the_log, outside
from gpuprobe.doctor.about_nvidia.told_faults import COLD
from gpuprobe.doctor.findings import Finding, Observed, Rung, Step
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.strings import printable

_OFF_THE_BUS = re.compile("(?i)fallen off the bus")
_NO_POWER = re.compile("(?i)necessary power cables")
_NOT_WOKEN = re.compile(r"(?i)from D3cold to D0|D3cold, device inaccessible")
_INACCESSIBLE = re.compile(r"(?i)device inaccessible|Refused to change power state")
_LOST, _NEEDS_RESET, _NO_CABLE = 15, 16, 8  # nvmlReturn_t
_PROCESSOR_FAULTS = (119, 120)


def lost(situation: Situation) -> Iterator[Finding]:
    """Its link to the machine is gone: every call about it fails, and only switching its power off brings it back."""
    if situation.kept:
        return
    xids, logged, told = faults.xids(situation, 79), faults.logged(situation, _OFF_THE_BUS), faults.problem(situation, _LOST)
    if not xids and logged is None and told is None:
        return
    is_certain = bool(xids or logged) or (told is not None and told[1])
    yield cause(
        "nv-xid-79",
        Rung.HARDWARE,
        "the card has fallen off the bus",
        "the card has fallen off the bus",
        Observed("kernel log", printable(xids[0].line.message[:300])) if xids else logged,
        Observed("NVML", "NVML_ERROR_GPU_IS_LOST (15) of the card that it cannot name") if told else None,
        fix=(
            Step(f"power the machine off and on: {COLD}", needs_root=True, where=outside(situation)),
            Step(f"if it comes again, look at its power leads, heat and slot, and at `{look_at_the_log('xid|fallen off')}`"),
        ),
        reason=CardReason.CARD_FAILED,
        settle=None if is_certain else look_at_the_log("xid|fallen off"),
        library=None,
    )


def processor_stopped(situation: Situation) -> Iterator[Finding]:
    """The card's own processor for the driver (GSP) stopped answering."""
    xids, told = faults.xids(situation, *_PROCESSOR_FAULTS), faults.problem(situation, _NEEDS_RESET)
    if situation.kept or (not xids and told is None):
        return
    because = f"the card's own processor (GSP) stopped answering{'' if xids else ': NVML says that it needs a reset'}"
    yield cause(
        "nv-gsp-timeout",
        Rung.HARDWARE,
        because,
        "the card needs a reset",
        Observed("kernel log", printable(xids[0].line.message[:300])) if xids else None,
        Observed("NVML", "NVML_ERROR_RESET_REQUIRED (16)") if told else None,
        fix=faults.reset(situation),
        reason=CardReason.CARD_FAILED,
        settle=None if xids else look_at_the_log("xid"),
        library=None,
    )


def without_power(situation: Situation) -> Iterator[Finding]:
    logged, told = faults.logged(situation, _NO_POWER), faults.problem(situation, _NO_CABLE)
    if situation.kept or (logged is None and told is None):
        return
    yield cause(
        "nv-power-cable",
        Rung.HARDWARE,
        "a power lead of the card is not connected",
        "a power lead is missing",
        logged,
        Observed("NVML", "NVML_ERROR_INSUFFICIENT_POWER (8)") if told else None,
        fix=(Step("power the machine off, and connect every power lead of the card"),),
        reason=CardReason.CARD_FAILED,
        settle=None if logged or (told is not None and told[1]) else look_at_the_log("power cables"),
        library=None,
    )


def not_woken(situation: Situation) -> Iterator[Finding]:
    """A laptop's card was switched off to save power, and the firmware does not switch it on again."""
    logged, address = faults.logged(situation, _NOT_WOKEN), situation.card.pci_id
    state = signs.says(situation.host, f"/sys/bus/pci/devices/{address}/power/runtime_status")
    if situation.kept or address is None or (logged is None and state != "error"):
        return
    always = f"echo on | sudo tee /sys/bus/pci/devices/{address}/power/control"
    option = "nvidia NVreg_DynamicPowerManagement=0x00"
    yield cause(
        "pci-d3cold-stuck",
        Rung.HARDWARE,
        "the card was switched off to save power, and does not wake again",
        "the card does not wake",
        logged,
        Observed("runtime_status", state) if state else None,
        fix=(
            kernel_step(situation, "after a restart keep it on with", always, reboot="a card in this state wakes at a start"),
            recipes.module_option(situation, "and for good with", option, "nvidia-power"),
        ),
        reason=CardReason.CARD_FAILED,
        settle=None if logged else look_at_the_log("d3cold"),
        library=None,
    )


def does_not_answer(situation: Situation) -> Iterator[Finding]:
    logged = faults.logged(situation, _INACCESSIBLE)
    if situation.kept or logged is None or _NOT_WOKEN.search(logged.what):
        return
    yield cause(
        "pci-config-dead",
        Rung.HARDWARE,
        "the card no longer answers on the bus",
        "the card does not answer",
        logged,
        fix=(
            Step(f"power the machine off and on: {COLD}", needs_root=True, where=outside(situation)),
            Step("if it comes again, look at power, slot and riser, and try `pcie_aspm=off` on the kernel's command line"),
        ),
        reason=CardReason.CARD_FAILED,
        library=None,
    )


CHECKS = (
    lost,
    does_not_answer,
    without_power,
    not_woken,
    processor_stopped,
)
