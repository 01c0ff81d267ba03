"""Memory of the card of the current context: taken, written, read and given back, each call announced and checked."""

from __future__ import annotations

from ctypes import byref, c_char_p, c_size_t, c_uint64, create_string_buffer

from gpuprobe.backends import calling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.backends.cuda.card import Card


def allocated(card: Card, size: int) -> c_uint64:
    """The address of so many bytes of the card's memory."""
    where = c_uint64(0)
    card.check("cuMemAlloc_v2", byref(where), c_size_t(size))
    if not where.value:
        raise calling.Failed("call_failed", "`cuMemAlloc_v2` reported success but gave no memory")
    return where


def freed(card: Card, where: c_uint64) -> None:
    card.check("cuMemFree_v2", where)


def read(card: Card, where: c_uint64, size: int) -> bytes:
    """What stands in the card's memory, as a copy back gives it."""
    back = create_string_buffer(size)
    card.check("cuMemcpyDtoH_v2", back, where, c_size_t(size))
    return back.raw


def written(card: Card, where: c_uint64, content: bytes) -> None:
    card.check("cuMemcpyHtoD_v2", where, c_char_p(content), c_size_t(len(content)))
