"""Vulkan's drivers as their manifests name them: whether the library is there and what it needs. None: nobody looked."""

from __future__ import annotations

from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import DriverLibrary


def drivers(host: Host) -> tuple[DriverLibrary, ...] | None:
    return host.system.driver_libraries if host.system else None
