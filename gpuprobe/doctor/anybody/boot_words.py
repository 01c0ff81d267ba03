"""Words on the kernel's command line that keep every driver, or the card's, from its card."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.system_changes import kernel_word
from gpuprobe.machine.boot_parameters import CMDLINE, has_word
from gpuprobe.vendors import vendor_of

_WORD = "nomodeset"


def no_mode_setting(situation: Situation) -> Iterator[Finding]:
    """`nomodeset`: drivers of the kernel's graphics leave their cards alone. One that is not the kernel's (NVIDIA's) computes
    all the same."""
    card, maker = situation.card, vendor_of(situation.card.vendor_id)
    concerned = card.kind == "pci" and card.driver is None and maker is not None and maker.in_mesa
    if situation.kept or not concerned or not has_word(situation.host, _WORD):
        return
    step = kernel_word(situation.host, _WORD, add=False, why="the kernel reads its command line when it starts")
    yield cause(
        "nomodeset",
        rung=Rung.KERNEL_DRIVER,
        severity=Severity.BLOCKER,
        because=f"`{_WORD}` on the kernel's command line keeps graphics drivers from their cards",
        brief=f"`{_WORD}` keeps the driver away",
        reason=CardReason.NO_KERNEL_DRIVER,
        evidence=(Observed(CMDLINE, _WORD), Observed(f"/sys/bus/pci/devices/{card.pci_id}/driver", "absent")),
        fix=(step,),
    )


CHECKS = (no_mode_setting,)
