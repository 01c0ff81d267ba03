"""ROCm's stages: after the context memory, copies and a kernel on exactly the wanted card, then rocBLAS and timed copies.

The kernel is compiled by hiprtc, which a runtime may come without; then memory that the card fills must do, and it is said so.
"""

from __future__ import annotations

from gpuprobe.backends import bandwidth, headroom, stages
from gpuprobe.backends.calling import Failed, loaded_path
from gpuprobe.backends.comparing import fresh, same
from gpuprobe.backends.known_kernel import ELEMENTS, SIZE, expected
from gpuprobe.backends.rocm import blas, compute, kernel, listing, product, structs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import c_void_p

    from gpuprobe.backends.rocm.card import Card

OUT_OF_MEMORY = 2
_MIB = 1 << 20
_FOR_ROCBLAS = 128 * _MIB  # its workspace is 32 MiB, on MI300 128 (rocBLAS documentation, device memory allocation)
_KINDS = {"to_device": compute.TO_CARD, "from_device": compute.FROM_CARD, "on_device": compute.ON_CARD}


class Work(stages.Work):
    version: str | None  # of the runtime
    card: Card
    free: int  # bytes, as the context was made
    buffers: tuple[c_void_p, c_void_p]


def start(work: Work) -> None:
    work.version = listing.start(work.library, work.validation.announce, work.validation.facts)["runtime_version"]


def find(work: Work) -> None:
    work.card = listing.find(work.library, work.validation.announce, work.device)


def make_context(work: Work) -> None:
    work.free, total = work.card.make_context()
    work.validation.facts({"free_memory": work.free, "total_memory": total})
    work.validation.figures({"free_bytes": work.free, "total_bytes": total})


def allocate(work: Work) -> None:
    headroom.refuse_without(2 * SIZE, work.free)
    try:
        work.buffers = compute.allocated(work.card, SIZE), compute.allocated(work.card, SIZE)
    except Failed as failed:
        raise headroom.on_a_free_card(failed, work.free) if failed.code == OUT_OF_MEMORY else failed from None
    work.validation.figures({"allocated_bytes": 2 * SIZE})


def copy(work: Work) -> None:
    """To the card, across it, and back."""
    card, (one, other), pattern = work.card, work.buffers, fresh(SIZE)
    compute.written(card, one, pattern)
    compute.moved(card, one, other, SIZE)
    same("what was copied to the card and back", pattern, compute.read(card, other, SIZE))


def run_kernel(work: Work) -> None:
    card, memory, announce = work.card, work.buffers[0], work.validation.announce
    try:
        code = kernel.compiled(kernel.found(card.library, announce, work.version), announce, _architecture(card))
    except kernel.Unavailable as none:
        byte = fresh(1)
        compute.filled(card, memory, byte[0], SIZE)
        same("memory that the card filled", byte * SIZE, compute.read(card, memory, SIZE))
        because = f"{none.because}; the card filled {SIZE // _MIB} MiB correctly"
        work.validation.not_possible(because, none.code, none.name)
        return
    values = fresh(SIZE)
    compute.written(card, memory, values)
    compute.computed(card, code, memory)
    same("what the kernel computed", expected(values), compute.read(card, memory, SIZE))
    work.validation.figures({"elements": ELEMENTS})


def _architecture(card: Card) -> str:
    properties = card.properties()
    if properties is None:
        function = structs.function_of(card.library)
        raise kernel.Unavailable(f"no program can be made for a card whose architecture `{function}` does not report")
    return properties.arch


def multiply(work: Work) -> None:
    validation = work.validation
    try:
        library = blas.found(work.library, validation.announce, work.version, validation.toolkits)
    except Failed as refused:
        validation.facts({"rocblas": None})
        validation.not_possible(f"there is no rocBLAS: {refused.message}")
        return
    validation.facts({"rocblas": loaded_path(library)})
    free, _ = work.card.memory()
    headroom.refuse_without(_FOR_ROCBLAS, free, "rocBLAS was not started")
    product.compared(work.card, library)


def time_copies(work: Work) -> None:
    card = work.card
    for memory in work.buffers:
        compute.freed(card, memory)
    free, _ = card.memory()
    bandwidth.time_copies(
        work.validation,
        free,
        make=lambda host, there: [
            compute.page_locked(card, host),
            *(compute.allocated(card, there) for _ in range(2)),
        ],
        copying=lambda way, source, target, size: compute.copying(source, target, size, _KINDS[way]),
        seconds=lambda copy, count: compute.seconds(card, copy, count),
        out_of_memory=(OUT_OF_MEMORY,),
    )


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
