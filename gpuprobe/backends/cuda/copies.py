"""How fast memory is copied to the card of the current context, from it and on it, and what its link is like meanwhile.

From page-locked memory, because only that reaches what the link gives; by the host's clock around copies that each take
milliseconds, beside which the microseconds of a call are nothing.
"""

from __future__ import annotations

import ctypes
import time
from ctypes import byref, c_size_t, c_uint, c_void_p

from gpuprobe.backends import bandwidth, calling
from gpuprobe.backends.cuda import compute, results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import c_uint64

    from gpuprobe.backends.cuda.card import Card
    from gpuprobe.backends.cuda.witness import Witness
    from gpuprobe.backends.stages import Validation

MiB = 1 << 20
LEAST, TRIAL, MOST = 4 * MiB, 16 * MiB, 256 * MiB  # on the card, whose cache holds up to 126 MiB
MOST_LOCKED = 64 * MiB  # a copy over the fastest link still takes a millisecond, and locking memory costs time and others
SAMPLES = 5
SAMPLE_SECONDS = 0.02
_OF_WHAT_IS_FREE = 4  # two buffers, and as much again is left to others


def time_copies(card: Card, validation: Validation, witness: Witness) -> None:
    """Medians of copies in bytes per second. On the card each byte is read and written: its memory moves twice as much."""
    free, _ = card.memory()
    if free // _OF_WHAT_IS_FREE < LEAST:
        validation.not_possible(f"{free // MiB} MiB of the card's memory are free: too little to time copies well")
        return
    most = min(MOST, free // _OF_WHAT_IS_FREE)
    locked = min(MOST_LOCKED, most)
    host = _page_locked(card, validation, locked)
    if host is None:
        return
    buffers = _on_the_card(card, validation, most)
    if buffers is not None:
        _time(card, validation, witness, (host, *buffers), (locked, most))
    card.check("cuMemFreeHost", host)


def _on_the_card(card: Card, validation: Validation, size: int) -> tuple[c_uint64, c_uint64] | None:
    """Two buffers of this size; None where somebody else took the memory meanwhile, which says nothing of the card."""
    try:
        return compute.allocated(card, size), compute.allocated(card, size)
    except calling.Failed as failed:
        if failed.code != results.OUT_OF_MEMORY:
            raise
        because = f"2 x {size // MiB} MiB of the card's memory to time copies could not be had: {failed.message}"
        validation.not_possible(because, failed.code, failed.name)
        return None


def _time(
    card: Card, validation: Validation, witness: Witness, buffers: tuple[c_void_p, c_uint64, c_uint64], sizes: tuple[int, int]
) -> None:
    """`buffers`: the host's, and the two on the card; `sizes`: of the former, and of each of the latter."""
    (host, one, other), (locked, most) = buffers, sizes
    idle = witness.link()
    stream = c_void_p()
    card.check("cuStreamCreate", byref(stream), c_uint(1))
    ways: dict[str, Callable[[int], None]] = {
        "to_device": lambda size: _enqueue(card, "cuMemcpyHtoDAsync_v2", one, host, c_size_t(size), stream),
        "from_device": lambda size: _enqueue(card, "cuMemcpyDtoHAsync_v2", host, one, c_size_t(size), stream),
        "on_device": lambda size: _enqueue(card, "cuMemcpyDtoDAsync_v2", other, one, c_size_t(size), stream),
    }
    for way, copy in ways.items():
        card.announce(f"copies {way.replace('_', ' ')}")
        size, times = _chosen(card, copy, stream, most if way == "on_device" else locked)
        seconds = bandwidth.median([_seconds(card, copy, size, times, stream) for _ in range(SAMPLES)])
        validation.figures({f"{way}_bytes_per_second": round(size * times / seconds), f"{way}_copied_bytes": size * times})
    for _ in range(4):
        ways["to_device"](locked)
    validation.figures(_link(witness, idle))
    _wait(card, stream)
    card.check("cuStreamDestroy_v2", stream)
    for buffer in (one, other):
        compute.freed(card, buffer)


def _chosen(card: Card, copy: Callable[[int], None], stream: c_void_p, most: int) -> tuple[int, int]:
    """How much to copy at once and how often, so that a sample takes about SAMPLE_SECONDS; the trial also wakes the link."""
    trial = min(TRIAL, most)
    _seconds(card, copy, trial, 1, stream)
    wanted = trial * SAMPLE_SECONDS / max(_seconds(card, copy, trial, 1, stream), 1e-6)
    size = int(min(max(wanted, LEAST), most)) // MiB * MiB
    return size, max(1, min(round(wanted / size), 64))


def _seconds(card: Card, copy: Callable[[int], None], size: int, times: int, stream: c_void_p) -> float:
    began = time.perf_counter()
    for _ in range(times):
        copy(size)
    _wait(card, stream)
    return max(time.perf_counter() - began, 1e-9)


def _link(witness: Witness, idle: dict[str, int]) -> dict[str, int | str]:
    """An idle link sleeps at its lowest generation (seen as "PCIe 1.1" in every monitor): this is read while copies run."""
    slowed = witness.slowed_by()
    asleep = {f"{name}_idle": value for name, value in idle.items() if not name.endswith("_max")}
    return {**witness.link(), **asleep, **({} if slowed is None else {"slowed_by": slowed})}


def _page_locked(card: Card, validation: Validation, size: int) -> c_void_p | None:
    """So much memory of the host that cannot be moved; None where the system gives none, which the validation is told."""
    host = c_void_p()
    card.announce("cuMemHostAlloc")
    code = calling.required(card.library, "cuMemHostAlloc")(byref(host), c_size_t(size), c_uint(0))
    if code in (results.OUT_OF_MEMORY, results.OPERATING_SYSTEM):
        because = (
            f"the system gives no {size // MiB} MiB of page-locked memory: look at what is free of the machine's memory, at "
            "the container's limit and at `ulimit -l`"
        )
        validation.not_possible(because, code, results.name_of(code))
        return None
    if code or not host:
        raise results.failure(results.proof_status(code), "cuMemHostAlloc", code, card.library)
    ctypes.memset(host, 0x5A, size)  # pages that were never written all share one page of zeros
    return host


def _enqueue(card: Card, function: str, *arguments: object) -> None:
    _checked(card, function, calling.required(card.library, function)(*arguments))


def _wait(card: Card, stream: c_void_p) -> None:
    _checked(card, "cuStreamSynchronize", calling.required(card.library, "cuStreamSynchronize")(stream))


def _checked(card: Card, function: str, code: int) -> None:
    """Not announced each time: a line between two copies would be timed with them."""
    if code:
        raise results.failure(results.proof_status(code), function, code, card.library)
