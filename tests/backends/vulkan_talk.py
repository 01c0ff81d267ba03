"""Conversations with a Vulkan child in a world of its own, and two cards that many machines have."""

from __future__ import annotations

import signal
from typing import Any

from tests.backends.talk import Talk, request, talk
from tests.doubles import described
from tests.vulkan_world import World

RTX = described(
    name="NVIDIA GeForce RTX 4090",
    type="discrete",
    vendor="0x10de",
    device="0x2684",
    pci="0000:01:00.0",
    uuid="GPU-01020304-0506-0708-090a-0b0c0d0e0f10",
    memory=24 << 30,
    free=20 << 30,
    driver_id=4,
    driver_name="NVIDIA",
    driver_info="580.95.05",
)
RADEON = described(
    name="AMD Radeon 780M (RADV PHOENIX)",
    type="integrated",
    vendor="0x1002",
    device="0x15bf",
    pci="0000:c5:00.0",
    uuid="00000000-c500-0000-0000-000000000000",
    memory=8 << 30,
    free=7 << 30,
    driver_id=3,
    driver_name="radv",
    driver_info="Mesa 25.0.7",
)


# How a driver can end its process, and what the parent then sees.
ENDINGS = [("crash {}", -signal.SIGSEGV), ("abort {}", -signal.SIGABRT), ("exit {} 7", 7)]


def listed(staged: World, *, only: int | None = None, library: object = "libvulkan.so.1", **environ: str) -> Talk:
    return talk(request(library, "vulkan"), {**staged.environment(only=only), **environ})


def validated(staged: World, device: dict[str, Any], **environ: str) -> Talk:
    asked = request("libvulkan.so.1", "vulkan", purpose="validate", device=device)
    return talk(asked, {**staged.environment(), **environ})


def proved(staged: World, device: dict[str, Any], *, until: str | None = None, **environ: str) -> Talk:
    asked = request("libvulkan.so.1", "vulkan", purpose="prove", device=device, until=until)
    return talk(asked, {**staged.environment(), **environ})
