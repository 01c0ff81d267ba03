"""The text of `refresh`: one line per device with its memory, who told it, and how old that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.render import wording
from gpuprobe.render.ink import Table, Text
from gpuprobe.render.tables import BLOCKS_BELOW, GAP, indented, shortened
from gpuprobe.strings import age_between, age_text, printable, size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.judging.changes import Change
    from gpuprobe.judging.figures import Figure, ServerAnswer

_HEADER = ("DEVICE", "NAME", "FREE", "USED", "", "SOURCE", "AGE")
_NAME, _SHORTEST_NAME, _BAR = 1, 12, 4


def memory_table(figures: Sequence[Figure], now: str, width: int) -> Iterator[RenderableType]:
    """A line per device where that fits, first without the bar; a block per device below that."""
    rows = [_row(figure, now) for figure in figures]
    for columns in (tuple(range(len(_HEADER))), tuple(place for place in range(len(_HEADER)) if place != _BAR)):
        taken = sum(max(len(row[place]) for row in (_HEADER, *rows)) + GAP for place in columns if place != _NAME)
        if rows and width >= BLOCKS_BELOW and width - taken >= _SHORTEST_NAME:
            yield _table(rows, columns, width - taken)
            break
    else:
        for row in rows:
            yield from _block(row)
    for figure in figures:
        if figure.silence is not None:
            known = "no reading" if figure.unknown else "no new reading"
            yield indented(f"{wording.numbered(figure.device)}: {known}: {printable(figure.silence.because)}")


def _row(figure: Figure, now: str) -> tuple[str, ...]:
    device = figure.device
    free = wording.UNKNOWN if device.free_memory is None else size_text(device.free_memory)
    told_by = figure.source or "-"
    return (
        *(wording.numbered(device), wording.name_of(device), free, wording.memory_of(device), wording.bar_of(device)),
        *(told_by, age_of(figure, now)),
    )


def age_of(figure: Figure, now: str) -> str:
    """`now`, or `3 hours, stale`; what nobody ever told has no age."""
    if figure.unknown:
        return "-"
    if not figure.stale:
        return "now"
    age = age_between(figure.measured_at, now)
    return f"{wording.UNKNOWN if age is None else age_text(age)}, stale"


def _table(rows: Sequence[Sequence[str]], columns: Sequence[int], room: int) -> Table:
    table = Table(GAP)
    for place in columns:
        table.add_column(Text(_HEADER[place]), no_wrap=True, overflow="ellipsis")
    for row in rows:
        cells = [shortened(row[place], room) if place == _NAME else row[place] for place in columns]
        style = "dim" if row[-1] != "now" else ""
        table.add_row(*(Text(cell, style="bold green" if place == 0 else style) for place, cell in enumerate(cells)))
    return table


def _block(row: Sequence[str]) -> Iterator[RenderableType]:
    device, name, free, memory, bar, told_by, age = row
    yield Text.assemble((device, "bold green"), "  ", name)
    yield indented(f"{free} free, {memory} {bar}".rstrip())
    yield indented(f"source {told_by}, {age}")


def servers(answers: Sequence[ServerAnswer]) -> Iterator[RenderableType]:
    """With -v: which running servers were asked."""
    for each in answers:
        said = f"{len(each.devices)} devices" if each.problem is None else printable(each.problem)
        yield indented(f"Ollama's process {each.process} at port {each.port}: {said}")


def change_line(changes: Sequence[Change], since: str | None) -> Text:
    """What changed, in one sentence, and since when."""
    if since is None:
        return Text("nothing to compare with: no earlier results of this account are saved")
    said = "; ".join(printable(change.text) for change in changes)
    return Text(f"since {since}: {said}" if said else f"nothing changed since {since}")
