"""ggml builds: memory through the build's own buffers, and one matrix product through its own graph.

It is what inference asks of the build, by public functions only: the structures behind them change with every release. It has
no rungs for a kernel and a BLAS of its own; the product is both.
"""

from __future__ import annotations

from array import array
from ctypes import create_string_buffer

from gpuprobe.backends import calling, comparing, ggml, ggml_devices
from gpuprobe.backends.ggml_build import ContextParameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpuprobe.backends.climbing import Ladder
    from gpuprobe.backends.ggml_build import Build

    Json = dict[str, Any]

_F32, _FLOAT_BYTES = 0, 4
_COPIED = (1024, 1024)  # elements: 4 MiB there and back

# The two factors have rows of the same length; ggml answers their rows' products, `_ROWS` wide and `_COLUMNS` high.
_LENGTH, _ROWS, _COLUMNS = 64, 32, 16

# Builds compute in what suits the card: 32-bit floats, TF32, or 16-bit floats on matrix cores, in any order. Factors of these
# values and every sum of `_LENGTH` of their products (576 at the most) are exact in all of them, which count to 2048 without a
# gap. So the tolerance is none: whatever differs is wrong, and not rounding.
_VALUES = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)

_DESCRIBED = 16  # tensors and graphs that a context has room for; five are needed
_FOR_TENSORS = ("ggml_init", "ggml_new_tensor_2d", "ggml_tensor_overhead", "ggml_graph_overhead")
_FOR_BUFFERS = (*_FOR_TENSORS, "ggml_backend_alloc_ctx_tensors")
_FOR_COPIES = ("ggml_backend_tensor_set", "ggml_backend_tensor_get")
_FOR_PRODUCTS = ("ggml_mul_mat", "ggml_new_graph", "ggml_build_forward_expand", "ggml_backend_graph_compute")


class _Place:
    """Where the tensors of one climb are: the wanted device, the backend that was started on it, and their context."""

    def __init__(self, build: Build, device: int, backend: int) -> None:
        self.build, self.device, self.backend = build, device, backend
        self.buffer: int = 0
        described = build.call("ggml_tensor_overhead") * _DESCRIBED + build.call("ggml_graph_overhead")
        self.context: int = build.call("ggml_init", ContextParameters(described, None, True))
        if not self.context:
            raise calling.Failed("call_failed", "`ggml_init` made no context for a few tensors")
        self.copied = self._tensor(*_COPIED)
        self.one, self.other = self._tensor(_LENGTH, _ROWS), self._tensor(_LENGTH, _COLUMNS)
        self.product: int | None = None
        if build.has("ggml_mul_mat"):  # before the memory is taken: it is then taken for the result too
            self.product = build.call("ggml_mul_mat", self.context, self.one, self.other)

    def _tensor(self, width: int, height: int) -> int:
        made: int = self.build.call("ggml_new_tensor_2d", self.context, _F32, width, height)
        return made

    def write(self, tensor: int, content: bytes) -> None:
        self.build.call("ggml_backend_tensor_set", tensor, content, 0, len(content))

    def read(self, tensor: int, size: int) -> bytes:
        room = create_string_buffer(bytes([calling.SENTINEL]) * size, size)
        self.build.call("ggml_backend_tensor_get", tensor, room, 0, size)
        return room.raw

    def leave(self) -> None:
        for name, what in (("ggml_backend_buffer_free", self.buffer), ("ggml_free", self.context)):
            if what and self.build.has(name):
                self.build.call(name, what)


def climb(build: Build, ladder: Ladder, device: Json) -> None:
    """From the start of the build to one product that is right in every element; Wrong where one is not."""
    if not ladder.rung("init"):
        return
    registry = ggml.started(build, ladder.step)
    ladder.facts(ggml_devices.facts_of(build, registry))
    if not ladder.rung("list"):
        return
    handle = ggml.wanted(build, registry, device)
    if not ladder.rung("context"):
        return
    backend = ggml.backend_on(build, handle)
    ladder.facts(ggml.memory_on(build, handle))
    if ladder.rung("allocate") and _has(build, ladder, _FOR_BUFFERS):
        place = _Place(build, handle, backend)
        _allocate(place, ladder)
        _use(place, ladder)
        place.leave()
    build.call("ggml_backend_free", backend)


def _use(place: _Place, ladder: Ladder) -> None:
    if ladder.rung("copy") and _has(place.build, ladder, _FOR_COPIES):
        _copy(place)
        if ladder.rung("product") and _has(place.build, ladder, _FOR_PRODUCTS):
            _multiply(place, ladder)


def _has(build: Build, ladder: Ladder, names: tuple[str, ...]) -> bool:
    """False, and the rung is not possible, where this release of ggml lacks a function."""
    missing = [name for name in names if not build.has(name)]
    if missing:
        ladder.not_possible(f"the build has no function `{missing[0]}`: its release of ggml is not known here")
    return not missing


def _allocate(place: _Place, ladder: Ladder) -> None:
    place.buffer = place.build.call("ggml_backend_alloc_ctx_tensors", place.context, place.backend)
    if not place.buffer:
        words = place.build.last_words() or "it gives no reason"
        raise calling.Failed("busy", f"`ggml_backend_alloc_ctx_tensors` got no memory on the device: {words}")
    if place.build.has("ggml_backend_buffer_get_size"):
        ladder.figures({"allocated_bytes": place.build.call("ggml_backend_buffer_get_size", place.buffer)})


def _copy(place: _Place) -> None:
    sent = comparing.fresh(_COPIED[0] * _COPIED[1] * _FLOAT_BYTES)
    place.write(place.copied, sent)
    comparing.same("what was copied to the device and back", sent, place.read(place.copied, len(sent)))


def _multiply(place: _Place, ladder: Ladder) -> None:
    build, product = place.build, place.product
    if build.has("ggml_backend_dev_supports_op") and not build.call("ggml_backend_dev_supports_op", place.device, product):
        ladder.not_possible("the build says that it computes no matrix product of 32-bit floats on this device")
        return
    one, other = _factor(_ROWS), _factor(_COLUMNS)
    place.write(place.one, one.tobytes())
    place.write(place.other, other.tobytes())
    graph = build.call("ggml_new_graph", place.context)
    build.call("ggml_build_forward_expand", graph, product)
    code = build.call("ggml_backend_graph_compute", place.backend, graph)
    if code:
        words = build.last_words() or "it gives no reason"
        raise calling.Failed("call_failed", f"`ggml_backend_graph_compute` answered {code}: {words}", code)
    expected = _product(one, other).tobytes()
    comparing.same("the matrix product", expected, place.read(product or 0, len(expected)), _FLOAT_BYTES, "f")


def _factor(rows: int) -> array[float]:
    return array("f", (_VALUES[each % len(_VALUES)] for each in comparing.fresh(_LENGTH * rows)))


def _product(one: array[float], other: array[float]) -> array[float]:
    """Each row of `other` with each row of `one`, as ggml_mul_mat answers them."""
    rows = [one[start : start + _LENGTH] for start in range(0, len(one), _LENGTH)]
    columns = [other[start : start + _LENGTH] for start in range(0, len(other), _LENGTH)]
    return array("f", (sum(map(_times, row, column)) for column in columns for row in rows))


def _times(one: float, other: float) -> float:
    return one * other
