"""Metal's stages: memory on one device, a pattern there and back, a kernel whose every element is compared, and timed copies.

The system's own compiler makes the kernel from its source. Metal has no library of matrix products among its functions.
"""

from __future__ import annotations

from ctypes import c_void_p

from gpuprobe.backends import bandwidth, stages
from gpuprobe.backends.comparing import fresh, same
from gpuprobe.backends.known_kernel import ELEMENTS, SIZE, expected
from gpuprobe.backends.metal import kernel, listing
from gpuprobe.backends.metal.card import Card

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.backends.metal.objective_c import Runtime


class Work(stages.Work):
    runtime: Runtime
    found: int  # the device's address
    card: Card
    free: int | None  # bytes, before anything was taken
    host: int
    there: int  # in the card's own memory


def start(work: Work) -> None:
    work.runtime = listing.start(work.library, work.validation.announce)


def find(work: Work) -> None:
    work.found = listing.find(work.library, work.runtime, work.device)


def make_context(work: Work) -> None:
    work.card = Card(work.runtime, work.found)


def allocate(work: Work) -> None:
    work.free = listing.free_memory(work.runtime, work.found)
    work.host, work.there = work.card.buffer(SIZE, listing.SHARED), work.card.buffer(SIZE, listing.PRIVATE)
    work.validation.figures({"allocated_bytes": 2 * SIZE})


def copy(work: Work) -> None:
    card, host, there, pattern = work.card, work.host, work.there, fresh(SIZE)
    card.write(host, pattern)
    card.do(card.copying(host, there, SIZE))
    card.write(host, bytes(SIZE))
    card.do(card.copying(there, host, SIZE))
    same("what was copied to the device and back", pattern, card.read(host))


def run_kernel(work: Work) -> None:
    card, host, there = work.card, work.host, work.there
    source = card.runtime.string(kernel.SOURCE)
    library, words = card.runtime.made(card.device, "newLibraryWithSource:options:error:", source, c_void_p())
    if library is None:
        because = f"the system's compiler made no kernel of its source: {words or 'it gives no reason'}"
        work.validation.not_possible(because)
        return
    pipeline, values = card.pipeline(library), fresh(SIZE)
    card.write(host, values)
    card.do(card.copying(host, there, SIZE), card.computing(pipeline, there), card.copying(there, host, SIZE))
    same("what the kernel computed", expected(values), card.read(host))
    work.validation.figures({"elements": ELEMENTS})


def time_copies(work: Work) -> None:
    card = work.card
    bandwidth.time_copies(
        work.validation,
        work.free,
        make=lambda host, there: (card.buffer(host, listing.SHARED), *(card.buffer(there, listing.PRIVATE) for _ in range(2))),
        copying=lambda way, source, target, size: card.copying(source, target, size),
        seconds=lambda copying, count: card.do(*[copying] * count),
    )


STAGES = (
    ("init", start),
    ("list", find),
    ("context", make_context),
    ("allocate", allocate),
    ("copy", copy),
    ("kernel", run_kernel),
    ("bandwidth", time_copies),
)
