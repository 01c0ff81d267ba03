"""Staged machines that people have on their desks: one or two GeForce cards, one Radeon; scenarios say what is different."""

from __future__ import annotations

from typing import Any

from tests.scenarios.parts import (
    CUDA_AND_NVML,
    FIRST,
    GEFORCE,
    LAVAPIPE,
    NAVI_31,
    RADEON,
    RADEON_WITNESSED,
    SECOND,
    UVM_MODULE,
    VULKAN_LOADER,
    B,
    GiB,
    computer,
    cuda_card,
    drm_nodes,
    geforce,
    kernel_module,
    kfd_nodes,
    lines,
    nvidia_nodes,
    radeon_files,
    radv,
)
from tests.scenarios.staging import Node, Staged

TWO = (cuda_card(), cuda_card(SECOND, B, free=4 * GiB))


def one_geforce(**changed: Any) -> Staged:
    """A server with one card and NVIDIA's driver for computing, without Vulkan."""
    found: dict[str, Any] = {
        "files": {**computer(), **kernel_module({FIRST: GEFORCE}), **UVM_MODULE},
        "pci": {FIRST: geforce()},
        "nodes": {**nvidia_nodes(), **drm_nodes()},
        "installed": CUDA_AND_NVML,
        "cuda": cuda_card(),
    }
    return Staged(**{**found, **changed})


def two_geforces(**changed: Any) -> Staged:
    found: dict[str, Any] = {
        "files": {**computer(), **kernel_module({FIRST: GEFORCE, SECOND: GEFORCE}), **UVM_MODULE},
        "pci": {FIRST: geforce(), SECOND: geforce(1)},
        "nodes": {**nvidia_nodes(2), **drm_nodes(2)},
        "installed": CUDA_AND_NVML,
        "cuda": lines(TWO),
    }
    return Staged(**{**found, **changed})


def one_radeon(**changed: Any) -> Staged:
    """A desktop with Mesa and no ROCm, as distributions install it."""
    found: dict[str, Any] = {
        "files": {**computer(), "/sys/module/amdgpu/initstate": "live\n", **kfd_nodes(NAVI_31)},
        "pci": {"0000:03:00.0": {**RADEON, **radeon_files()}},
        "nodes": {"/dev/kfd": Node(0o660, 992, 511, 0), **drm_nodes()},
        "installed": VULKAN_LOADER,
        "manifests": {**LAVAPIPE, **radv()},
        "amdgpu": RADEON_WITNESSED,
    }
    return Staged(**{**found, **changed})


def in_docker(**changed: Any) -> Staged:
    """The kernel driver of the host shows in /proc; nothing of it was given to the container."""
    inside = {"/.dockerenv": "", "/proc/self/cgroup": "0::/\n"}
    return one_geforce(
        files={**computer("Debian GNU/Linux 12 (bookworm)"), **kernel_module({FIRST: GEFORCE}), **UVM_MODULE, **inside},
        nodes={},
        installed={},
        cuda="",
        **changed,
    )
