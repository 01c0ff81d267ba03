"""What the survey of a machine means: the one face of the files of this room, which are pure."""

from __future__ import annotations

from gpuprobe.machine.cards import Bystander, Card, bystanders, card_at, cards
from gpuprobe.machine.nvidia import JetPack, device_file, foreign_to_wsl, jetpack
from gpuprobe.machine.processor import Cache, Memory, Processor, memory, processor
from gpuprobe.machine.surroundings import NONE, container, operating_system, virtualization, wsl
from gpuprobe.machine.unread import unread, why_no_node
from gpuprobe.machine.witnesses import video_memory, witnesses

__all__ = [
    "NONE",
    "Bystander",
    "Cache",
    "Card",
    "JetPack",
    "Memory",
    "Processor",
    "bystanders",
    "card_at",
    "cards",
    "container",
    "device_file",
    "foreign_to_wsl",
    "jetpack",
    "memory",
    "operating_system",
    "processor",
    "unread",
    "video_memory",
    "virtualization",
    "why_no_node",
    "witnesses",
    "wsl",
]
