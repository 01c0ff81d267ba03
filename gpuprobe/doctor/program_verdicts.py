"""Whether one program, as it is installed here, computes on a GPU of this machine: what `--for` answers first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gpuprobe.facts import FoundSoftware
from gpuprobe.judging import compatibility
from gpuprobe.judging.architecture import UNKNOWN, UNSUPPORTED
from gpuprobe.judging.programs_without_build import Lack, lacks, sentence
from gpuprobe.model import SYSTEM, Device, Inventory
from gpuprobe.record_classes import NamedTuple

# What people call the two programs whose builds are asked → how the builds name them.
_OF_BUILDS = {"ollama": "ollama", "llama.cpp": "llama.cpp", "llama-server": "llama.cpp", "llamacpp": "llama.cpp"}
_TITLES = {"ollama": "Ollama", "llama.cpp": "llama.cpp"}
_CALLED = {"pytorch": "torch", "onnxruntime": "onnx runtime", "vllm": "vllm"}


class ProgramVerdict(NamedTuple):
    """`computes` None: it was not found, or cannot be told."""

    program: str
    computes: bool | None
    sentence: str
    because: tuple[str, ...] = ()


def verdict_for(program: str, inventory: Inventory) -> ProgramVerdict:
    called = program.strip().casefold()
    if called in _OF_BUILDS:
        return _of_builds(_OF_BUILDS[called], inventory)
    return _of_framework(program.strip(), _CALLED.get(called, called), inventory)


def _of_builds(product: str, inventory: Inventory) -> ProgramVerdict:
    title, host = _TITLES[product], inventory.evidence.host
    mine = [build for build in host.builds if build.product == product or build.where == title]
    lacking = [each for each in lacks(inventory) if each.program == title]
    if not mine and not lacking:
        looked = "it is in none of the usual places; `--lib-dir DIR` names another"
        inside = f"where {title} runs in a container, run gpuprobe in that container"
        return ProgramVerdict(title, None, f"{title} was not found here", (looked, inside))
    names = {build.name for build in mine}
    through = [device for device in inventory.kept if device.build in names]
    if through:
        used = ", ".join(f"{device.library}:{device.ordinal} through its build `{device.build}`" for device in through)
        return ProgramVerdict(title, True, f"{title} computes on {used}", tuple(_but(lacking)))
    if not inventory.kept:
        return ProgramVerdict(title, False, f"{title} computes on the CPU here: no GPU is usable")
    if lacking:
        return ProgramVerdict(title, False, f"{title} computes on the CPU here", tuple(_but(lacking)))
    system = all(device.build == SYSTEM for device in inventory.kept)
    why = "its builds were not asked, or failed; `gpuprobe list --all` shows how far each got" if system else ""
    return ProgramVerdict(title, None, f"whether {title} computes on a GPU here could not be told", (why,) if why else ())


def _but(lacking: Iterable[Lack]) -> Iterable[str]:
    return (sentence(each) for each in lacking)


def _of_framework(given: str, called: str, inventory: Inventory) -> ProgramVerdict:
    found = [each for each in inventory.evidence.host.software or () if each.name.casefold() == called]
    if not found:
        looked = "no environment of Python that was looked through has it; `--software DIR` names another"
        others = "of other programs, only `ollama` and `llama.cpp` are known here"
        return ProgramVerdict(given, None, f"{given} was not found here", (looked, others))
    title = _titled(found)
    if not inventory.kept:
        return ProgramVerdict(title, False, f"{title} computes on the CPU here: no GPU is usable")
    runs, reasons, unknown = _judged(found, inventory)
    if runs:
        return ProgramVerdict(title, True, f"{title} has code for {', '.join(runs)}", tuple(reasons))
    if unknown:
        return ProgramVerdict(title, None, f"whether {title} runs on a GPU here could not be told", tuple(unknown))
    return ProgramVerdict(title, False, f"{title} computes on the CPU here", tuple(reasons) or _for_others(found))


def _judged(found: Sequence[FoundSoftware], inventory: Inventory) -> tuple[list[str], list[str], list[str]]:
    """Devices that it has code for; why not for the others; why it cannot be told."""
    runs, reasons, unknown = [], [], []
    for device in inventory.kept:
        for each in compatibility.of_device(device, inventory.evidence) or ():
            if each.software in found:
                because = f"{_numbered(device)}: {each.fit.because}"
                if each.fit.answer is UNSUPPORTED:
                    reasons.append(because)
                elif each.fit.answer is UNKNOWN:
                    unknown.append(because)
                else:
                    runs.append(_numbered(device))
    return list(dict.fromkeys(runs)), list(dict.fromkeys(reasons)), list(dict.fromkeys(unknown))


def _numbered(device: Device) -> str:
    return f"{device.library}:{device.ordinal}"


def _titled(found: Sequence[FoundSoftware]) -> str:
    first = found[0]
    return f"{first.name} {first.version}" if first.version else first.name


def _for_others(found: Sequence[FoundSoftware]) -> tuple[str, ...]:
    libraries = list(dict.fromkeys(each.library for each in found if each.library))
    made = f"it was built for {' and '.join(libraries)}" if libraries else "it was built for the CPU alone"
    return (f"{made}, and no GPU here is usable through that",) if libraries else (made,)
