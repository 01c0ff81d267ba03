"""Ollama's builds for AMD cards: an image without one, and a driver of Windows that is older than the build."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.situation import Situation
from gpuprobe.judging.build_choice import is_ollamas
from gpuprobe.libraries import ROCM
from gpuprobe.model import Reason, Status

_OLD, _NEW = "amdhip64_6.dll", "amdhip64_7.dll"


def image_without_rocm(situation: Situation) -> Iterator[Finding]:
    """The plain image has CUDA and Vulkan; what AMD's own library needs is in one of another tag."""
    mine = [build for build in situation.host.builds if is_ollamas(build)]
    asked = situation.listing(ROCM.name)
    without = asked is None or asked.status.not_there
    if situation.container is None or not mine or any(build.library == ROCM.name for build in mine) or not without:
        return
    names = ", ".join(build.name for build in mine)
    through = "" if not situation.kept else f"; it computes through {situation.kept[0].library}"
    yield cause(
        "ctr-wrong-image-variant",
        rung=Rung.BUILD,
        severity=Severity.INFO if situation.kept else Severity.BLOCKER,
        because=f"this image of Ollama's has no build for ROCm{through}",
        brief="the image has no build for ROCm",
        reason=Reason.NO_CODE,
        evidence=(Observed("builds of Ollama's", names),),
        fix=(Step("for ROCm, use the image `ollama/ollama:rocm`", where=Place.HOST),),
        library=ROCM,
    )


def driver_before_hip_7(situation: Situation) -> Iterator[Finding]:
    """Ollama's build for Windows loads HIP 7 by the name of its file."""
    names = {each.name for each in situation.host.libraries}
    if _OLD not in names or _NEW in names:
        return
    yield cause(
        "amd-windows-hip-too-old",
        rung=Rung.KERNEL_DRIVER,
        severity=Severity.DEGRADED if situation.kept else Severity.BLOCKER,
        because="the AMD driver of this Windows brings HIP 6, and Ollama's build for ROCm needs HIP 7",
        brief="the AMD driver brings HIP 6",
        reason=Status.NOT_LOADABLE,
        evidence=(Observed(_OLD, "found"), Observed(_NEW, "not found")),
        fix=(Step("install the newest driver of AMD's; cards that it has dropped compute through Vulkan"),),
        library=ROCM,
    )


CHECKS = (image_without_rocm, driver_before_hip_7)
