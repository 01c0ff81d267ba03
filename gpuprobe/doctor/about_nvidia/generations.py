"""Which chip a card of NVIDIA's is by its PCI device id, and which branches and flavours of the driver serve that chip."""

from __future__ import annotations

import re

from gpuprobe import knowledge
from gpuprobe.machine import Card


def chip_of(card: Card) -> knowledge.Chip | None:
    """The row of its chip; None: no PCI device, or an id that no row has."""
    number = card.device_id
    if number is None:
        return None
    return next((row for row in knowledge.chips() if any(low <= number <= high for low, high in row.ids)), None)


def branch_of(version: str | None) -> int | None:
    """The branch of a driver: 580 of "580.95.05"."""
    found = re.match(r"([0-9]{2,4})\.", version or "")
    return int(found[1]) if found else None


def is_dropped(chip: knowledge.Chip | None, branch: int | None) -> bool:
    """Whether this branch is one after the last that serves the chip."""
    return chip is not None and branch is not None and chip.until is not None and branch > chip.until


def is_unborn(chip: knowledge.Chip | None, branch: int | None) -> bool:
    """Whether this branch is older than the chip."""
    return chip is not None and branch is not None and chip.since is not None and branch < chip.since
