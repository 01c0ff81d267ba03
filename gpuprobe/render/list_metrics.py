"""What `list` says as metrics for Prometheus: every card, whether it is usable and why not; every device and its memory."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe import __version__, vendors
from gpuprobe.doctor.card_status import CardStatus
from gpuprobe.model import Device
from gpuprobe.render import exposition, wording
from gpuprobe.render.exposition import Metric, Sample
from gpuprobe.strings import compute_string


def list_metrics(card_statuses: Sequence[CardStatus], devices: Sequence[Device], *, undecided: bool, met: bool | None) -> str:
    """`undecided`: a crash or a timeout could change the answer; `met`: what `--require` found, None where it could not."""
    usable = sum(status.why is None for status in card_statuses)
    return exposition.written(
        (
            Metric("gpuprobe_info", "The version that wrote this.", (Sample({"version": __version__}, 1),)),
            Metric("gpuprobe_gpus", "GPUs of this machine.", (Sample({}, len(card_statuses)),)),
            Metric("gpuprobe_usable_gpus", "GPUs that inference can use.", (Sample({}, usable),)),
            Metric(
                "gpuprobe_usable",
                "Whether inference can use this GPU; reason and because: why not.",
                tuple(_card(number, status) for number, status in enumerate(card_statuses)),
            ),
            Metric(
                "gpuprobe_undecided",
                "Whether a crash, a timeout or something unknown could change the answer.",
                (Sample({}, int(undecided)),),
            ),
            Metric("gpuprobe_requirement_met", "Whether --require is met.", () if met is None else (Sample({}, int(met)),)),
            Metric("gpuprobe_device_info", "A device that was kept.", tuple(map(_device, devices))),
            *(
                Metric(f"gpuprobe_device_memory_{what}_bytes", f"{help_}.", tuple(_memory(devices, what)))
                for what, help_ in (("total", "Memory"), ("free", "Free memory"), ("used", "Memory in use"))
            ),
        )
    )


def _card(number: int, status: CardStatus) -> Sample:
    card, why = status.card, status.why
    labels = {
        "card": card.pci_id or f"number {number}",
        "vendor": vendors.name_of(card.vendor_id) or "",
        "name": card.name or "",
        "reason": why.reason.value if why else "",
        "because": (why.brief or why.because) if why else "",
    }
    return Sample(labels, int(why is None))


def _named(device: Device) -> dict[str, str]:
    return {"device": wording.numbered(device), "id": device.id}


def _device(device: Device) -> Sample:
    labels = {
        **_named(device),
        "library": device.library,
        "build": device.build,
        "name": device.name or "",
        "type": device.type.value,
        "card": device.pci_id or "",
        "compute": compute_string(device) or "",
        "driver": device.kernel_version or device.runtime_version or device.api_version or "",
    }
    return Sample(labels, 1)


def _memory(devices: Sequence[Device], what: str) -> list[Sample]:
    """None of a device of which it is not known: a zero would be a lie."""
    sizes = [
        (device, {"total": device.total_memory, "free": device.free_memory, "used": device.used_memory}[what])
        for device in devices
    ]
    return [Sample(_named(device), size) for device, size in sizes if size is not None]
