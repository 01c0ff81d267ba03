"""Which installed program (Ollama, llama.cpp) has no build that computes on a usable card, and will use the CPU there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.facts import CPU_ONLY, FoundBuild, Host
from gpuprobe.judging.identity import same_card
from gpuprobe.libraries import ENGINES, library_named
from gpuprobe.model import Device, Inventory, Reason
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import printable

_PROGRAMS = {"ollama": "Ollama", "llama.cpp": "llama.cpp"}
_NO_USE = (Reason.NO_CODE, Reason.FAILED_VALIDATION)


class Lack(NamedTuple):
    """A program that computes on none of these devices."""

    program: str  # "Ollama"
    folder: str
    builds: tuple[str, ...]  # those that it has; none: it has CPU backends alone
    devices: tuple[Device, ...]
    brings_none: bool  # no build is made for these cards at all; False: there is one, and it has no code for them


def lacks(inventory: Inventory) -> tuple[Lack, ...]:
    """In the order of programs and of the devices. A program of which nothing was found is no lack."""
    host = inventory.evidence.host
    return (*_of_cpu_only(inventory, host), *_of_builds(inventory, host))


def sentence(lack: Lack) -> str:
    devices = ", ".join(f"{device.library}:{device.ordinal}" for device in lack.devices)
    folder = printable(lack.folder)
    if not lack.builds:
        whole = "install the release of ollama.com, which has them (Arch: `ollama-cuda` or `ollama-rocm`)"
        cure = whole if lack.program == "Ollama" else "install one that is built for this GPU"
        return f"{lack.program} has no build for a GPU (`{folder}` {CPU_ONLY}): it will compute on the CPU; {cure}"
    cure = "install one that has"
    if lack.program == "Ollama" and lack.brings_none:
        cure = "reinstall it: 0.12.11 and newer bring `vulkan`" if "vulkan" not in lack.builds else cure
    what = f"no build for {devices}" if lack.brings_none else f"no build with code for {devices}"
    return f"{lack.program} in `{folder}` has {what} ({', '.join(lack.builds)}): it will compute on the CPU; {cure}"


def _of_cpu_only(inventory: Inventory, host: Host) -> Iterator[Lack]:
    for place in host.empty_places:
        has_builds = any(_program(build) == place.where for build in host.builds)
        if place.problem == CPU_ONLY and inventory.kept and not has_builds:
            yield Lack(place.where, place.path, (), inventory.kept, brings_none=True)


def _of_builds(inventory: Inventory, host: Host) -> Iterator[Lack]:
    for program in _PROGRAMS.values():
        mine = [build for build in host.builds if _program(build) == program]
        for brings_none in (True, False) if mine else ():
            devices = tuple(each for each in inventory.kept if _is_unserved(each, mine, inventory, brings_none=brings_none))
            if devices:
                folder = mine[0].directories[0] if mine[0].directories else mine[0].path.rpartition("/")[0]
                yield Lack(program, folder, tuple(build.folder for build in mine), devices, brings_none)


def _program(build: FoundBuild) -> str | None:
    return _PROGRAMS.get(build.product or "", build.where)


def _is_unserved(device: Device, builds: Sequence[FoundBuild], inventory: Inventory, *, brings_none: bool) -> bool:
    """`brings_none`: whether that is so because none of these builds is for its maker's cards; else none has code for it."""
    fitting = [build for build in builds if _is_for(build, device)]
    if _engine_serves(device, builds, inventory.evidence.host):
        return False
    if not fitting or brings_none:
        return not fitting and brings_none and device.vendor_id is not None
    without = {drop.device.build for drop in inventory.drops if drop.reason in _NO_USE and same_card(drop.device, device).same}
    return all(build.name in without for build in fitting)


def _is_for(build: FoundBuild, device: Device) -> bool:
    vendors = library_named(build.library).vendor_ids
    return not vendors or device.vendor_id in (None, *vendors) or build.library == device.library


def _engine_serves(device: Device, builds: Sequence[FoundBuild], host: Host) -> bool:
    """A backend that is not asked may compute on it."""
    makers = {engine.name: engine for engine in ENGINES if engine.is_gpu}
    products = {build.product for build in builds}
    found = (makers[each.name] for each in host.engines if each.name in makers and each.product in products)
    return any(engine.vendor in (None, device.vendor_id) for engine in found)


def served_by_nothing(device: Device, inventory: Inventory) -> bool:
    """Whether programs were found for it, and none of them computes on it."""
    found = [lack for lack in lacks(inventory) if any(same_card(each, device).same for each in lack.devices)]
    programs = {_program(build) for build in inventory.evidence.host.builds} & {*_PROGRAMS.values()}
    programs |= {lack.program for lack in found}
    return bool(found) and {lack.program for lack in found} == programs
