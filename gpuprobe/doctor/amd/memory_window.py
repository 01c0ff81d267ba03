"""The window onto an AMD card's memory, for which the firmware found no addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.system_changes import kernel_word
from gpuprobe.machine.kernel_log import lines_of

_NO_SPACE = re.compile(r"BAR [0-9].{0,60}(?:no space for|failed to assign|can't assign)")
_GIVEN_UP = re.compile(r"Fatal error during GPU init|probe (?:of|with driver) .{0,60}failed with error")


def no_place(situation: Situation) -> Iterator[Finding]:
    """Many machines log that and then do with a smaller window: a cause only where the driver gave up the card."""
    card = situation.card
    told = lines_of(situation.host, card.pci_id or "") if card.driver is None and not situation.kept else ()
    line = next((each for each in told if _NO_SPACE.search(each.message)), None)
    if line is None or not any(_GIVEN_UP.search(each.message) for each in told):
        return
    yield cause(
        "pci-bar-no-space-amd",
        rung=Rung.HARDWARE,
        severity=Severity.BLOCKER,
        because="the firmware left no addresses for the window onto the card's memory, and `amdgpu` gave it up",
        brief="no addresses for its memory",
        reason=CardReason.CARD_FAILED,
        evidence=(Observed("kernel log", line.message),),
        fix=(
            Step("switch on Above 4G Decoding in the machine's firmware (BIOS setup), and bring that up to date"),
            kernel_word(situation.host, "pci=realloc", add=True, why="addresses are given out at the start"),
        ),
    )


CHECKS = (no_place,)
