"""One small product by rocBLAS on the card of the current context, compared with the same on the processor."""

from __future__ import annotations

from array import array
from ctypes import byref, c_float, c_int

from gpuprobe.backends import comparing
from gpuprobe.backends.rocm import blas, compute
from gpuprobe.backends.small_product import SIDE, matrix, product

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL

    from gpuprobe.backends.rocm.card import Card

NOT_TURNED = 111  # rocblas_operation_none


def compared(card: Card, library: CDLL) -> None:
    """Raises Wrong where an element differs. The result's place holds no numbers before, so that nothing else can be right."""
    left, right, size = matrix(), matrix(), 4 * SIDE * SIDE
    handle = blas.handle(library, card.announce)
    buffers = [compute.allocated(card, size) for _ in range(3)]
    for buffer, content in zip(buffers, (left, right, array("f", [float("nan")] * SIDE * SIDE)), strict=True):
        compute.written(card, buffer, content.tobytes())
    side, as_it_is, one, nothing = c_int(SIDE), c_int(NOT_TURNED), c_float(1), c_float(0)
    operands = (byref(one), buffers[0], side, buffers[1], side, byref(nothing), buffers[2], side)
    blas.check(library, card.announce, "rocblas_sgemm", handle, as_it_is, as_it_is, side, side, side, *operands)
    card.check("hipDeviceSynchronize")
    found = compute.read(card, buffers[2], size)
    comparing.same("the product by rocBLAS", product(left, right).tobytes(), found, kind="f")
    blas.check(library, card.announce, "rocblas_destroy_handle", handle)
    for buffer in buffers:
        compute.freed(card, buffer)
