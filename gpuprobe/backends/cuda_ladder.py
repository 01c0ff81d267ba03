"""CUDA's ladder: after the context memory, copies and a kernel on exactly the wanted card, then cuBLAS and timed copies.

The kernel is PTX, which the driver's own compiler makes into code for whatever card it meets: no toolkit is needed.
"""

from __future__ import annotations

from ctypes import c_size_t

from gpuprobe.backends import calling, comparing, cuda, cuda_blas, cuda_copies, cuda_kernel, cuda_memory, cuda_witness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL, c_uint64
    from typing import Any

    from gpuprobe.backends.climbing import Ladder
    from gpuprobe.backends.cuda import Card
    from gpuprobe.backends.cuda_witness import Witness

    Json = dict[str, Any]

MiB = 1 << 20

# An idle context takes about 300 MB of a card (notes of vLLM and PyTorch users; drivers 470 to 580); the rest is for the
# buffers and what the driver's compiler brings along.
CONTEXT_BYTES = 320 * MiB


def climb(library: CDLL, ladder: Ladder, device: Json) -> None:
    """From the driver's start to timed copies; raises Failed where the library or the card ends it."""
    if not ladder.rung("init"):
        return
    cuda.started(library, ladder.step, ladder.facts)
    if not ladder.rung("list"):
        return
    card = cuda.wanted_card(library, ladder.step, device)
    if not ladder.rung("context"):
        return
    witness = cuda_witness.witness_of(card.uuid(" MIG " in (card.name() or "")), ladder.step)
    try:
        before = _free_before(card, witness)
        _make_context(card, ladder, before)
        _use(card, ladder, witness)
        _tell_what_it_took(card, ladder, before)
    except calling.Failed as failed:
        raise _with_holders(failed, witness) from None
    cuda_memory.run(card, "cuDevicePrimaryCtxRelease_v2", card.handle)


def _free_before(card: Card, witness: Witness) -> int | None:
    """What is free before there is a context; Failed("busy") where one would not fit. An integrated card's memory is the
    system's, which gives back what it holds for files."""
    free = witness.free_memory()
    if free is not None and free < CONTEXT_BYTES and not card.attribute("type", cuda.INTEGRATED):
        raise calling.Failed(
            "busy",
            f"{free // MiB} MiB of the card's memory are free, and a context and what is tried in it take about "
            f"{CONTEXT_BYTES // MiB} MiB: nothing was tried; end programs that hold it, or ask again later",
        )
    return free


def _with_holders(failed: calling.Failed, witness: Witness) -> calling.Failed:
    """The same failure; where somebody else has the card, with the processes that the witness names."""
    holders = witness.holders() if failed.status == "busy" else ""
    if holders:
        failed.message = f"{failed.message} ({holders})"
    return failed


def _make_context(card: Card, ladder: Ladder, before: int | None) -> None:
    cuda.make_context(card)
    free, total = cuda.memory(card)
    ladder.facts({"free_memory": free, "total_memory": total})
    taken = {} if before is None or before < free else {"free_before_bytes": before, "context_bytes": before - free}
    ladder.figures({**taken, "free_bytes": free, "total_bytes": total})


def _use(card: Card, ladder: Ladder, witness: Witness) -> None:
    if not ladder.rung("allocate"):
        return
    buffers = cuda_memory.allocated(card, cuda_kernel.BYTES), cuda_memory.allocated(card, cuda_kernel.BYTES)
    ladder.figures({"allocated_bytes": 2 * cuda_kernel.BYTES})
    if not ladder.rung("copy"):
        return
    pattern = _copied_there_and_back(card, buffers)
    if not ladder.rung("kernel"):
        return
    cuda_kernel.compute(card, ladder, buffers[0], pattern)
    for buffer in buffers:
        cuda_memory.freed(card, buffer)
    if ladder.rung("blas"):
        cuda_blas.products(card, ladder)
        if ladder.rung("bandwidth"):
            cuda_copies.time_copies(card, ladder, witness)


def _copied_there_and_back(card: Card, buffers: tuple[c_uint64, c_uint64]) -> bytes:
    """To the card, across it, and back; gives the pattern, which stands in both buffers."""
    pattern = comparing.fresh(cuda_kernel.BYTES)
    cuda_memory.written(card, buffers[0], pattern)
    cuda_memory.run(card, "cuMemcpyDtoD_v2", buffers[1], buffers[0], c_size_t(cuda_kernel.BYTES))
    comparing.same("the copy to the card and back", pattern, cuda_memory.read(card, buffers[1], cuda_kernel.BYTES))
    return pattern


def _tell_what_it_took(card: Card, ladder: Ladder, before: int | None) -> None:
    """The memory that a whole climb holds at its end: the context and what cuBLAS and the compiler have left in it."""
    free, _ = cuda.memory(card)
    if before is not None and before > free:
        ladder.figures({"held_bytes": before - free})
