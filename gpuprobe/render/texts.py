"""The texts of the commands, part by part: the first line, tables, reasons, the CPU and the notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gpuprobe.doctor import card_status, refreshed
from gpuprobe.doctor import notes as machine_notes
from gpuprobe.doctor.refreshed import Refreshment, measured
from gpuprobe.model import Device, Inventory
from gpuprobe.render import tables, wording
from gpuprobe.render.ink import Text
from gpuprobe.strings import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from rich.console import RenderableType

    from gpuprobe.doctor.unviewed import Unviewed
    from gpuprobe.judging.flash_attention import Effective, FlashAnswer
    from gpuprobe.judging.views import View
    from gpuprobe.render.live import Remembered
    from gpuprobe.render.live_lines import History
    from gpuprobe.render.part import Part
else:
    Protocol = object


class Detail(Protocol):
    """How much of an answer its text shows."""

    @property
    def verbose(self) -> bool: ...

    @property
    def quiet(self) -> bool: ...


def line(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style)


def list_text(
    inventory: Inventory, part: Part, text: str, detail: Detail, *, width: int, with_all: bool
) -> Iterator[RenderableType]:
    from gpuprobe.render import everything
    from gpuprobe.render.machine_text import bystanders, processor_line

    yield line(text, "bold")
    if part.one:
        yield from _one(inventory, part)
    else:
        yield from tables.device_table(part.kept, width)
    yield from tables.unusable_cards(part.card_statuses)
    if not part.one:
        if not part.card_statuses or with_all:
            yield from bystanders(card_status.bystanders(inventory))
        yield processor_line(inventory.evidence.host)
    if with_all:
        yield from everything.libraries(inventory.evidence.outcomes, detail.verbose)
        yield from everything.all_views(inventory)
    elif detail.verbose:
        yield from everything.verbose_outcomes(inventory.evidence.outcomes)
    if not detail.quiet:
        yield from tables.notes(machine_notes.of_inventory(inventory))
        if part.card_statuses and not part.one:
            yield line(_WHERE_NEXT[all(each.why is None for each in part.card_statuses)], "dim")


# Whether every card is usable → what a person asks next.
_WHERE_NEXT = {
    True: "A program is on the CPU all the same: see `gpuprobe doctor --for ollama`",
    False: "The evidence, and what to do step by step: `gpuprobe doctor`",
}


def _one(inventory: Inventory, part: Part) -> Iterator[RenderableType]:
    from gpuprobe.render import everything, software_text
    from gpuprobe.render.device import record
    from gpuprobe.render.machine_document import card_record

    for device in part.kept:
        yield Text.assemble((wording.numbered(device), "bold green"), f"  {wording.name_of(device)}")
        shown = software_text.with_loads(record(device, inventory), part.loads)
        compatibility = shown.pop("compatibility", [])
        card = next((each for each in part.card_statuses if device in each.devices), None)
        link = {} if card is None else {"link": card_record(card, inventory.evidence.host)["link"]}
        yield from everything.one_device({**shown, **link})
        yield from software_text.lines(compatibility)
    for drop in part.drops:
        yield from everything.dropped(drop)


def validate_text(
    inventory: Inventory,
    shown: Sequence[View],
    others: Sequence[Unviewed],
    text: str,
    detail: Detail,
    *,
    width: int,
    notes: Sequence[str],
    seconds: float | None,
) -> Iterator[RenderableType]:
    """`others`: the cards without a view; `seconds`: how long everything took, None where a capture was judged."""
    from gpuprobe.render import everything, matrix

    yield line(text if seconds is None or not shown else f"{text}, in {wording.seconds_of(seconds)}", "bold")
    if shown:
        yield from matrix.matrix(shown, width)
        yield from matrix.details(shown, inventory.evidence.host)
        yield from matrix.impossible(shown)
        yield from matrix.copies(shown)
    yield from tables.cards_without_view(others)
    if detail.verbose:
        yield from matrix.stage_times(shown)
        yield from everything.verbose_outcomes(inventory.evidence.outcomes)
    if not detail.quiet:
        yield from tables.notes([*notes, *machine_notes.of_inventory(inventory)])


_ANSWERS = {True: "yes", False: "no", None: "unknown"}


def flash_attn_text(
    inventory: Inventory, chosen: Sequence[Device], answer: FlashAnswer, effective: Effective, detail: Detail
) -> Iterator[RenderableType]:
    from gpuprobe.judging.flash_attention import of_device

    yield line(f"flash attention: {_ANSWERS[answer.supported]}; {answer.because}", "bold")
    for device in chosen:
        own = of_device(device)
        yield tables.indented(f"{wording.numbered(device)}: {_ANSWERS[own.supported]} ({own.rule}); {printable(own.because)}")
    if chosen:
        yield line(f"with your settings: flash attention {effective.flash_attention}, KV cache {effective.cache_type}")
        for sentence in effective.because:
            yield tables.indented(printable(sentence))
    if not detail.quiet:
        yield from tables.notes(machine_notes.of_inventory(inventory))


def watch_text(
    answer: Refreshment,
    detail: Detail,
    width: int,
    *,
    diff: bool,
    every: float,
    histories: Mapping[int, History],
    notes: Sequence[str],
    height: int | None = None,
    is_last: bool = False,
    remembered: Remembered | None = None,
) -> Iterator[RenderableType]:
    """`notes`: those on the machine. `remembered`: of the readings before."""
    from gpuprobe.render import live

    now = answer.evidence.gathered_at
    yield line(refreshed.headline(answer), "bold")
    ends = "" if is_last else "; Ctrl-C ends it" if height is None else "; q or Ctrl-C ends it"
    yield line(f"{now}, every {every:g} s{ends}", "dim")
    yield from live.live_table(answer.figures, histories, now, width, height, remembered=remembered)
    yield from _below_the_figures(answer, detail, diff, notes)


def refresh_text(answer: Refreshment, text: str, detail: Detail, width: int, diff: bool) -> Iterator[RenderableType]:
    from gpuprobe.render import memory

    yield line(text, "bold")
    yield from memory.memory_table(answer.figures, answer.evidence.gathered_at, width)
    notes = () if detail.quiet else machine_notes.of_inventory(measured(answer))
    yield from _below_the_figures(answer, detail, diff, notes)


def _below_the_figures(answer: Refreshment, detail: Detail, diff: bool, notes: Sequence[str]) -> Iterator[RenderableType]:
    if diff or detail.verbose:
        from gpuprobe.render import everything, memory

    if diff:
        yield memory.change_line(answer.changes, answer.compared_with)
    if detail.verbose:
        yield from everything.verbose_outcomes(answer.evidence.outcomes)
        yield from memory.servers(answer.servers)
    if not detail.quiet:
        yield from tables.notes([*refreshed.notes_of(answer), *notes])
