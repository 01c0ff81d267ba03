"""The text of `running`: a row for each process with its reason below it; of one that is named, the evidence too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gpuprobe.doctor.judged_process import Judged, Where
from gpuprobe.doctor.process_summary import Absent, headline, remarks
from gpuprobe.judging.held_memory import selector
from gpuprobe.render.tables import BLOCKS_BELOW, GAP, indented, notes, shortened
from gpuprobe.render.wording import UNKNOWN
from gpuprobe.running_now import Snapshot, holders_elsewhere
from gpuprobe.strings import printable, size_text

_HEADER = ("PID", "PROGRAM", "MODEL", "LAYERS", "HELD", "COMPUTES")
_SHORTEST_MODEL, _LONGEST_PROGRAM = 12, 24
_WORDS = {
    Where.ON_THE_GPU: ("on the GPU", "bold green"),
    Where.PARTLY: ("partly on it", "bold yellow"),
    Where.ON_THE_CPU: ("on the CPU", "bold red"),
    Where.RIGHTLY: ("on the CPU, rightly", "green"),
    Where.CANNOT_TELL: ("cannot tell", "bold yellow"),
}


def running_text(
    snapshot: Snapshot,
    shown: Sequence[Judged],
    absent: Absent,
    width: int,
    *,
    named: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> Iterator[RenderableType]:
    yield Text(printable(headline(shown, absent, snapshot.table)), style="bold")
    if named or width < BLOCKS_BELOW:
        for each in shown:
            yield from _block(each, with_evidence=named or verbose)
    elif shown:
        yield _table(shown, width)
        for alike in _alike(shown):
            yield from _reason(alike)
            if verbose:
                for each in alike:
                    yield from _evidence(each)
    yield from _loads(snapshot)
    if not quiet:
        said = remarks(snapshot.table, holders_elsewhere(snapshot), absent, shown, as_root=snapshot.as_root)
        yield from notes([*said, *snapshot.remarks])


def _loads(snapshot: Snapshot) -> Iterator[RenderableType]:
    for figure in snapshot.figures:
        busy = figure.activity.utilization if figure.activity else None
        if busy is not None:
            yield Text(f"{selector(figure.device)} is {busy} % busy now", style="dim")


def _table(shown: Sequence[Judged], width: int) -> Table:
    rows = [_row(each) for each in shown]
    taken = sum(max(len(row[place]) for row in (_HEADER, *rows)) + GAP for place in (0, 1, 3, 4, 5))
    room = max(_SHORTEST_MODEL, width - taken)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0), expand=False)
    for place, name in enumerate(_HEADER):
        table.add_column(name, no_wrap=True, justify="right" if place in (0, 4) else "left")
    for row, each in zip(rows, shown, strict=True):
        number, program, model, layers, held, words = row
        table.add_row(number, program, shortened(model, room), layers, held, Text(words, _WORDS[each.where][1]))
    return table


def _row(each: Judged) -> tuple[str, ...]:
    return (
        str(each.process.number),
        shortened(printable(each.name), _LONGEST_PROGRAM),
        model_text(each),
        layers_text(each),
        held_text(each),
        _WORDS[each.where][0],
    )


def model_text(each: Judged) -> str:
    """The last part of its path: the name of a blob of Ollama's is cut to what tells it from others."""
    model = printable(each.model or "").rstrip("/").rpartition("/")[2]
    if model.startswith("sha256-"):
        return model[:19]
    return model or UNKNOWN


def layers_text(each: Judged) -> str:
    if each.layers is None:
        return UNKNOWN
    return f"{each.layers.offloaded}/{UNKNOWN if each.layers.total is None else each.layers.total}"


def held_text(each: Judged) -> str:
    """`0` where somebody would tell, or where nothing is open."""
    if not each.holding.held:
        return "0" if each.holding.is_told or each.process.nodes == () else UNKNOWN
    if any(held.size is None for held in each.holding.held):
        return UNKNOWN
    return size_text(each.holding.size)


def _alike(shown: Sequence[Judged]) -> list[list[Judged]]:
    """Those of which the same is to be said, in the order of the first of each."""
    groups: dict[tuple[str, str, str | None], list[Judged]] = {}
    for each in shown:
        groups.setdefault((_inside(each), each.because, each.advice), []).append(each)
    return list(groups.values())


def _reason(alike: Sequence[Judged]) -> Iterator[RenderableType]:
    numbers, first = ", ".join(str(each.process.number) for each in alike), alike[0]
    yield Text.assemble((numbers, "bold"), f" {_inside(first)}{printable(first.because)}")
    if first.advice:
        yield indented(printable(first.advice), by=4)


def _inside(each: Judged) -> str:
    return f"in {printable(each.container.text)}: " if each.container else ""


def _block(each: Judged, *, with_evidence: bool) -> Iterator[RenderableType]:
    words, style = _WORDS[each.where]
    yield Text.assemble((f"{each.process.number} {printable(each.name)}", "bold"), "  ", (words, style))
    yield indented(printable(each.because))
    if each.advice:
        yield indented(printable(each.advice), by=4)
    if not with_evidence:
        yield indented(f"model {model_text(each)}, layers {layers_text(each)}, held {held_text(each)}")
        return
    for name, value in _facts(each):
        yield indented(f"{name}: {value}")
    yield from _evidence(each)


def _facts(each: Judged) -> Iterator[tuple[str, str]]:
    process = each.process
    if process.account:
        yield "account", printable(process.account)
    if each.container:
        yield "container", printable(each.container.text)
    if each.unit:
        yield "unit", printable(each.unit)
    if each.model:
        size = f", {size_text(each.gathered.model_size)}" if each.gathered.model_size else ""
        yield "model", f"{printable(each.model)}{size}"
    if each.layers:
        yield "layers on devices", f"{layers_text(each)} (by its {each.layers.source})"
    for held in each.holding.held:
        yield f"held on {printable(held.device)}", f"{UNKNOWN if held.size is None else size_text(held.size)} ({held.teller})"
    if process.resident is not None:
        yield "held of the machine's memory", size_text(process.resident)


def _evidence(each: Judged) -> Iterator[RenderableType]:
    for found in each.findings:
        yield indented(f"{found.source}: {printable(found.place)}: {printable(found.said)}", by=4)
