"""What keeps a usable card below what it could do: software that does not run on it, and a link with too few lanes."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.judging import theoretical_bandwidth
from gpuprobe.model import Inventory


def notes(inventory: Inventory) -> Iterator[str]:
    if inventory.evidence.host.software:
        from gpuprobe.judging import software_notes

        yield from software_notes.of_software(inventory)
    yield from _narrow_links(inventory)


def _narrow_links(inventory: Inventory) -> Iterator[str]:
    """Fewer lanes than the card has. The speed is no matter: an idle card lowers it, and keeps its lanes."""
    for status in card_statuses(inventory):
        card = status.card
        lanes, most = card.current_link_width, card.max_link_width
        if status.why is None and lanes and most and lanes < most:
            now, best = (theoretical_bandwidth.of_link(card.max_link_speed, width).bytes_per_second for width in (lanes, most))
            figures = f": at best {now / 1e9:.1f} of {best / 1e9:.1f} GB/s" if now and best else ""
            advice = "possible causes: a slot with fewer lanes, a badly seated card, a riser, lanes shared in the BIOS"
            yield f"{card.pci_id} uses {lanes} of its {most} PCIe lanes{figures}; {advice}"
