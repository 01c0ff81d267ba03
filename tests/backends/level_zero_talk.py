"""Conversations with a Level Zero child in a world of its own, and two cards that many machines have."""

from __future__ import annotations

from typing import Any

from tests.backends.talk import Talk, request, talk
from tests.doubles import described
from tests.ze_world import LOADER, ZeWorld

ARC_UUID = "868000a0-5600-0008-0003-000000000000"
ARC = described(
    name="Intel(R) Arc(TM) A770 Graphics",
    uuid=ARC_UUID,
    pci="0000:03:00.0",
    memory=16 << 30,
    free=15 << 30,
    id="0x56a0",
    family=2,
)
UHD = described(
    name="Intel(R) UHD Graphics 770",
    uuid="868000a7-8000-0004-0000-000000000000",
    pci="0000:00:02.0",
    memory=32 << 30,
    free=20 << 30,
    id="0xa780",
    integrated=1,
    family=1,
)


def listed(staged: ZeWorld, *, only: int | None = None, library: object = LOADER, **environ: str) -> Talk:
    return talk(request(library, "level_zero"), {**staged.environment(only=only), **environ})


def validated(staged: ZeWorld, device: dict[str, Any], *, library: object = LOADER, **environ: str) -> Talk:
    asked = request(library, "level_zero", purpose="validate", device=device)
    return talk(asked, {**staged.environment(), **environ})


def proved(
    staged: ZeWorld, device: dict[str, Any], *, library: object = LOADER, until: str | None = None, **environ: str
) -> Talk:
    asked = request(library, "level_zero", purpose="prove", device=device, until=until)
    return talk(asked, {**staged.environment(), **environ})
