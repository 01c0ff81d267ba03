"""Why none of the builds that Ollama has here computes on a card that works: its driver, or its JetPack."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.about_nvidia import recipes
from gpuprobe.doctor.about_nvidia.saying import cause
from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.situation import Situation
from gpuprobe.facts import FoundBuild
from gpuprobe.judging import architecture, build_fit, drivers
from gpuprobe.judging.build_choice import fit_of, is_ollamas
from gpuprobe.libraries import CUDA
from gpuprobe.machine.nvidia import jetpack
from gpuprobe.model import Device, Reason

_WHOLE = "install the whole of Ollama again: `curl -fsSL https://ollama.com/install.sh | sh`"
_FOR_JETPACK = {5: "cuda_jetpack5", 6: "cuda_jetpack6", 7: "cuda_v13"}


def _builds(situation: Situation) -> tuple[FoundBuild, ...]:
    return tuple(each for each in situation.host.builds if each.library == CUDA.name and is_ollamas(each))


def _view(situation: Situation) -> Device | None:
    """The card as CUDA lists it, with its capability and its driver."""
    views = (*situation.kept, *(drop.device for drop in situation.drops))
    return next((each for each in views if each.library == CUDA.name and each.compute_major is not None), None)


def _fit(situation: Situation, view: Device, build: FoundBuild) -> architecture.Fit:
    """By the build's own view of the card, where it has one."""
    views = (*situation.kept, *(drop.device for drop in situation.drops))
    own = next((each for each in views if each.build == build.name), None)
    return fit_of(own, situation.host) if own else build_fit.of_build(view, build.name, (), situation.host)


def driver_too_old(situation: Situation) -> Iterator[Finding]:
    """Ollama packs the code of its builds so that older drivers cannot read it. Which release a build is, nothing may tell."""
    view, builds = _view(situation), _builds(situation)
    fits = [_fit(situation, view, build) for build in builds] if view is not None else []
    if jetpack(situation.host) is not None:
        return  # a Jetson's driver comes with its system, and other builds are made for it
    is_certain = all(fit.answer is architecture.UNSUPPORTED for fit in fits)
    if view is None or not fits or any(fit.answer is not architecture.UNSUPPORTED and not fit.doubtful for fit in fits):
        return
    rows = [row for build in builds if (row := build_fit.row_of(build.folder, situation.host.platform)) is not None]
    packed = next((fit for row in rows if (fit := drivers.unreadable(view, row.toolkit)) is not None), None)
    if packed is None:
        return
    yield cause(
        "ollama-driver-floor",
        Rung.BUILD,
        f"Ollama's builds do not run here: {packed.because}",
        "the driver is too old for Ollama",
        Observed("driver", view.kernel_version or ""),
        Observed(builds[0].path, ", ".join(build.folder for build in builds)),
        fix=(recipes.newer(situation, None),),
        reason=Reason.NO_CODE,
        settle=None if is_certain else "ollama ps",
        severity=Severity.DEGRADED,
    )


def build_of_another_jetpack(situation: Situation) -> Iterator[Finding]:
    """A Jetson computes with the build that was made for its JetPack alone."""
    pack, builds = jetpack(situation.host), _builds(situation)
    wanted = _FOR_JETPACK.get(pack.version or 0) if pack is not None else None
    if pack is None or wanted is None or not builds or not situation.kept:
        return
    if any(build.folder == wanted for build in builds):
        return
    yield cause(
        "jetson-wrong-backend",
        Rung.BUILD,
        f"JetPack {pack.version} needs Ollama's build `{wanted}`, and it is not installed",
        f"`{wanted}` is not installed",
        Observed(pack.source, f"JetPack {pack.version}"),
        Observed(builds[0].path, ", ".join(build.folder for build in builds)),
        fix=(Step(f"{_WHOLE} on the Jetson itself, which then takes it"),),
        reason=Reason.NO_CODE,
        severity=Severity.DEGRADED,
    )


CHECKS = (driver_too_old, build_of_another_jetpack)
