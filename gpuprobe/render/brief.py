"""The short text of `list --brief`: nothing in it changes by itself, so that equal machines say equal bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gpuprobe.doctor.card_status import CardStatus
from gpuprobe.model import SYSTEM, Device
from gpuprobe.render import wording
from gpuprobe.strings import printable, size_text


def brief_text(text: str, card_statuses: Sequence[CardStatus], devices: Sequence[Device]) -> Iterator[str]:
    """Each device without its number, its id, its address and its load; each card that is not usable with its address."""
    yield printable(text)
    for line, count in Counter(map(_device, devices)).items():
        yield f"{count} x {line}"
    for status in card_statuses:
        if status.why is not None:
            name = " ".join(part for part in (status.card.pci_id, status.card.name) if part) or "a GPU"
            yield printable(f"{name}: {status.why.brief or status.why.because}")


def _device(device: Device) -> str:
    parts = [
        wording.name_of(device),
        device.library + ("" if device.build == SYSTEM else f" ({printable(device.build)})"),
        f"compute {wording.compute_of(device)}",
        f"driver {wording.driver_of(device)}",
        "memory unknown" if device.total_memory is None else size_text(device.total_memory),
    ]
    return ", ".join(parts)
