"""Ollama and llama.cpp as they are installed here: no build for this card, CPU backends alone, a build that does not start."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe import knowledge
from gpuprobe.doctor.findings import Certainty, Finding, Observed, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.facts import CPU_ONLY, Host
from gpuprobe.judging.build_choice import chosen_by_name, is_for_ollama, is_named
from gpuprobe.judging.programs_without_build import Lack, lacks, served_by_nothing
from gpuprobe.judging.verdicts import describe
from gpuprobe.libraries import library_named
from gpuprobe.machine.installed_packages import package
from gpuprobe.model import SYSTEM, Inventory, Purpose, Reason, Status

_OLLAMA = "Ollama"
_NEWEST = "cuda_v13"
_PYTHON = "/site-packages/llama_cpp/"
_REINSTALL = "curl -fsSL https://ollama.com/install.sh | sh"


def no_build_for_the_card(inventory: Inventory) -> Iterator[Finding]:
    """A blocker where nothing that is installed computes on the card: that is what a person came for."""
    if not inventory.kept:
        return
    for lack in lacks(inventory):
        alone = all(served_by_nothing(device, inventory) for device in lack.devices)
        devices = ", ".join(f"{device.library}:{device.ordinal}" for device in lack.devices)
        has = f"it has {', '.join(lack.builds)}" if lack.builds else CPU_ONLY
        yield cause(
            _id(lack, inventory.evidence.host.platform),
            rung=Rung.BUILD,
            severity=Severity.BLOCKER if alone else Severity.DEGRADED,
            because=_sentence(lack, devices),
            brief=f"{lack.program} has no build for it",
            reason=Reason.NO_CODE,
            evidence=(Observed(lack.folder, has),),
            fix=(_cure(lack, inventory.evidence.host),),
        )


def _id(lack: Lack, platform: str) -> str:
    if lack.program != _OLLAMA:
        return "llamacpp-no-gpu-backend" if lack.brings_none else "cc-not-in-build"
    if lack.brings_none:
        return "ollama-backend-missing"
    return "needs-cuda-v13-backend" if _has_code_in(_NEWEST, lack, platform) else "cc-not-in-build"


def _has_code_in(name: str, lack: Lack, platform: str) -> bool:
    """Whether that build, which is not installed, was compiled for these very chips."""
    rows = (row for row in knowledge.builds() if (row.name, row.platform) == (name, platform))
    made_for = {code.partition("-")[0].rstrip("af") for row in rows for code in row.architectures}
    chips = {f"{device.compute_major}{device.compute_minor}" for device in lack.devices}
    return name not in lack.builds and chips <= made_for


def _sentence(lack: Lack, devices: str) -> str:
    what = f"no build for {devices}" if lack.brings_none else f"no build with code for {devices}"
    held = f"{lack.program} in `{lack.folder}` has {what if lack.builds else 'CPU backends only'}"
    return f"{held}, and will compute on the CPU"


def _cure(lack: Lack, host: Host) -> Step:
    library = library_named(lack.devices[0].library)
    if lack.program == _OLLAMA:
        owned = package(host, "ollama")
        if lack.brings_none and owned is not None and owned.source == "pacman":
            # Arch splits it: each of these is beside `ollama`, for one library.
            return run("install the package with the build for this GPU:", f"sudo pacman -S ollama-{library.name.lower()}")
        whole = "install the whole of Ollama again: its package for the GPU (Arch: `ollama-cuda`, `ollama-rocm`), or"
        return Step(f"{whole} `{_REINSTALL}`", _REINSTALL)
    if _PYTHON in lack.folder and library.ggml is not None:
        build = f'CMAKE_ARGS="-DGGML_{library.ggml.upper()}=on" pip install --force-reinstall --no-cache-dir llama-cpp-python'
        return run("in its environment build llama-cpp-python for this GPU (it needs the compiler):", build)
    return Step("install a llama.cpp that was built for this GPU (CUDA, ROCm or Vulkan)")


def chosen_away(inventory: Inventory) -> Iterator[Finding]:
    """`OLLAMA_LLM_LIBRARY` leaves one build, and the card works in another alone."""
    host = inventory.evidence.host
    chosen = chosen_by_name(host)
    others = [build for build in host.builds if is_for_ollama(build) and chosen is not None and not is_named(build, chosen)]
    used = {device.build for device in inventory.kept}
    if others and not used - {SYSTEM}:
        names = ", ".join(build.name for build in others)
        yield cause(
            "env-ollama-llm-library",
            rung=Rung.BUILD,
            severity=Severity.DEGRADED,
            because=f"`OLLAMA_LLM_LIBRARY={chosen}` keeps Ollama from its other builds ({names})",
            brief="`OLLAMA_LLM_LIBRARY` leaves builds out",
            reason=Reason.HIDDEN_BY_VARIABLE,
            evidence=(Observed("OLLAMA_LLM_LIBRARY", chosen or ""),),
            fix=(Step("unset it: `unset OLLAMA_LLM_LIBRARY`", "unset OLLAMA_LLM_LIBRARY"),),
        )


def only_vulkan_and_that_is_off(inventory: Inventory) -> Iterator[Finding]:
    """The card is used through a library that Ollama is told not to use."""
    off = inventory.evidence.host.environ.get("OLLAMA_VULKAN", "").strip().casefold() in ("0", "false", "off")
    through = {device.library for device in inventory.kept}
    if off and through and not any(library_named(name).vendors for name in through):
        yield cause(
            "env-ollama-vulkan-off",
            rung=Rung.BUILD,
            severity=Severity.DEGRADED,
            because="`OLLAMA_VULKAN` switches off the only way in which Ollama could use this GPU",
            brief="`OLLAMA_VULKAN` is off",
            reason=Reason.HIDDEN_BY_VARIABLE,
            evidence=(Observed("OLLAMA_VULKAN", inventory.evidence.host.environ["OLLAMA_VULKAN"]),),
            fix=(Step("unset it where Ollama is started: `unset OLLAMA_VULKAN`", "unset OLLAMA_VULKAN"),),
        )


def builds_that_do_not_start(inventory: Inventory) -> Iterator[Finding]:
    """The loader refuses a build, as where files of two releases are mixed; or it crashes while it lists."""
    for outcome in inventory.evidence.outcomes:
        asked = outcome.probe.build != SYSTEM and outcome.probe.purpose is Purpose.LIST and outcome.seconds is not None
        if not asked or not (outcome.status.failed or outcome.status is Status.CRASHED):
            continue
        mixed = outcome.status.failed
        yield Finding(
            id="ollama-mixed-install" if mixed else "ollama-runner-crashed",
            rung=Rung.BUILD,
            severity=Severity.DEGRADED,
            certainty=Certainty.LIKELY if mixed else Certainty.CERTAIN,
            because=f"the build `{outcome.probe.build}` {'does not start' if mixed else 'crashes'}: {describe(outcome)}",
            brief=f"`{outcome.probe.build}` does not start",
            reason=outcome.status,
            library=outcome.probe.library,
            build=outcome.probe.build,
            evidence=(Observed(outcome.library_path or outcome.probe.build, describe(outcome)),),
            fix=(Step("install that program again, so that all its files are of one release"),),
            settle=f"gpuprobe list --all --library {outcome.probe.library.lower().replace(' ', '-')}",
        )


CHECKS = (no_build_for_the_card, chosen_away, only_vulkan_and_that_is_off, builds_that_do_not_start)
