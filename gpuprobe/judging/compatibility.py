"""Whether software that was found runs on a card: by its driver, by the architectures it was compiled for, and by rows.

Nothing was loaded: this is what the files say. That a library really loads and computes is what `validate` proves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gpuprobe import knowledge, machine
from gpuprobe.facts import FoundSoftware, Host
from gpuprobe.judging import architecture
from gpuprobe.judging.architecture import COMPATIBLE, NATIVE, UNKNOWN, UNSUPPORTED, Fit
from gpuprobe.libraries import library_named
from gpuprobe.model import SYSTEM, Device, Evidence, Outcome, Purpose
from gpuprobe.strings import compute_string

BUILD = "build"

_FROM_BEST = (NATIVE, COMPATIBLE, UNKNOWN, UNSUPPORTED)

Version = tuple[int, ...]


class Compatibility(NamedTuple):
    software: FoundSoftware
    fit: Fit


def of_device(device: Device, evidence: Evidence) -> tuple[Compatibility, ...] | None:
    """Everything found that computes through the device's library, against the device; None where nothing was looked for."""
    if not library_named(device.library).precompiled:
        return None
    found = evidence.host.software
    builds = tuple(_builds(device, evidence))
    if found is None and not builds:
        return None
    mine = (each for each in found or () if each.library in (device.library, None))
    return (*(Compatibility(each, _fit(device, each, evidence.host)) for each in mine), *builds)


def _fit(device: Device, found: FoundSoftware, host: Host) -> Fit:
    if found.library is None:
        return Fit(UNSUPPORTED, "it was built for the CPU alone; install the build of it for this card's library")
    if not library_named(found.library).by_release:
        return architecture.of_device(device, found.architectures)
    driver = of_driver(device, found.release, host)
    if not found.architectures:
        lowest = _floor(device, found.release)
        return lowest or driver
    code = architecture.of_device(device, found.architectures)
    if code.answer == UNSUPPORTED:
        return code._replace(because=f"{code.because}{_other_wheel(device, found)}")
    return _both(code, driver)


def _both(code: Fit, driver: Fit) -> Fit:
    """The answer where code needs a driver too."""
    if driver.answer == NATIVE or code.answer == UNSUPPORTED:
        return code
    if code.by_compiler and driver.answer == COMPATIBLE:
        # Error 222: minor-version compatibility does not cover the compilation of newer PTX.
        return Fit(UNSUPPORTED, f"{code.because}, and that it does not: {driver.because}", driver.source)
    if driver.answer == UNSUPPORTED:
        return driver
    answer = max(code.answer, driver.answer, key=_FROM_BEST.index)
    return Fit(answer, f"{code.because}; {driver.because}", driver.source)


def _other_wheel(device: Device, found: FoundSoftware) -> str:
    """Where the same package is with code for the device, as far as that is known. Desktop wheels have none for Tegra."""
    compute = compute_string(device)
    cards = (row for row in knowledge.capabilities() if not row.tegra)
    generation = next((row.architecture for row in cards if row.compute == compute), None)
    row = next((row for row in knowledge.wheels() if row.architecture == generation), None)
    if row is None or found.name != "torch" or row.url.endswith((found.version or "").rpartition("+")[2] or "\0"):
        return ""
    return f"; the wheels of {row.url} have code for {generation}"


def of_driver(device: Device, release: str | None, host: Host) -> Fit:
    """How a card's driver fits a CUDA release: native with everything, compatible with machine code alone."""
    wanted, offered = _version(release), _version(device.api_version)
    if wanted is None:
        return Fit(UNKNOWN, "which CUDA it belongs to is not known")
    if offered is not None and offered >= wanted:
        return Fit(NATIVE, f"the driver offers CUDA {device.api_version}, and CUDA {release} is enough")
    family = next((row for row in knowledge.families() if row.major == wanted[0]), None)
    if family is None:
        return Fit(UNKNOWN, f"which driver CUDA {release} needs is not known: no row says it")
    driver = _version(device.kernel_version)
    if driver is None:
        return _by_offer(device, offered, family, release)
    return _by_version(device, driver, family, release, _on_windows(host))


def _by_offer(device: Device, offered: Version | None, family: knowledge.Family, release: str | None) -> Fit:
    if offered is None:
        return Fit(UNKNOWN, "the version of the card's driver is not known")
    said = f"the driver offers CUDA {device.api_version}, and this is CUDA {release}"
    if offered[0] == family.major:
        return Fit(COMPATIBLE, f"{said}: its machine code runs, its PTX is not compiled", _source(family))
    return Fit(UNSUPPORTED, f"{said}, which needs driver {family.linux}", _source(family))


