"""Memory of the card of the current context: taken, written, read and given back, each call announced and checked."""

from __future__ import annotations

from ctypes import byref, c_char_p, c_size_t, c_uint64, create_string_buffer

from gpuprobe.backends import calling, cuda_results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.backends.cuda import Card

MiB = 1 << 20


def run(card: Card, function: str, *arguments: object) -> None:
    """A call without which the rung is not passed."""
    card.step(function)
    code = calling.required(card.library, function)(*arguments)
    if code:
        raise cuda_results.failure(cuda_results.proof_status(code), function, code, card.library)


def allocated(card: Card, size: int) -> c_uint64:
    """The address of so many bytes of the card's memory."""
    where = c_uint64(0)
    run(card, "cuMemAlloc_v2", byref(where), c_size_t(size))
    if not where.value:
        raise calling.Failed("call_failed", "`cuMemAlloc_v2` answered success and gave no memory")
    return where


def freed(card: Card, where: c_uint64) -> None:
    run(card, "cuMemFree_v2", where)


def read(card: Card, where: c_uint64, size: int) -> bytes:
    """What stands in the card's memory, as a copy back gives it."""
    back = create_string_buffer(size)
    run(card, "cuMemcpyDtoH_v2", back, where, c_size_t(size))
    return back.raw


def written(card: Card, where: c_uint64, content: bytes) -> None:
    run(card, "cuMemcpyHtoD_v2", where, c_char_p(content), c_size_t(len(content)))
