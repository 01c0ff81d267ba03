"""ggml builds: memory through the build's own buffers, and one matrix product through its own graph.

It is what inference asks of the build, by public functions only: the structures behind them change with every release. It has
no stages for a kernel and a BLAS of its own; the product is both.
"""

from __future__ import annotations

from array import array

from gpuprobe.backends import calling, comparing, stages
from gpuprobe.backends.ggml import description, listing
from gpuprobe.backends.ggml.card import COLUMNS, COPIED, FLOAT_BYTES, LENGTH, ROWS, Card

# Builds compute in what suits the card: 32-bit floats, TF32, or 16-bit floats on matrix cores, in any order. Factors of these
# values and every sum of `LENGTH` of their products (576 at the most) are exact in all of them, which count to 2048 without a
# gap. So the tolerance is none: whatever differs is wrong, and not rounding.
_VALUES = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)

_FOR_TENSORS = ("ggml_init", "ggml_new_tensor_2d", "ggml_tensor_overhead", "ggml_graph_overhead")
_FOR_BUFFERS = (*_FOR_TENSORS, "ggml_backend_alloc_ctx_tensors")
_FOR_COPIES = ("ggml_backend_tensor_set", "ggml_backend_tensor_get")
_FOR_PRODUCTS = ("ggml_mul_mat", "ggml_new_graph", "ggml_build_forward_expand", "ggml_backend_graph_compute")


class Work(stages.Work):
    """Its `library` is the build."""

    registry: int
    handle: int
    backend: int = 0
    card: Card | None = None

    def give_back(self) -> None:
        if self.card is not None:
            self.card.give_back()
        if self.backend:
            self.library.call("ggml_backend_free", self.backend)


def start(work: Work) -> None:
    work.registry = listing.start(work.library, work.validation.announce)
    work.validation.facts(description.facts_of(work.library, work.registry))


def find(work: Work) -> None:
    work.handle = listing.find(work.library, work.registry, work.device)


def make_context(work: Work) -> None:
    work.backend = listing.backend_on(work.library, work.handle)
    work.validation.facts(listing.memory_on(work.library, work.handle))


def allocate(work: Work) -> None:
    build = work.library
    if not _has(work, _FOR_BUFFERS):
        return
    work.card = card = Card(build, work.handle, work.backend)
    card.buffer = build.call("ggml_backend_alloc_ctx_tensors", card.context, card.backend)
    if not card.buffer:
        words = build.last_words() or "it gives no reason"
        raise calling.Failed("busy", f"`ggml_backend_alloc_ctx_tensors` got no memory on the device: {words}")
    if build.has("ggml_backend_buffer_get_size"):
        work.validation.figures({"allocated_bytes": build.call("ggml_backend_buffer_get_size", card.buffer)})


def copy(work: Work) -> None:
    if work.card is not None and _has(work, _FOR_COPIES):
        sent = comparing.fresh(COPIED[0] * COPIED[1] * FLOAT_BYTES)
        work.card.write(work.card.copied, sent)
        comparing.same("what was copied to the device and back", sent, work.card.read(work.card.copied, len(sent)))


def multiply(work: Work) -> None:
    if work.card is not None and _has(work, _FOR_PRODUCTS):
        _multiply(work.card, work.validation)


def _has(work: Work, names: tuple[str, ...]) -> bool:
    """False, and the validation ends here, where this release of ggml lacks a function."""
    missing = [name for name in names if not work.library.has(name)]
    if missing:
        because = f"the build has no function `{missing[0]}`: its release of ggml is not known here"
        work.validation.not_possible(because, ends=True)
    return not missing


def _multiply(card: Card, validation: stages.Validation) -> None:
    build, product = card.build, card.product
    if build.has("ggml_backend_dev_supports_op") and not build.call("ggml_backend_dev_supports_op", card.device, product):
        validation.not_possible("the build says that it computes no matrix product of 32-bit floats on this device")
        return
    one, other = _factor(ROWS), _factor(COLUMNS)
    card.write(card.one, one.tobytes())
    card.write(card.other, other.tobytes())
    graph = build.call("ggml_new_graph", card.context)
    build.call("ggml_build_forward_expand", graph, product)
    code = build.call("ggml_backend_graph_compute", card.backend, graph)
    if code:
        words = build.last_words() or "it gives no reason"
        raise calling.Failed("call_failed", f"`ggml_backend_graph_compute` failed with {code}: {words}", code)
    expected = _product(one, other).tobytes()
    comparing.same("the matrix product", expected, card.read(product or 0, len(expected)), FLOAT_BYTES, "f")


def _factor(rows: int) -> array[float]:
    return array("f", (_VALUES[each % len(_VALUES)] for each in comparing.fresh(LENGTH * rows)))


def _product(one: array[float], other: array[float]) -> array[float]:
    """Each row of `other` with each row of `one`, as ggml_mul_mat answers them."""
    rows = [one[start : start + LENGTH] for start in range(0, len(one), LENGTH)]
    columns = [other[start : start + LENGTH] for start in range(0, len(other), LENGTH)]
    return array("f", (sum(map(_times, row, column)) for column in columns for row in rows))


def _times(one: float, other: float) -> float:
    return one * other


STAGES = (
    ("init", start),
    ("list", find),
    ("context", make_context),
    ("allocate", allocate),
    ("copy", copy),
    ("product", multiply),
)
