"""Whether ROCm's own libraries and builds have code for the chip, and what an override makes of that."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from gpuprobe import knowledge
from gpuprobe.doctor import installing
from gpuprobe.doctor.findings import Finding, Observed, Rung, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.ways import answers, is_lost, weight
from gpuprobe.facts import FoundSoftware
from gpuprobe.judging.architecture import NATIVE, UNSUPPORTED, of_gfx
from gpuprobe.judging.build_fit import BUILD
from gpuprobe.judging.verdicts import outcomes_of, telling
from gpuprobe.libraries import ROCM, VULKAN
from gpuprobe.machine.amd import AmdCard, amd_cards
from gpuprobe.model import SYSTEM, Device, DeviceType, Outcome, Reason
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import gfx_of_override
from gpuprobe.vendors import AMD

_FAILED = (Reason.FAILED_VALIDATION, Reason.NOT_DECIDED, Reason.NO_CODE)
_NO_BINARY = (98, 209)  # what HIP answers where a program has no code for the card
_BLAS = ROCM.blas or ""

_context = partial(cause, rung=Rung.CONTEXT, reason=Reason.NO_CODE, library=ROCM)


class Lacking(NamedTuple):
    """A library of kernels without code for the chip."""

    software: FoundSoftware
    chip: str


def chip_of(situation: Situation) -> AmdCard | None:
    """The card, or the first of its partitions, as KFD knows it."""
    return next((each for each in amd_cards(situation.host) if each.pci_id == situation.card.pci_id), None)


def blas_has_no_kernels(situation: Situation) -> Iterator[Finding]:
    """rocBLAS ends its process where it has no kernels for the chip. Its files' names tell before it is asked."""
    severity = weight(situation, ROCM)
    if severity is None:
        return
    for view in _failed_views(situation):
        lacking = _lacking(situation, view)
        if lacking is None:
            continue
        software, chip = lacking
        has = " ".join(software.architectures)
        named = f"{software.name} of ROCm {software.release}" if software.release else software.name
        yield _context(
            "rocblas-no-kernels",
            severity=severity,
            because=f"{named} in `{_home(software)}` has no code for {chip}",
            brief=f"{_BLAS} has no code for {chip}",
            evidence=(Observed(software.path, has), *_kfd(situation)),
            fix=tuple(_other_ways(situation, chip, software)),
            build=None if view.build == SYSTEM else view.build,
        )
        return


def _home(software: FoundSoftware) -> str:
    return software.path.partition("/lib/")[0] if software.where != BUILD else software.path


def _lacking(situation: Situation, view: Device) -> Lacking | None:
    """Where all that the view may use lack it; None also where nothing was found or one of them is not understood."""
    chip = str(view.capabilities.get("gcn_arch_name") or view.gfx_target or "")
    mine = [each for each in situation.host.software or () if each.name == _BLAS and _is_used_by(each, view, situation)]
    if not mine or any(of_gfx(chip, each.architectures).answer is not UNSUPPORTED for each in mine):
        return None
    return Lacking(mine[0], chip.partition(":")[0])


def _is_used_by(software: FoundSoftware, view: Device, situation: Situation) -> bool:
    build = situation.host.build_named(view.build)
    if build is None:
        return software.where != BUILD and software.site is None
    folder = build.path.rpartition("/")[0]
    return software.path.startswith(f"{folder}/")


def _failed_views(situation: Situation) -> Iterator[Device]:
    yield from (drop.device for drop in situation.drops if drop.device.library == ROCM.name and drop.reason in _FAILED)


def _kfd(situation: Situation) -> tuple[Observed, ...]:
    chip = chip_of(situation)
    return (Observed(f"KFD's node {chip.node}", chip.gfx.name),) if chip is not None and chip.gfx is not None else ()


def _other_ways(situation: Situation, chip: str, software: FoundSoftware) -> Iterator[Step]:
    """The override that is known to work, the release that had the kernels, and Vulkan, which needs none."""
    row = next((each for each in knowledge.targets() if each.gfx == chip), None)
    taken = gfx_of_override(row.override) if row and row.override else None
    if row and taken and of_gfx(taken.name, software.architectures).answer is NATIVE:
        caution = f" ({row.caution})" if row.caution else ""
        yield run(f"let ROCm take it for {taken.name}{caution}:", f"export HSA_OVERRIDE_GFX_VERSION={row.override}")
    if row and row.rocblas_until:
        yield Step(f"use ROCm {row.rocblas_until}, the last with code for {chip}")
    if any(view.library == VULKAN.name for view in situation.kept):
        yield Step("or go on with Vulkan, through which it works already")
    else:
        step = installing.vulkan_driver(situation.host, AMD)
        yield step._replace(text=f"or use Vulkan: {step.text}")


