"""A card that `vfio-pci` keeps for a virtual machine, and what told it to."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor import installing
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.machine import kernel_modules
from gpuprobe.machine.boot_parameters import CMDLINE, values_of
from gpuprobe.strings import printable

_HOLDER = "vfio-pci"


def held(situation: Situation) -> Iterator[Finding]:
    card = situation.card
    if _HOLDER not in (card.driver, card.driver_override) or situation.host.platform != "linux":
        return
    told = _told_by(situation)
    place = _place(told)
    where = Place.HERE if situation.container is None else Place.HOST
    again = installing.rebuilt_initramfs(situation.host) if situation.container is None else None
    yield cause(
        "bound-to-vfio",
        rung=Rung.KERNEL_DRIVER,
        severity=Severity.BLOCKER,
        because=f"`{_HOLDER}` holds it for a virtual machine",
        brief="held for a virtual machine",
        reason=CardReason.RESERVED_FOR_A_VM,
        evidence=(Observed(f"/sys/bus/pci/devices/{card.pci_id}/driver", card.driver or _HOLDER), *([told] if told else [])),
        fix=(
            Step(f"use it inside that virtual machine, or take it out of {place}", needs_root=True, where=where),
            *([again] if again else []),
            Step("reboot", needs_root=True, needs_reboot="the card's own driver takes it at a start", where=where),
        ),
    )


def _place(told: Observed | None) -> str:
    """`/proc/cmdline` only shows what the boot loader has."""
    if told is None:
        return "the vfio configuration (`/etc/modprobe.d`, the kernel's command line)"
    return "the boot loader's settings" if told.where == CMDLINE else f"`{told.where}`"


def _told_by(situation: Situation) -> Observed | None:
    """The line that names the card's ids to vfio: an option of the module, or a word of the command line."""
    card, host = situation.card, situation.host
    ids = f"{card.vendor_id or 0:04x}:{card.device_id or 0:04x}"
    for each in kernel_modules.directives(host):
        if each.module == "vfio_pci" and ids in each.rest.casefold():
            return Observed(each.path, printable(each.line))
    words = values_of(host, "vfio_pci.") | values_of(host, "vfio-pci.")
    return next((Observed(CMDLINE, f"ids={printable(value)}") for value in words.values() if ids in value.casefold()), None)


CHECKS = (held,)
