"""Vulkan's drivers as their manifests name them: whether the library is there and what it needs. None: nobody looked."""

from __future__ import annotations

from posixpath import basename

from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import DriverLibrary

_SOFTWARE = ("lvp_icd", "swrast", "vk_swiftshader", "swiftshader")  # how manifests of software renderers are called


def drivers(host: Host) -> tuple[DriverLibrary, ...] | None:
    return host.system.driver_libraries if host.system else None


def broken(host: Host) -> tuple[DriverLibrary, ...]:
    """Those whose library is nowhere, or needs one that is nowhere."""
    return tuple(each for each in drivers(host) or () if each.library is not None and (each.path is None or each.missing))


def hardware_manifests(host: Host) -> tuple[str, ...]:
    """Manifests of drivers for cards, by path; what only computes on the processor is left out."""
    return tuple(each.path for each in host.manifests if not basename(each.path).startswith(_SOFTWARE))
