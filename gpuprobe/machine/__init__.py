"""What the survey of a machine means: the one face of the files of this room, which are pure."""

from __future__ import annotations

from gpuprobe.machine.cards import Bystander, Card, bystanders, cards
from gpuprobe.machine.processor import Cache, Memory, Processor, memory, processor
from gpuprobe.machine.surroundings import (
    JetPack,
    container,
    foreign_to_wsl,
    jetpack,
    operating_system,
    virtualization,
    wsl,
)
from gpuprobe.machine.witnesses import video_memory, witnesses

__all__ = [
    "Bystander",
    "Cache",
    "Card",
    "JetPack",
    "Memory",
    "Processor",
    "bystanders",
    "cards",
    "container",
    "foreign_to_wsl",
    "jetpack",
    "memory",
    "operating_system",
    "processor",
    "video_memory",
    "virtualization",
    "witnesses",
    "wsl",
]
