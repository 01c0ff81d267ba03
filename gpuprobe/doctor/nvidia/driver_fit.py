"""Whether the branch and the flavour of NVIDIA's driver serve the chip of the card: look-ups by device id and version line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.about_nvidia import recipes, signs
from gpuprobe.doctor.about_nvidia.generations import branch_of, chip_of, is_dropped, is_unborn
from gpuprobe.doctor.about_nvidia.saying import cause
from gpuprobe.doctor.findings import Finding, Observed, Rung, Step
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.knowledge import Chip
from gpuprobe.machine import kernel_log
from gpuprobe.machine.nvidia import module_version
from gpuprobe.machine.surroundings import text_of
from gpuprobe.strings import printable

# nvidia.ko of 595 and of 580, osapi.c and nv-frontend.
_LEGACY = re.compile(r"supported through the NVIDIA ([0-9]{3})\.xx Legacy drivers")
_NEEDS_OPEN = re.compile(r"requires use of the NVIDIA open kernel modules")
_NO_PROCESSOR = re.compile(r"does not include the required GPU System Processor|not supported by open nvidia\.ko")
_TOO_OLD = re.compile(r"is not supported by the NVIDIA [0-9.]{3,20} driver release")


def misfit(situation: Situation) -> Finding | None:
    """The first of these causes that the card has."""
    return next((found for check in CHECKS for found in check(situation)), None)


def _is_started(situation: Situation) -> bool:
    """What NVML or CUDA shows was started by the driver, whatever a row says."""
    return bool(situation.kept or situation.drops or signs.nvml_views(situation))


def _is_candidate(situation: Situation) -> bool:
    return signs.is_on_the_bus(situation) and not _is_started(situation) and not signs.is_reserved(situation)


def _version(situation: Situation) -> str | None:
    """Of the driver that the kernel has or would load: a container's libraries say nothing of that."""
    return module_version(situation.host) if situation.container else signs.driver_version(situation.host)


def _said(situation: Situation, pattern: re.Pattern[str]) -> Observed | None:
    """The kernel's own words about this card; of one card alone they need not name it."""
    host, address = situation.host, situation.card.pci_id or ""
    named = kernel_log.lines_of(host, address) if address else ()
    only = len(signs.own_cards(situation)) == 1
    lines = kernel_log.lines(host, pattern)
    found = next((line for line in lines if only or line in named), None)
    return Observed("kernel log", printable(found.message[:300])) if found else None


def _rows(situation: Situation) -> tuple[Observed, ...]:
    return (
        Observed(f"/sys/bus/pci/devices/{situation.card.pci_id}/device", f"{situation.card.device_id or 0:#06x}"),
        Observed(signs.VERSION, text_of(situation.host, signs.VERSION).splitlines()[0])
        if text_of(situation.host, signs.VERSION)
        else Observed("NVIDIA's driver", _version(situation) or "unknown"),
    )


def branch_dropped_the_card(situation: Situation) -> Iterator[Finding]:
    """590 and newer are without Maxwell, Pascal and Volta, as earlier ones were left by Kepler and Fermi."""
    version, chip = _version(situation), chip_of(situation.card)
    logged = _said(situation, _LEGACY)
    last = _last_branch(chip, version, logged)
    if last is None or not _is_candidate(situation):
        return
    kind = f"{chip.architecture} cards" if chip is not None else "this card"
    yield cause(
        "nv-legacy-branch-required",
        Rung.KERNEL_DRIVER,
        f"the installed driver {version or ''} no longer serves {kind}: {last} is the last branch that does".replace("  ", " "),
        f"driver {version} dropped this card" if version else "the driver dropped this card",
        logged,
        *_rows(situation),
        fix=(recipes.of_branch(situation, last), *_beyond_help(last)),
        reason=CardReason.DRIVER_FAULT,
    )


def _last_branch(chip: Chip | None, version: str | None, logged: Observed | None) -> int | None:
    """That serves the card, where the installed one does not: by its row, else by the kernel's words."""
    said = _LEGACY.search(logged.what) if logged else None
    if chip is not None and chip.until and (said or is_dropped(chip, branch_of(version))):
        return chip.until
    return int(said[1]) if said else None


def _beyond_help(branch: int) -> Iterator[Step]:
    if branch < 580:
        yield Step(f"the branch {branch} is too old for the CUDA of today's programs: use Vulkan or the CPU")


def open_module_on_an_old_chip(situation: Situation) -> Iterator[Finding]:
    """The open module needs the card's own processor for it (GSP), which chips have since Turing."""
    host, chip = situation.host, chip_of(situation.card)
    logged = _said(situation, _NO_PROCESSOR)
    by_row = chip is not None and chip.module == "closed" and signs.is_open_module(host) is True
    if not _is_candidate(situation) or not (by_row or logged):
        return
    branch = branch_of(_version(situation))
    last = chip.until if chip is not None and chip.until else 580
    kind = f"{chip.architecture} cards" if chip is not None else "this card"
    yield cause(
        "nv-open-module-pre-turing",
        Rung.KERNEL_DRIVER,
        f"the open kernel module is loaded, and it does not drive {kind}, which need the closed one",
        "this card needs the closed module",
        logged,
        *_rows(situation),
        fix=(recipes.closed_module(situation, min(branch or last, last)),),
        reason=CardReason.DRIVER_FAULT,
    )


def closed_module_on_a_new_chip(situation: Situation) -> Iterator[Finding]:
    host, chip = situation.host, chip_of(situation.card)
    logged = _said(situation, _NEEDS_OPEN)
    by_row = chip is not None and chip.module == "open" and signs.is_open_module(host) is False
    if not _is_candidate(situation) or not (by_row or logged):
        return
    kind = f"{chip.architecture} cards" if chip is not None else "this card"
    yield cause(
        "nv-needs-open-module",
        Rung.KERNEL_DRIVER,
        f"the closed kernel module is loaded, and {kind} need the open one",
        "this card needs the open module",
        logged,
        *_rows(situation),
        fix=(recipes.open_module(situation, _version(situation)),),
        reason=CardReason.DRIVER_FAULT,
    )


def driver_older_than_the_card(situation: Situation) -> Iterator[Finding]:
    version, chip = _version(situation), chip_of(situation.card)
    logged = _said(situation, _TOO_OLD)
    if not _is_candidate(situation) or not (is_unborn(chip, branch_of(version)) or logged):
        return
    since = f": {chip.since} is the first branch that does" if chip is not None and chip.since else ""
    yield cause(
        "nv-driver-too-old-for-gpu",
        Rung.KERNEL_DRIVER,
        f"the installed driver {version or ''} does not know this card{since}".replace("  ", " "),
        f"driver {version} is older than the card" if version else "the driver is older than the card",
        logged,
        *_rows(situation),
        fix=(recipes.newer(situation, chip),),
        reason=CardReason.DRIVER_FAULT,
    )


CHECKS = (
    branch_dropped_the_card,
    driver_older_than_the_card,
    open_module_on_an_old_chip,
    closed_module_on_a_new_chip,
)
