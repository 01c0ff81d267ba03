"""Vulkan's stages: memory on one device, a pattern there and back, a kernel whose every element is compared, and timed copies.

Vulkan brings no library of matrix products, so there is no stage for one.
"""

from __future__ import annotations

from gpuprobe.backends import bandwidth, headroom, stages
from gpuprobe.backends.calling import Failed
from gpuprobe.backends.comparing import fresh, same
from gpuprobe.backends.known_kernel import ELEMENTS, GROUP, SIZE, expected
from gpuprobe.backends.vulkan import listing
from gpuprobe.backends.vulkan.card import Card

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import c_void_p

    from gpuprobe.backends.vulkan.card import Buffer
    from gpuprobe.backends.vulkan.instance import Instance

_OUT_OF_HOST_MEMORY, _OUT_OF_DEVICE_MEMORY = -1, -2


class Work(stages.Work):
    instance: Instance
    handle: c_void_p
    card: Card
    host: Buffer
    there: Buffer  # in the card's own memory


def start(work: Work) -> None:
    work.instance = listing.start(work.library, work.validation.announce, work.validation.facts)


def find(work: Work) -> None:
    work.handle = listing.find(work.instance, work.device)


def make_context(work: Work) -> None:
    work.card = Card(work.instance, work.handle)


def allocate(work: Work) -> None:
    free = _free(work.card)
    work.validation.figures({"free_bytes": free} if free is not None else {})
    headroom.refuse_without(2 * SIZE, free)
    try:
        work.host, work.there = work.card.host_buffer(SIZE), work.card.card_buffer(SIZE)
    except Failed as failed:
        raise headroom.on_a_free_card(failed, free) if failed.code == _OUT_OF_DEVICE_MEMORY else failed from None
    work.validation.figures({"allocated_bytes": 2 * SIZE})


def copy(work: Work) -> None:
    work.card.get_ready()
    card, host, there, pattern = work.card, work.host, work.there, fresh(SIZE)
    card.write(host, pattern)
    card.do(card.copying(host, there, SIZE))
    card.write(host, bytes(SIZE))
    card.do(card.copying(there, host, SIZE))
    same("what was copied to the device and back", pattern, card.read(host, SIZE))


def run_kernel(work: Work) -> None:
    card, host, there, values = work.card, work.host, work.there, fresh(SIZE)
    card.write(host, values)
    kernel = card.computing(there, ELEMENTS // GROUP)
    card.do(card.copying(host, there, SIZE), kernel, card.copying(there, host, SIZE))
    same("what the kernel computed", expected(values), card.read(host, SIZE))
    work.validation.figures({"elements": ELEMENTS})


def time_copies(work: Work) -> None:
    card = work.card
    for buffer in (work.host, work.there):
        card.discard(buffer)
    free = _free(card)
    bandwidth.time_copies(
        work.validation,
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


STAGES = (
    ("init", start),
    ("list", find),
    ("context", make_context),
    ("allocate", allocate),
    ("copy", copy),
    ("kernel", run_kernel),
    ("bandwidth", time_copies),
)
