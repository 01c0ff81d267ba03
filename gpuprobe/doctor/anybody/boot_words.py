"""Words on the kernel's command line that keep every driver, or the card's, from its card."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.system_changes import kernel_word
from gpuprobe.machine.boot_parameters import CMDLINE, has_word
from gpuprobe.vendors import NVIDIA

_WORD = "nomodeset"


def no_mode_setting(situation: Situation) -> Iterator[Finding]:
    """`nomodeset`: drivers of the kernel's graphics leave their cards alone. NVIDIA's own computes all the same."""
    card = situation.card
    concerned = card.kind == "pci" and card.driver is None and not NVIDIA.made(card.vendor_id)
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
        fix=(step._replace(where=Place.HOST) if situation.container else step,),
    )


CHECKS = (no_mode_setting,)
