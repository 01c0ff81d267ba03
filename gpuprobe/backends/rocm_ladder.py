"""ROCm's ladder: after the context memory, copies and a kernel on exactly the wanted card, then rocBLAS and timed copies.

The kernel is compiled by hiprtc, which a runtime may come without; then memory that the card fills must do, and it is said so.
"""

from __future__ import annotations

import functools

from gpuprobe.backends import bandwidth, hiprtc, rocblas, rocblas_product, rocm, rocm_compute, rocm_properties, room
from gpuprobe.backends.calling import Failed, loaded_path
from gpuprobe.backends.comparing import fresh, same
from gpuprobe.backends.known_kernel import ELEMENTS, SIZE, expected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL, c_void_p
    from typing import Any

    from gpuprobe.backends.climbing import Ladder
    from gpuprobe.backends.rocm import Card

OUT_OF_MEMORY = 2
_MIB = 1 << 20
_FOR_ROCBLAS = 128 * _MIB  # its workspace is 32 MiB, on MI300 128 (rocBLAS documentation, device memory allocation)
_KINDS = {"to_device": rocm_compute.TO_CARD, "from_device": rocm_compute.FROM_CARD, "on_device": rocm_compute.ON_CARD}


def climb(library: CDLL, ladder: Ladder, device: dict[str, Any]) -> None:
    """As far as `ladder` wants to go."""
    if not ladder.rung("init"):
        return
    version = rocm.started(library, ladder.step, ladder.facts)["runtime_version"]
    if not ladder.rung("list"):
        return
    card = rocm.wanted_card(library, ladder.step, device)
    if not ladder.rung("context"):
        return
    free, total = rocm.make_context(card)
    ladder.facts({"free_memory": free, "total_memory": total})
    ladder.figures({"free_bytes": free, "total_bytes": total})
    _use(card, ladder, free, version)


def _use(card: Card, ladder: Ladder, free: int, version: str | None) -> None:
    if not ladder.rung("allocate"):
        return
    buffers = _allocated(card, ladder, free)
    if not ladder.rung("copy"):
        return
    _copy(card, buffers)
    if not ladder.rung("kernel"):
        return
    _compute(card, ladder, buffers[0], version)
    if not ladder.rung("blas"):
        return
    _multiply(card, ladder, version)
    if ladder.rung("bandwidth"):
        _time(card, ladder, buffers)


def _allocated(card: Card, ladder: Ladder, free: int) -> tuple[c_void_p, c_void_p]:
    room.refuse_without(2 * SIZE, free)
    try:
        made = rocm_compute.allocated(card, SIZE), rocm_compute.allocated(card, SIZE)
    except Failed as failed:
        raise room.on_a_free_card(failed, free) if failed.code == OUT_OF_MEMORY else failed from None
    ladder.figures({"allocated_bytes": 2 * SIZE})
    return made


def _copy(card: Card, buffers: tuple[c_void_p, c_void_p]) -> None:
    """To the card, across it, and back."""
    pattern = fresh(SIZE)
    rocm_compute.written(card, buffers[0], pattern)
    rocm_compute.moved(card, buffers[0], buffers[1], SIZE)
    same("what was copied to the card and back", pattern, rocm_compute.read(card, buffers[1], SIZE))


def _compute(card: Card, ladder: Ladder, memory: c_void_p, version: str | None) -> None:
    try:
        code = hiprtc.compiled(hiprtc.found(card.library, ladder.step, version), ladder.step, _architecture(card))
    except hiprtc.Unavailable as none:
        byte = fresh(1)
        rocm_compute.filled(card, memory, byte[0], SIZE)
        same("memory that the card filled", byte * SIZE, rocm_compute.read(card, memory, SIZE))
        ladder.not_possible(f"{none.because}; the card filled {SIZE // _MIB} MiB rightly", none.code, none.name)
        return
    values = fresh(SIZE)
    rocm_compute.written(card, memory, values)
    rocm_compute.computed(card, code, memory)
    same("what the kernel computed", expected(values), rocm_compute.read(card, memory, SIZE))
    ladder.figures({"elements": ELEMENTS})


def _architecture(card: Card) -> str:
    properties = card.properties()
    if properties is None:
        function = rocm_properties.function_of(card.library)
        raise hiprtc.Unavailable(f"no program can be made for a card whose architecture `{function}` does not tell")
    return properties.arch


def _multiply(card: Card, ladder: Ladder, version: str | None) -> None:
    try:
        library = rocblas.found(card.library, ladder.step, version, ladder.toolkits)
    except Failed as refused:
        ladder.facts({"rocblas": None})
        ladder.not_possible(f"there is no rocBLAS: {refused.message}")
        return
    ladder.facts({"rocblas": loaded_path(library)})
    free, _ = rocm.memory(card)
    room.refuse_without(_FOR_ROCBLAS, free, "rocBLAS was not started")
    rocblas_product.compared(card, library)


def _time(card: Card, ladder: Ladder, before: tuple[c_void_p, c_void_p]) -> None:
    for memory in before:
        rocm_compute.freed(card, memory)
    free, _ = rocm.memory(card)
    bandwidth.time_copies(
        ladder,
        free,
        make=lambda host, there: [
            rocm_compute.page_locked(card, host),
            *(rocm_compute.allocated(card, there) for _ in range(2)),
        ],
        copying=lambda way, source, target, size: rocm_compute.copying(source, target, size, _KINDS[way]),
        seconds=functools.partial(rocm_compute.seconds, card),
        out_of_memory=(OUT_OF_MEMORY,),
    )
