"""An AMD card that is put to work through HIP: memory, copies, a program and its start, each call announced and checked."""

from __future__ import annotations

import time
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint, c_void_p, cast, create_string_buffer, pointer

from gpuprobe.backends import calling, known_kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from ctypes import Array, c_char

    from gpuprobe.backends.rocm.card import Card

TO_CARD, FROM_CARD, ON_CARD = 1, 2, 3  # hipMemcpyKind


def allocated(card: Card, size: int) -> c_void_p:
    made = c_void_p()
    card.check("hipMalloc", byref(made), c_size_t(size))
    return _there("hipMalloc", made)


def page_locked(card: Card, size: int) -> c_void_p:
    """Memory of the machine that cannot be moved: only that reaches what the link gives."""
    made = c_void_p()
    card.check("hipHostMalloc", byref(made), c_size_t(size), c_uint(0))
    return _there("hipHostMalloc", made)


def freed(card: Card, memory: c_void_p) -> None:
    card.check("hipFree", memory)


def written(card: Card, memory: c_void_p, content: bytes) -> None:
    card.check("hipMemcpy", memory, c_char_p(content), c_size_t(len(content)), c_int(TO_CARD))


def moved(card: Card, source: c_void_p, target: c_void_p, size: int) -> None:
    card.check("hipMemcpy", target, source, c_size_t(size), c_int(ON_CARD))


def read(card: Card, memory: c_void_p, size: int) -> bytes:
    found: Array[c_char] = create_string_buffer(size)
    card.check("hipMemcpy", found, memory, c_size_t(size), c_int(FROM_CARD))
    return found.raw


def filled(card: Card, memory: c_void_p, byte: int, size: int) -> None:
    card.check("hipMemset", memory, c_int(byte), c_size_t(size))
    card.check("hipDeviceSynchronize")


def computed(card: Card, code: bytes, memory: c_void_p) -> None:
    """Loads the known kernel's code and runs it over the memory."""
    module, function, argument = c_void_p(), c_void_p(), c_void_p(memory.value)
    card.check("hipModuleLoadData", byref(module), c_char_p(code))
    card.check("hipModuleGetFunction", byref(function), module, c_char_p(known_kernel.NAME.encode()))
    arguments = (c_void_p * 1)(cast(pointer(argument), c_void_p))
    groups = known_kernel.ELEMENTS // known_kernel.GROUP
    grid, block = (c_uint(groups), c_uint(1), c_uint(1)), (c_uint(known_kernel.GROUP), c_uint(1), c_uint(1))
    _there("hipModuleGetFunction", function)
    card.check("hipModuleLaunchKernel", function, *grid, *block, c_uint(0), None, arguments, None)
    card.check("hipDeviceSynchronize")
    card.check("hipModuleUnload", module)


def seconds(card: Card, copy: Sequence[object], count: int) -> float:
    """How long so many copies take, from giving them to the card to their end; a copy is made by `copying`."""
    card.announce("hipMemcpyAsync")
    began = time.perf_counter()
    for _ in range(count):
        card.check_unannounced("hipMemcpyAsync", *copy, None)
    card.check_unannounced("hipStreamSynchronize", None)
    return time.perf_counter() - began


def copying(source: c_void_p, target: c_void_p, size: int, kind: int) -> tuple[object, ...]:
    return target, source, c_size_t(size), c_int(kind)


def _there(function: str, made: c_void_p) -> c_void_p:
    if not made:
        raise calling.Failed("call_failed", f"`{function}` reported success but gave nothing")
    return made