def _by_version(device: Device, driver: Version, family: knowledge.Family, release: str | None, windows: bool) -> Fit:
    lowest = family.windows if windows else family.linux
    if driver < (_version(lowest) or ()):
        because = f"driver {device.kernel_version} is too old for CUDA {release}: it needs {lowest}"
        return Fit(UNSUPPORTED, because, _source(family))
    row = next((row for row in knowledge.releases() if row.toolkit == release), None)
    exact = (row.windows if windows else row.linux) if row else None
    if row is not None and exact is not None and driver >= (_version(exact) or ()):
        return Fit(NATIVE, f"driver {device.kernel_version} has everything of CUDA {release}", _source(row))
    because = f"driver {device.kernel_version} runs machine code of every CUDA {family.major}"
    if row is not None and exact is not None:
        return Fit(COMPATIBLE, f"{because}; PTX of CUDA {release} needs {exact}", _source(row))
    return Fit(COMPATIBLE, f"{because}; which driver compiles its PTX is not known", _source(family))


def _floor(device: Device, release: str | None) -> Fit | None:
    """A runtime library holds code for every capability that its release compiles for, and for none below."""
    wanted = _version(release)
    family = next((row for row in knowledge.families() if wanted and row.major == wanted[0]), None)
    major, minor = device.compute_major, device.compute_minor
    if family is None or major is None or minor is None or (major, minor) >= (_version(family.compute) or ()):
        return None
    because = f"CUDA {family.major} has no code for {major}.{minor}: {family.compute} is the lowest"
    return Fit(UNSUPPORTED, because, _source(family))


def _source(row: knowledge.Release | knowledge.Family) -> str:
    return f"{row.source} ({row.checked})"


def _on_windows(host: Host) -> bool:
    """WSL's driver is that of Windows, and counts as Windows's do."""
    return host.platform == "win32" or machine.wsl(host) is not None


def _version(text: str | None) -> Version | None:
    found = re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,4}", text or "")
    return tuple(int(part) for part in found[0].split(".")) if found else None


def _builds(device: Device, evidence: Evidence) -> Iterator[Compatibility]:
    """The builds of inference programs that were asked, or left out, for this library."""
    seen: set[str] = set()
    for outcome in evidence.outcomes:
        probe = outcome.probe
        mine = probe.purpose is Purpose.LIST and probe.library == device.library and probe.build != SYSTEM
        if mine and probe.build not in seen:
            seen.add(probe.build)
            said = _architectures(outcome)
            fit = _build_fit(device, probe.build, said, evidence.host)
            path = outcome.library_path or probe.build
            yield Compatibility(FoundSoftware(probe.build, path, BUILD, probe.library, architectures=said), fit)


def _build_fit(device: Device, name: str, said: tuple[str, ...], host: Host) -> Fit:
    """By its architectures; and for one whose toolkit a row names, by the card's driver."""
    code = architecture.of_build(device, name, said, host.platform)
    row = architecture.row_of(name, host.platform)
    if row is None or row.toolkit is None or not library_named(device.library).by_release:
        return code
    return _unreadable(device, row.toolkit) or _both(code, of_driver(device, row.toolkit, host))


def _unreadable(device: Device, toolkit: str) -> Fit | None:
    """A driver that is too old for how Ollama packs its code, though it would run it. Where something is unknown: None."""
    version, driver = _version(toolkit), _version(device.kernel_version)
    major, minor = device.compute_major, device.compute_minor
    if version is None or driver is None:
        return None
    for row in reversed(knowledge.packings()):
        since, below = _version(row.toolkit) or (), _version(row.below)
        older = below is None or (major is not None and minor is not None and (major, minor) < below)
        if since[:1] == version[:1] and since <= version and older and driver < (_version(row.driver) or ()):
            because = f"driver {device.kernel_version} cannot read how this build packs its code: it needs {row.driver}"
            return Fit(UNSUPPORTED, because, f"{row.source} ({row.checked})")
    return None


def _architectures(outcome: Outcome) -> tuple[str, ...]:
    said = outcome.facts.get("architectures")
    return tuple(each for each in said if isinstance(each, str)) if isinstance(said, list | tuple) else ()
