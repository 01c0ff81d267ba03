"""What `list` says as comma-separated values: a row for each device, and for each card that has none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.doctor.card_status import CardStatus
from gpuprobe.model import Device
from gpuprobe.render import comma_separated, wording
from gpuprobe.render.comma_separated import Cell
from gpuprobe.strings import compute_string

_HEADING = (
    *("card", "name", "usable", "reason", "because", "device", "id", "library", "build", "type", "compute", "driver"),
    *("total_memory_bytes", "free_memory_bytes", "used_memory_bytes"),
)


def list_csv(card_statuses: Sequence[CardStatus], devices: Sequence[Device]) -> str:
    return comma_separated.written(_HEADING, (*map(_device, devices), *_unusable(card_statuses)))


def _device(device: Device) -> tuple[Cell, ...]:
    driver = device.kernel_version or device.runtime_version or device.api_version
    return (
        *(device.pci_id, device.name, True, None, None, wording.numbered(device), device.id, device.library, device.build),
        *(device.type.value, compute_string(device), driver),
        *(device.total_memory, device.free_memory, device.used_memory),
    )


def _unusable(card_statuses: Sequence[CardStatus]) -> Iterator[tuple[Cell, ...]]:
    for status in card_statuses:
        if status.why is not None:
            known = (status.card.pci_id, status.card.name, False, status.why.reason.value, status.why.because)
            yield (*known, *(None,) * (len(_HEADING) - len(known)))
