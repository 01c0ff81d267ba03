"""What the kernel says of a card's memory without any library: amdgpu counts it for every process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gpuprobe.model import PciFunction
from gpuprobe.survey.pci import DEVICES
from gpuprobe.survey.tree import Tree


class VideoMemory(NamedTuple):
    """Bytes of memory of its own, without what an integrated GPU borrows from the system."""

    total: int
    used: int


def video_memory(functions: Sequence[PciFunction], root: str = "/") -> dict[str, VideoMemory]:
    """By PCI address, for the cards whose kernel driver tells. A card that sleeps is left alone."""
    tree = Tree(root)
    return {
        each.address: found
        for each in functions
        if each.runtime_status != "suspended" and (found := _of(tree, f"{DEVICES}/{each.address}")) is not None
    }


def _of(tree: Tree, place: str) -> VideoMemory | None:
    total, used = (_bytes(tree.line(f"{place}/mem_info_vram_{kind}")) for kind in ("total", "used"))
    return VideoMemory(total, used) if total and used is not None and used <= total else None


def _bytes(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None
