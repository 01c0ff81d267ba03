"""Every card as the kernel's own files speak of it, whoever made it."""

from __future__ import annotations

from gpuprobe.facts import Host
from gpuprobe.machine.amd import amd_cards
from gpuprobe.machine.amd import views as amd_views
from gpuprobe.machine.intel import views as intel_views
from gpuprobe.model import Device, DeviceType
from gpuprobe.once import once


@once
def witnesses(host: Host) -> tuple[Device, ...]:
    """Views that complete those of the libraries; they are never devices of their own."""
    return (*amd_views(host), *intel_views(host))


def video_memory(host: Host, pci_id: str | None) -> int | None:
    """Bytes of memory that a card has for itself, all its partitions together; None where no driver tells, and for integrated
    graphics, whose memory is the system's."""
    of_amd = [card.whole_vram for card in amd_cards(host) if card.pci_id == pci_id and card.type is not DeviceType.INTEGRATED]
    of_intel = [view.total_memory for view in intel_views(host) if view.pci_id == pci_id]
    return next(iter(of_amd + of_intel), None)
