"""How much memory an integrated AMD GPU may use: what the firmware set aside for it, and what the kernel lets it share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from gpuprobe import machine
from gpuprobe.doctor.amd.architectures import chip_of
from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.system_changes import kernel_word
from gpuprobe.libraries import ROCM
from gpuprobe.machine.asked import number
from gpuprobe.machine.boot_parameters import value_of
from gpuprobe.model import Device, DeviceType, GiB, Reason
from gpuprobe.strings import size_text

_PAGE = 4096
_LIMIT = "/sys/module/ttm/parameters/pages_limit"
_NO_PARAMETER = "amdgpu.gtt_size"  # the parameter is `amdgpu.gttsize`
# ROCm/legacy-rocm-build#5444: HIP shares half of what is *not* set aside, until this Linux.
_MENDED = (6, 16, 9)

_note = partial(cause, rung=Rung.CONTEXT, reason=Reason.TOO_LITTLE_MEMORY, library=ROCM)


def carve_out_not_seen(situation: Situation) -> Iterator[Finding]:
    view, chip = _view(situation), chip_of(situation)
    if view is None or view.total_memory is None or chip is None or chip.whole_vram is None:
        return
    kernel = _version(situation.host.kernel)
    if chip.whole_vram < 2 * view.total_memory or chip.whole_vram < 4 * GiB or kernel is None or kernel >= _MENDED:
        return
    aside, seen = size_text(chip.whole_vram), size_text(view.total_memory)
    release = situation.host.kernel.partition("-")[0]
    yield _note(
        "apu-carve-out-not-seen",
        severity=Severity.DEGRADED,
        because=f"the kernel driver has {aside} set aside for this card and ROCm sees {seen}; "
        f"Linux before 6.16.9 does that (here {release})",
        brief=f"ROCm sees {seen} of {aside}",
        evidence=(Observed("mem_info_vram_total", str(chip.whole_vram)), Observed("HIP", str(view.total_memory))),
        fix=(
            Step("update to Linux 6.16.9 or newer and reboot", needs_reboot="the kernel shares the memory"),
            Step("or set less memory aside in the firmware: what is shared grows by it"),
        ),
    )


def shared_part_limited(situation: Situation) -> Iterator[Finding]:
    """The kernel lends a card half of the memory, and more only where its module `ttm` is told to."""
    view, chip, total = _view(situation), chip_of(situation), machine.memory(situation.host).total
    if view is None or view.total_memory is None or chip is None or chip.gtt is None or total is None:
        return
    if view.total_memory > 0.7 * total or chip.gtt.total > 0.7 * total:
        return
    ignored = value_of(situation.host, _NO_PARAMETER)
    pages, wanted = number(situation.host, _LIMIT), total * 3 // 4 // _PAGE
    now = str(pages) if pages else "not set: half of the memory"
    why = f"`{_NO_PARAMETER}` is not a parameter and is ignored; " if ignored is not None else ""
    limit = kernel_word(situation.host, f"ttm.pages_limit={wanted}", add=True, why="the limit is read at the start")
    yield _note(
        "apu-gtt-limit" if ignored is not None else "apu-memory-carveout-small",
        severity=Severity.DEGRADED if ignored is not None else Severity.INFO,
        because=f"{why}the kernel lends it {size_text(chip.gtt.total)} of the machine's {size_text(total)}",
        brief=f"it may use {size_text(chip.gtt.total)}",
        evidence=(Observed("mem_info_gtt_total", str(chip.gtt.total)), Observed(_LIMIT, now)),
        fix=(limit,),
    )


def _view(situation: Situation) -> Device | None:
    """Of integrated graphics alone; partitions of a card have other limits."""
    chip = chip_of(situation)
    views = (each for each in situation.kept if each.library == ROCM.name and each.partition is None)
    found = next(iter(views), None)
    integrated = found is not None and DeviceType.INTEGRATED in (found.type, chip.type if chip else None)
    return found if integrated else None


def _version(kernel: str) -> tuple[int, ...] | None:
    found = re.match(r"([0-9]{1,3})\.([0-9]{1,4})(?:\.([0-9]{1,5}))?", kernel)
    return tuple(int(part or 0) for part in found.groups()) if found else None


CHECKS = (carve_out_not_seen, shared_part_limited)
