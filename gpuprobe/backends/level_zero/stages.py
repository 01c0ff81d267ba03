"""Level Zero's stages: memory on one device, a pattern there and back, a kernel whose every element is compared, timed copies.

Level Zero brings no library of matrix products, so there is no stage for one.
"""

from __future__ import annotations

from ctypes import string_at

from gpuprobe.backends import bandwidth, headroom, stages
from gpuprobe.backends.calling import Failed
from gpuprobe.backends.comparing import fresh, same
from gpuprobe.backends.known_kernel import ELEMENTS, GROUP, SIZE, expected
from gpuprobe.backends.level_zero import compute, listing, results
from gpuprobe.backends.level_zero.compute import Context, NoCompiler
from gpuprobe.backends.level_zero.sysman import Sysman

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import c_void_p

    from gpuprobe.backends.level_zero.card import Card
    from gpuprobe.backends.level_zero.session import Session

_OUT_OF_MEMORY = (results.OUT_OF_HOST_MEMORY, results.OUT_OF_DEVICE_MEMORY)


class Work(stages.Work):
    session: Session
    drivers: list[c_void_p]
    card: Card
    free: int | None  # bytes, before anything was taken
    context: Context
    host: c_void_p
    there: c_void_p  # in the card's own memory


def start(work: Work) -> None:
    work.session, work.drivers = listing.start(work.library, work.validation.announce)


def find(work: Work) -> None:
    work.card = listing.find(listing.listed(work.session, work.drivers), work.device)
    work.free = Sysman(work.session).free_memory(work.card.handle, work.card.uuid, work.card.integrated is True, {})


def make_context(work: Work) -> None:
    work.session.judge = results.validation_status
    work.context = Context(work.session, work.card)
    work.session.judge = results.proof_status


def allocate(work: Work) -> None:
    free = work.free
    work.validation.figures({"free_bytes": free} if free is not None else {})
    headroom.refuse_without(SIZE, free)
    try:
        work.host, work.there = work.context.host_memory(SIZE), work.context.card_memory(SIZE)
    except Failed as failed:
        raise headroom.on_a_free_card(failed, free) if failed.code == results.OUT_OF_DEVICE_MEMORY else failed from None
    work.validation.figures({"allocated_bytes": SIZE})


def copy(work: Work) -> None:
    work.context.get_ready()
    context, host, there, pattern = work.context, work.host, work.there, fresh(SIZE)
    compute.write(host, pattern)
    context.do(context.copying(host, there, SIZE))
    compute.write(host, bytes(SIZE))
    context.do(context.copying(there, host, SIZE))
    same("what was copied to the device and back", pattern, string_at(host, SIZE))


def run_kernel(work: Work) -> None:
    context, host, there = work.context, work.host, work.there
    try:
        kernel = context.computing(there, ELEMENTS // GROUP)
    except NoCompiler as none:
        work.validation.not_possible("the driver has no compiler", none.code, results.NAMES.get(none.code))
        return
    values = fresh(SIZE)
    compute.write(host, values)
    context.do(context.copying(host, there, SIZE), kernel, context.copying(there, host, SIZE))
    same("what the kernel computed", expected(values), string_at(host, SIZE))
    work.validation.figures({"elements": ELEMENTS})


def time_copies(work: Work) -> None:
    context = work.context
    for memory in (work.host, work.there):
        context.discard(memory)
    bandwidth.time_copies(
        work.validation,
        work.free,
        make=lambda host, there: (context.host_memory(host), context.card_memory(there), context.card_memory(there)),
        copying=lambda way, source, target, size: context.copying(source, target, size),
        seconds=lambda copying, count: context.do(*[copying] * count),
        out_of_memory=_OUT_OF_MEMORY,
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
