"""Ollama leaves graphics inside the processor out, unless it is told otherwise: where nothing else is usable, it computes on
the CPU."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.facts import Host
from gpuprobe.judging.build_choice import is_ollamas
from gpuprobe.judging.consumers import OLLAMA
from gpuprobe.libraries import CUDA
from gpuprobe.machine.installed_packages import package
from gpuprobe.machine.services import servers
from gpuprobe.model import Device, DeviceType, Inventory, Reason
from gpuprobe.strings import printable

_SWITCH = OLLAMA.for_integrated[0][0]
_ON = ("1", "t", "true")
# Ollama's discovery, 0.30.2 and later: these it takes all the same, as it takes whatever CUDA lists.
_TAKEN = ("gfx1151",)
_FIRST = (0, 30)


def left_out(inventory: Inventory) -> Iterator[Finding]:
    host, kept = inventory.evidence.host, inventory.kept
    version = _version(host)
    if not kept or not _has_ollama(host) or not all(_is_left_out(device) for device in kept) or _is_on(host):
        return
    if version is not None and version < _FIRST:
        return
    names = ", ".join(dict.fromkeys(device.name or "the GPU" for device in kept))
    since = ".".join(map(str, _FIRST))
    known = (Observed("package ollama", ".".join(map(str, version))),) if version else ()
    command = f"export {_SWITCH}=1"
    service = Step(f"for its service: `sudo systemctl edit ollama`, with `Environment={_SWITCH}=1` below `[Service]`")
    yield cause(
        "ollama-igpu-filtered",
        rung=Rung.BUILD,
        severity=Severity.BLOCKER if version else Severity.DEGRADED,
        because=f"Ollama from {since} on leaves integrated GPUs out, and {names} is all there is: models will run on the CPU",
        brief="Ollama leaves integrated GPUs out",
        reason=Reason.HIDDEN_BY_VARIABLE,
        evidence=(Observed(_SWITCH, _switched(host)), *known),
        fix=(run("let it use them:", command, where=Place.HERE), service),
        settle=None if version else "ollama --version",
    )


def _has_ollama(host: Host) -> bool:
    return any(is_ollamas(build) for build in host.builds) or bool(servers(host, OLLAMA.name))


def _is_left_out(device: Device) -> bool:
    taken = device.library == CUDA.name or (device.gfx_target or "").partition(":")[0] in _TAKEN
    return device.type is DeviceType.INTEGRATED and not taken


def _is_on(host: Host) -> bool:
    """In the server's own environment where one runs that can be looked at, else in this one."""
    return any(environ.get(_SWITCH, "").casefold() in _ON for environ in _places(host))


def _switched(host: Host) -> str:
    """As it stands where it counts, none of which is on."""
    set_to = next((environ[_SWITCH] for environ in _places(host) if _SWITCH in environ), None)
    return "not set" if set_to is None else printable(set_to)


def _places(host: Host) -> list[dict[str, str]]:
    running = [each.environ for each in servers(host, OLLAMA.name) or () if each.environ is not None]
    return running or [host.environ]


def _version(host: Host) -> tuple[int, ...] | None:
    found = package(host, OLLAMA.name)
    numbers = ((found.version or "").partition("-")[0].split(".") if found else [])[:2]
    return tuple(int(each) for each in numbers) if numbers and all(each.isdecimal() for each in numbers) else None


CHECKS = (left_out,)
