"""Whether a card's driver is new enough: for a release of CUDA, for PTX, and for how code is packed."""

from __future__ import annotations

from functools import lru_cache

from gpuprobe import knowledge, machine
from gpuprobe import patterns as re
from gpuprobe.facts import Host
from gpuprobe.judging import where_to_get
from gpuprobe.judging.architecture import COMPATIBLE, NATIVE, UNKNOWN, UNSUPPORTED, Fit
from gpuprobe.model import Device

Version = tuple[int, ...]


def of_driver(device: Device, release: str | None, host: Host) -> Fit:
    """How a card's driver fits a CUDA release: native with everything, compatible with machine code alone."""
    wanted, offered = version(release), version(device.api_version)
    if wanted is None:
        return Fit(UNKNOWN, "which CUDA it belongs to is not known")
    if offered is not None and offered >= wanted:
        return Fit(NATIVE, f"the driver offers CUDA {device.api_version}, and CUDA {release} is enough")
    family = next((row for row in knowledge.families() if row.major == wanted[0]), None)
    if family is None:
        return Fit(UNKNOWN, f"which driver CUDA {release} needs is not known")
    driver = version(device.kernel_version)
    if driver is None:
        return _by_offer(device, offered, family, release)
    return _by_version(device, driver, family, release, _on_windows(host))


def _by_offer(device: Device, offered: Version | None, family: knowledge.Family, release: str | None) -> Fit:
    if offered is None:
        return Fit(UNKNOWN, "the version of the card's driver is not known")
    said = f"the driver offers CUDA {device.api_version}, and this is CUDA {release}"
    if offered[0] == family.major:
        return Fit(COMPATIBLE, f"{said}: its machine code runs, its PTX is not compiled", source_of(family))
    return Fit(UNSUPPORTED, f"{said}, which needs driver {family.linux}", source_of(family), for_want_of_a_driver=True)


def _by_version(device: Device, driver: Version, family: knowledge.Family, release: str | None, windows: bool) -> Fit:
    lowest = family.windows if windows else family.linux
    if driver < (version(lowest) or ()):
        because = (
            f"driver {device.kernel_version} is too old for CUDA {release}: it needs {lowest}{_branch(device, lowest, windows)}"
        )
        return Fit(UNSUPPORTED, because, source_of(family), for_want_of_a_driver=True)
    row = next((row for row in knowledge.releases() if row.toolkit == release), None)
    exact = (row.windows if windows else row.linux) if row else None
    because = f"driver {device.kernel_version} runs machine code of every CUDA {family.major}"
    if row is None or exact is None:
        return Fit(COMPATIBLE, f"{because}; which driver compiles its PTX is not known", source_of(family))
    if driver >= (version(exact) or ()):
        return Fit(NATIVE, f"driver {device.kernel_version} has everything of CUDA {release}", source_of(row))
    return Fit(COMPATIBLE, f"{because}; PTX of CUDA {release} needs {exact}", source_of(row))


def _branch(device: Device, lowest: str, windows: bool) -> str:
    """A branch to take it from, for a card that such a one serves: a chip's driver comes with its system."""
    wanted, major, minor = version(lowest), device.compute_major, device.compute_minor
    if windows or wanted is None or major is None or minor is None or where_to_get.is_tegra(device):
        return ""
    for row in knowledge.branches():
        if row.branch >= wanted[0] and (version(row.compute) or ()) <= (major, minor):
            return f"; branch {row.branch} has it ({row.designation}, until {row.until})"
    return ""


def floor(device: Device, release: str | None) -> Fit | None:
    """A runtime library holds code for every capability that its release compiles for, and for none below."""
    wanted = version(release)
    family = next((row for row in knowledge.families() if wanted and row.major == wanted[0]), None)
    major, minor = device.compute_major, device.compute_minor
    if family is None or major is None or minor is None or (major, minor) >= (version(family.compute) or ()):
        return None
    because = f"CUDA {family.major} has no code for {major}.{minor}: {family.compute} is the lowest"
    return Fit(UNSUPPORTED, because, source_of(family))


def unreadable(device: Device, toolkit: str | None) -> Fit | None:
    """A driver that is too old for how Ollama packs the code of its builds, though it would run it. Where something is
    unknown: None."""
    release, driver = version(toolkit), version(device.kernel_version)
    major, minor = device.compute_major, device.compute_minor
    if release is None or driver is None:
        return None
    for row in reversed(knowledge.packings()):
        since, below = version(row.toolkit) or (), version(row.below)
        older = below is None or (major is not None and minor is not None and (major, minor) < below)
        if since[:1] == release[:1] and since <= release and older and driver < (version(row.driver) or ()):
            because = f"driver {device.kernel_version} cannot read how this build packs its code: it needs {row.driver}"
            return Fit(UNSUPPORTED, because, f"{row.source} ({row.checked})", for_want_of_a_driver=True)
    return None


def source_of(row: knowledge.Release | knowledge.Family) -> str:
    return f"{row.source} ({row.checked})"


@lru_cache(maxsize=1024)
def version(text: str | None) -> Version | None:
    """The numbers of a version; None: it is none."""
    found = re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,4}", text or "")
    return tuple(int(part) for part in found[0].split(".")) if found else None


def _on_windows(host: Host) -> bool:
    """WSL's driver is that of Windows, and counts as Windows's do."""
    return host.platform == "win32" or machine.wsl(host) is not None
