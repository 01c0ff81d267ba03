"""Vulkan's ladder: memory on one device, a pattern there and back, a kernel whose every element is compared, and timed copies.

Vulkan brings no library of matrix products, so there is no rung for one.
"""

from __future__ import annotations

from gpuprobe.backends import bandwidth, room, vulkan
from gpuprobe.backends.calling import Failed
from gpuprobe.backends.comparing import fresh, same
from gpuprobe.backends.known_kernel import ELEMENTS, GROUP, SIZE, expected
from gpuprobe.backends.vulkan_compute import Card
from gpuprobe.backends.vulkan_instance import Instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.climbing import Ladder
    from gpuprobe.backends.vulkan_compute import Buffer

_OUT_OF_HOST_MEMORY, _OUT_OF_DEVICE_MEMORY = -1, -2


def climb(library: CDLL, ladder: Ladder, device: dict[str, Any]) -> None:
    """As far as `ladder` wants to go."""
    if not ladder.rung("init"):
        return
    instance = Instance(library, ladder.step)
    ladder.facts({"api_version": vulkan.version_text(instance.offered)})
    instance.create()
    if not ladder.rung("list"):
        return
    handle = vulkan.wanted(instance, device)
    if not ladder.rung("context"):
        return
    card = Card(instance, handle)
    if not ladder.rung("allocate"):
        return
    host, there = _allocated(card, ladder)
    if not ladder.rung("copy"):
        return
    _copy(card, host, there)
    if not ladder.rung("kernel"):
        return
    _compute(card, ladder, host, there)
    if ladder.rung("bandwidth"):
        _time(card, ladder, (host, there))


def _allocated(card: Card, ladder: Ladder) -> tuple[Buffer, Buffer]:
    free = _free(card)
    ladder.figures({"free_bytes": free} if free is not None else {})
    room.refuse_without(2 * SIZE, free)
    try:
        made = card.host_buffer(SIZE), card.card_buffer(SIZE)
    except Failed as failed:
        raise room.on_a_free_card(failed, free) if failed.code == _OUT_OF_DEVICE_MEMORY else failed from None
    ladder.figures({"allocated_bytes": 2 * SIZE})
    return made


def _copy(card: Card, host: Buffer, there: Buffer) -> None:
    card.get_ready()
    pattern = fresh(SIZE)
    card.write(host, pattern)
    card.do(card.copying(host, there, SIZE))
    card.write(host, bytes(SIZE))
    card.do(card.copying(there, host, SIZE))
    same("what was copied to the device and back", pattern, card.read(host, SIZE))


def _compute(card: Card, ladder: Ladder, host: Buffer, there: Buffer) -> None:
    values = fresh(SIZE)
    card.write(host, values)
    kernel = card.computing(there, ELEMENTS // GROUP)
    card.do(card.copying(host, there, SIZE), kernel, card.copying(there, host, SIZE))
    same("what the kernel computed", expected(values), card.read(host, SIZE))
    ladder.figures({"elements": ELEMENTS})


def _time(card: Card, ladder: Ladder, before: tuple[Buffer, Buffer]) -> None:
    for buffer in before:
        card.discard(buffer)
    free = _free(card)
    bandwidth.time_copies(
        ladder,
        free if free is not None else _smallest_heap(card),
        make=lambda host, there: (card.host_buffer(host), card.card_buffer(there), card.card_buffer(there)),
        copying=lambda way, source, target, size: card.copying(source, target, size),
        seconds=lambda copying, count: card.do(*[copying] * count),
        out_of_memory=(_OUT_OF_HOST_MEMORY, _OUT_OF_DEVICE_MEMORY),
    )


def _free(card: Card) -> int | None:
    """Bytes that the driver leaves this process where buffers are put; None where it does not say."""
    place = card.memories.for_card(0xFFFFFFFF)
    return None if place is None else card.memories.free(place)


def _smallest_heap(card: Card) -> int:
    places = {card.memories.for_card(0xFFFFFFFF), card.memories.for_host(0xFFFFFFFF)} - {None}
    return min(card.memories.size(place) for place in places if place is not None)
