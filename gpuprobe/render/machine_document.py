"""The machine as the documents show it: host, processor and memory, cards, and what only looks like a card."""

from __future__ import annotations

from collections.abc import Iterable

from gpuprobe import machine, vendors
from gpuprobe.judging import theoretical_bandwidth
from gpuprobe.judging.effects import effects
from gpuprobe.strings import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.doctor.card_status import CardStatus
    from gpuprobe.doctor.reasons import Why
    from gpuprobe.facts import Host
    from gpuprobe.machine import Bystander, Card
    from gpuprobe.model import Json


def host_record(host: Host) -> Json:
    jetpack = machine.jetpack(host)
    return {
        "os": machine.operating_system(host),
        "kernel": host.kernel or None,
        "machine": host.machine,
        "virtualization": machine.virtualization(host),
        "container": machine.container(host),
        "wsl": machine.wsl(host),
        "jetpack": None
        if jetpack is None
        else {"version": jetpack.version, "l4t": jetpack.l4t, "source": jetpack.source, "problem": jetpack.problem},
    }


def system_record(host: Host) -> Json:
    processor, memory = machine.processor(host), machine.memory(host)
    return {
        "cpu": {
            "model": processor.model,
            "cores": processor.cores,
            "threads": processor.threads,
            "allowed_threads": host.cpus_allowed,
            "features": None if processor.features is None else list(processor.features),
            "caches": [{"level": one.level, "type": one.type, "size_bytes": one.size} for one in processor.caches],
        },
        "memory": {
            "total_bytes": memory.total,
            "available_bytes": memory.available,
            "limit_bytes": memory.limit,
            "limit_source": memory.limit_source,
        },
        "swap": {"total_bytes": memory.swap_total, "free_bytes": memory.swap_free},
    }


def why_record(why: Why | None) -> Json | None:
    if why is None:
        return None
    return {
        "reason": why.reason.value,
        "brief": printable(why.brief or why.because),
        "because": printable(why.because),
        "advice": why.advice,
        "finding": why.finding,
    }


def card_record(status: CardStatus, host: Host) -> Json:
    """`video_memory_bytes` is there where the kernel's files tell it: not every driver has such."""
    card, why = status.card, status.why
    memory = machine.video_memory(host, card.pci_id)
    return {
        "pci_id": card.pci_id,
        "vendor": vendors.name_of(card.vendor_id),
        "vendor_id": _hexadecimal(card.vendor_id),
        "device_id": _hexadecimal(card.device_id),
        "name": card.name,
        "kernel_driver": card.driver,
        "render_node": card.render_node,
        "numa_node": card.numa_node,
        "link": _link(card),
        **({} if memory is None else {"video_memory_bytes": memory}),
        "was_asleep": card.was_asleep,
        "device_ids": [device.id for device in status.devices],
        "why": why_record(why),
    }


def _link(card: Card) -> Json:
    """Bytes per second are what the link could move in one direction at best, and no measurement."""
    now, best = (
        theoretical_bandwidth.of_link(card.current_link_speed, card.current_link_width),
        theoretical_bandwidth.of_link(card.max_link_speed, card.max_link_width),
    )
    return {
        "current_speed": card.current_link_speed,
        "current_width": card.current_link_width,
        "max_speed": card.max_link_speed,
        "max_width": card.max_link_width,
        "current_generation": now.generation,
        "max_generation": best.generation,
        "current_bytes_per_second": now.bytes_per_second,
        "max_bytes_per_second": best.bytes_per_second,
    }


def bystander_records(found: Iterable[Bystander]) -> list[Json]:
    return [{"pci_id": one.pci_id, "what": one.what} for one in found]


def variable_records(host: Host) -> list[Json]:
    """Each variable that is set and matters, with what it does on this machine."""
    makers = {card.vendor_id for card in machine.cards(host) if card.vendor_id is not None}
    found = effects(host.environ, makers, host.platform)
    return [{"name": one.name, "value": one.value, "effect": one.effect} for one in found]


def _hexadecimal(number: int | None) -> str | None:
    """As lspci writes it: "10de"."""
    return None if number is None else f"{number:04x}"
