"""CUDA's stages: after the context memory, copies and a kernel on exactly the wanted card, then cuBLAS and timed copies.

The kernel is PTX, which the driver's own compiler makes into code for whatever card it meets: no toolkit is needed.
"""

from __future__ import annotations

from ctypes import c_size_t

from gpuprobe.backends import calling, comparing, headroom, stages
from gpuprobe.backends.cuda import blas, compute, copies, kernel, listing
from gpuprobe.backends.cuda.card import INTEGRATED
from gpuprobe.backends.cuda.witness import witness_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import c_uint64

    from gpuprobe.backends.cuda.card import Card
    from gpuprobe.backends.cuda.witness import Witness
    from gpuprobe.backends.stages import Validation

MiB = 1 << 20

# An idle context takes about 300 MB of a card (notes of vLLM and PyTorch users; drivers 470 to 580); the rest is for the
# buffers and what the driver's compiler brings along.
CONTEXT_BYTES = 320 * MiB


class Work(stages.Work):
    card: Card
    before: int | None  # bytes that were free before there was a context
    buffers: tuple[c_uint64, c_uint64]
    pattern: bytes  # which stands in both buffers
    witness: Witness | None = None

    def give_back(self) -> None:
        if self.witness is not None:
            _tell_what_it_took(self.card, self.validation, self.before)
            self.card.check("cuDevicePrimaryCtxRelease_v2", self.card.handle)

    def explained(self, failed: calling.Failed) -> calling.Failed:
        """The same failure; where somebody else has the card, with the processes that the witness names."""
        holders = self.witness.holders() if self.witness is not None and failed.status == "busy" else ""
        if holders:
            failed.message = f"{failed.message} ({holders})"
        return failed


def start(work: Work) -> None:
    listing.start(work.library, work.validation.announce, work.validation.facts)


def find(work: Work) -> None:
    work.card = listing.find(work.library, work.validation.announce, work.device)


def make_context(work: Work) -> None:
    uuid = work.card.uuid(" MIG " in (work.card.name() or ""))
    work.witness = witness_of(uuid, work.validation.announce)
    work.before = _free_before(work.card, work.witness)
    work.card.make_context()
    free, total = work.card.memory()
    work.validation.facts({"free_memory": free, "total_memory": total})
    before = work.before
    taken = {} if before is None or before < free else {"free_before_bytes": before, "context_bytes": before - free}
    work.validation.figures({**taken, "free_bytes": free, "total_bytes": total})


def allocate(work: Work) -> None:
    work.buffers = compute.allocated(work.card, kernel.BYTES), compute.allocated(work.card, kernel.BYTES)
    work.validation.figures({"allocated_bytes": 2 * kernel.BYTES})


def copy(work: Work) -> None:
    """To the card, across it, and back."""
    card, (one, other), size = work.card, work.buffers, kernel.BYTES
    work.pattern = comparing.fresh(size)
    compute.written(card, one, work.pattern)
    card.check("cuMemcpyDtoD_v2", other, one, c_size_t(size))
    comparing.same("the copy to the card and back", work.pattern, compute.read(card, other, size))


def run_kernel(work: Work) -> None:
    kernel.run(work.card, work.validation, work.buffers[0], work.pattern)
    for buffer in work.buffers:
        compute.freed(work.card, buffer)


def multiply(work: Work) -> None:
    blas.products(work.card, work.validation)


def time_copies(work: Work) -> None:
    if work.witness is not None:
        copies.time_copies(work.card, work.validation, work.witness)


def _free_before(card: Card, witness: Witness) -> int | None:
    """What is free before there is a context; Failed("busy") where one would not fit. An integrated card's memory is the
    system's, which gives back what it holds for files."""
    free = witness.free_memory()
    if not card.attribute("type", INTEGRATED):
        headroom.refuse_without(CONTEXT_BYTES, free)
    return free


def _tell_what_it_took(card: Card, validation: Validation, before: int | None) -> None:
    """The memory that a whole validation holds at its end: the context and what cuBLAS and the compiler have left in it."""
    free, _ = card.memory()
    if before is not None and before > free:
        validation.figures({"held_bytes": before - free})


STAGES = (
    ("init", start),
    ("list", find),
    ("context", make_context),
    ("allocate", allocate),
    ("copy", copy),
    ("kernel", run_kernel),
    ("blas", multiply),
    ("bandwidth", time_copies),
)