def build_has_no_code(situation: Situation) -> Iterator[Finding]:
    """HIP's own number for it, or the architectures that a build of an inference program names."""
    severity = weight(situation, ROCM)
    if severity is None:
        return
    for drop in situation.drops:
        if drop.device.library != ROCM.name:
            continue
        spoken = outcomes_of(drop.device, situation.outcomes)
        code = telling(spoken).code if spoken else None
        if drop.reason is not Reason.NO_CODE and code not in _NO_BINARY:
            continue
        build = None if drop.device.build == SYSTEM else drop.device.build
        chip = str(drop.device.gfx_target or "this chip").partition(":")[0]
        yield _context(
            "gfx-not-in-rocm-build",
            severity=severity,
            because=drop.because if drop.reason is Reason.NO_CODE else f"what ROCm was to run has no code for {chip}",
            brief=f"no code for {chip}",
            evidence=(*_kfd(situation), Observed("HIP", f"error {code}")) if code else _kfd(situation),
            fix=tuple(_without_code(situation)),
            build=build,
        )
        return


def _without_code(situation: Situation) -> Iterator[Step]:
    if any(view.library == VULKAN.name for view in situation.kept):
        yield Step("go on with Vulkan, through which it works already")
    else:
        step = installing.vulkan_driver(situation.host, AMD)
        yield step._replace(text=f"use Vulkan: {step.text}")


def dropped_by_rocm(situation: Situation) -> Iterator[Finding]:
    """KFD has the chip and may be opened, ROCm lists nothing: releases since 6 leave the eighth generation out."""
    chip, severity = chip_of(situation), weight(situation, ROCM)
    old = chip is not None and chip.gfx is not None and chip.gfx.major == 8
    quiet = all(each.status.answered for each in answers(situation, ROCM))
    if severity is None or not old or not is_lost(situation, ROCM) or not quiet or chip is None or chip.gfx is None:
        return
    yield _context(
        "gfx-not-in-rocm-build",
        severity=severity,
        rung=Rung.LIBRARY,
        because=f"this release of ROCm has left out its chip, {chip.gfx.name}, which KFD still shows",
        brief=f"this ROCm has no {chip.gfx.name}",
        evidence=_kfd(situation),
        fix=tuple(_without_code(situation)),
        settle="rocminfo",
    )


def integrated_breaks_it(situation: Situation) -> Iterator[Finding]:
    """ROCm crashes where the graphics inside the processor are enumerated too, for which it has no code."""
    mine, severity = chip_of(situation), weight(situation, ROCM)
    crashed = [each for each in _of_rocm(situation) if each.status.lost and not each.status.overdue]
    beside = [each for each in amd_cards(situation.host) if each.node and each.type is DeviceType.INTEGRATED]
    chosen = [name for name in ROCM.filters if name in situation.host.environ]
    if severity is None or mine is None or not crashed or chosen or mine.type is not DeviceType.DISCRETE or not beside:
        return
    if any(_lacking(situation, view) for view in _failed_views(situation)):
        return
    wanted = f"GPU-{mine.unique_id}" if mine.unique_id else "0"
    inside = beside[0].gfx.name if beside[0].gfx else "graphics"
    command = f"export ROCR_VISIBLE_DEVICES={wanted}"
    yield _context(
        "amd-igpu-poisons-rocm",
        severity=severity,
        rung=Rung.LIBRARY,
        reason=crashed[0].status,
        because=f"ROCm crashes, most often over the graphics inside the processor ({inside}), which it lists beside this card",
        brief="ROCm crashes beside the integrated GPU",
        evidence=(Observed(f"KFD's node {beside[0].node}", inside), Observed("ROCm", f"signal {crashed[0].signal}")),
        fix=(run("show ROCm this card alone:", command),),
        settle=f"ROCR_VISIBLE_DEVICES={wanted} gpuprobe list --library rocm",
    )


def _of_rocm(situation: Situation) -> Iterator[Outcome]:
    yield from (each for each in situation.of_library(ROCM.name))


CHECKS = (dropped_by_rocm, integrated_breaks_it, blas_has_no_kernels, build_has_no_code)
