"""Level Zero's ladder: memory on one device, a pattern there and back, a kernel whose every element is compared, timed copies.

Level Zero brings no library of matrix products, so there is no rung for one.
"""

from __future__ import annotations

from ctypes import string_at

from gpuprobe.backends import bandwidth, level_zero, level_zero_compute, level_zero_results, room
from gpuprobe.backends.calling import Failed
from gpuprobe.backends.comparing import fresh, same
from gpuprobe.backends.known_kernel import ELEMENTS, GROUP, SIZE, expected
from gpuprobe.backends.level_zero_calls import Session
from gpuprobe.backends.level_zero_compute import Card, NoCompiler
from gpuprobe.backends.level_zero_sysman import Sysman

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL, c_void_p
    from typing import Any

    from gpuprobe.backends.climbing import Ladder

_OUT_OF_MEMORY = (level_zero_results.OUT_OF_HOST_MEMORY, level_zero_results.OUT_OF_DEVICE_MEMORY)


def climb(library: CDLL, ladder: Ladder, device: dict[str, Any]) -> None:
    """As far as `ladder` wants to go."""
    if not ladder.rung("init"):
        return
    session = Session(library, ladder.step)
    drivers = session.drivers()
    if not ladder.rung("list"):
        return
    chosen = level_zero.wanted(level_zero.listed(session, drivers), device)
    free = Sysman(session).free_memory(chosen.handle, chosen.uuid, chosen.integrated is True, {})
    if not ladder.rung("context"):
        return
    session.judge = level_zero_results.validation_status
    card = Card(session, chosen)
    session.judge = level_zero_results.proof_status
    if not ladder.rung("allocate"):
        return
    host, there = _allocated(card, ladder, free)
    if not ladder.rung("copy"):
        return
    _copy(card, host, there)
    if not ladder.rung("kernel"):
        return
    _compute(card, ladder, host, there)
    if ladder.rung("bandwidth"):
        _time(card, ladder, (host, there), free)


def _allocated(card: Card, ladder: Ladder, free: int | None) -> tuple[c_void_p, c_void_p]:
    ladder.figures({"free_bytes": free} if free is not None else {})
    room.refuse_without(SIZE, free)
    try:
        made = card.host_memory(SIZE), card.card_memory(SIZE)
    except Failed as failed:
        raise room.on_a_free_card(failed, free) if failed.code == level_zero_results.OUT_OF_DEVICE_MEMORY else failed from None
    ladder.figures({"allocated_bytes": SIZE})
    return made


def _copy(card: Card, host: c_void_p, there: c_void_p) -> None:
    card.get_ready()
    pattern = fresh(SIZE)
    level_zero_compute.write(host, pattern)
    card.do(card.copying(host, there, SIZE))
    level_zero_compute.write(host, bytes(SIZE))
    card.do(card.copying(there, host, SIZE))
    same("what was copied to the device and back", pattern, string_at(host, SIZE))


def _compute(card: Card, ladder: Ladder, host: c_void_p, there: c_void_p) -> None:
    try:
        kernel = card.computing(there, ELEMENTS // GROUP)
    except NoCompiler as none:
        ladder.not_possible("the driver has no compiler", none.code, level_zero_results.NAMES.get(none.code))
        return
    values = fresh(SIZE)
    level_zero_compute.write(host, values)
    card.do(card.copying(host, there, SIZE), kernel, card.copying(there, host, SIZE))
    same("what the kernel computed", expected(values), string_at(host, SIZE))
    ladder.figures({"elements": ELEMENTS})


def _time(card: Card, ladder: Ladder, before: tuple[c_void_p, c_void_p], free: int | None) -> None:
    for memory in before:
        card.discard(memory)
    bandwidth.time_copies(
        ladder,
        free,
        make=lambda host, there: (card.host_memory(host), card.card_memory(there), card.card_memory(there)),
        copying=lambda way, source, target, size: card.copying(source, target, size),
        seconds=lambda copying, count: card.do(*[copying] * count),
        out_of_memory=_OUT_OF_MEMORY,
    )
