"""The text of `fleet`: a row for machines that are equal, who differs from its peers, and who does not meet the requirement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from gpuprobe.fleet.groups import Group, grouped, models_of
from gpuprobe.fleet.node_sets import folded
from gpuprobe.fleet.outcome import Outcome
from gpuprobe.fleet.rows import Machine
from gpuprobe.render.tables import GAP, indented, notes, shortened

BLOCKS_BELOW = 60  # columns
_LONGEST_LIST = 20  # lines of machines that differ
_MANY = 200  # rows that are drawn in colours
_WIDEST_NAMES, _WIDEST_DRIVER = 26, 20
_HEADINGS = ("MACHINES", "USABLE", "GPU", "DRIVER")


def fleet_text(outcome: Outcome, by: str, sort: str, width: int, *, quiet: bool) -> Iterator[RenderableType]:
    yield Text(outcome.text, style="bold")
    yield from _rows(grouped(outcome.machines, by, sort), width)
    yield from _odd_ones(outcome)
    yield from _failing(outcome)
    if not quiet:
        yield from notes(outcome.notes)


def _rows(groups: Sequence[Group], width: int) -> Iterator[RenderableType]:
    """One line for each group and the reason under it: in a column of its own it would be three words wide."""
    rows = [_row(group) for group in groups]
    if not rows:
        return
    if width < BLOCKS_BELOW:
        for group, row in zip(groups, rows, strict=True):
            yield from _block(group, row)
        return
    widths = _widths(rows, width)
    shown = [column for column, cells in enumerate(widths) if cells]
    cells = [widths[column] for column in shown]
    yield _line([_HEADINGS[column] for column in shown], cells, "bold")
    if len(rows) > _MANY:
        yield "\n".join(_plain(row, shown, cells, width) for row in rows)
        return
    for group, row in zip(groups, rows, strict=True):
        if cell_len(row.names) > widths[0]:
            yield from (Text(line, style="bold") for line in _wrapped(row.names, width))
        yield _line(_cells(row, shown, cells), cells, "", _style(group))
        if row.why:
            yield indented(row.why, by=4)


def _cells(row: Row, shown: Sequence[int], widths: Sequence[int]) -> list[str]:
    names = row.names if cell_len(row.names) <= widths[0] else ""
    every = (names, row.usable, row.model, row.driver)
    return [every[column] for column in shown]


def _plain(row: Row, shown: Sequence[int], widths: Sequence[int], width: int) -> str:
    """The same without colours: drawing ten thousand lines in colours takes longer than reading what they say."""
    from textwrap import wrap

    names = _wrapped(row.names, width) if cell_len(row.names) > widths[0] else ()
    line = _line(_cells(row, shown, widths), widths, "").plain
    return "\n".join((*names, line, *(f"    {part}" for part in wrap(row.why, width - 4))))


def _widths(rows: Sequence[Row], width: int) -> tuple[int, ...]:
    """Cells of each column, 0 for one that is empty; the names give way first, because they can have a line of their own."""
    heads = Row(*_HEADINGS, why="")
    most = [max(cell_len(each[column]) for each in (heads, *rows)) for column in range(4)]
    names = min(most[0], _WIDEST_NAMES)
    driver = min(most[3], _WIDEST_DRIVER) if any(row.driver for row in rows) else 0
    room = width - names - most[1] - driver - 3 * GAP
    model = max(min(most[2], room), len(_HEADINGS[2])) if any(row.model for row in rows) else 0
    return names, most[1], model, driver


def _line(cells: Sequence[str], widths: Sequence[int], style: str, usable: str = "") -> Text:
    line = Text(style=style, no_wrap=True, overflow="ellipsis")
    for column, (cell, cells_wide) in enumerate(zip(cells, widths, strict=True)):
        shown = shortened(cell, cells_wide)
        line.append(shown, style={0: "bold", 1: usable}.get(column, ""))
        if column < len(cells) - 1:
            line.append(" " * (cells_wide - cell_len(shown) + GAP))
    return line


def _wrapped(names: str, width: int) -> Iterator[str]:
    """Names on as many lines as they need, broken behind commas."""
    line = ""
    for part in names.split(","):
        if line and cell_len(line) + cell_len(part) + 1 > width:
            yield line
            line = ""
        line += f"{part},"
    yield line.rstrip(",")


def _style(group: Group) -> str:
    if all(machine.standing.whole for machine in group.machines):
        return "green"
    return "yellow" if any(machine.standing.usable for machine in group.machines) else "red"


class Row(NamedTuple):
    names: str
    usable: str
    model: str
    driver: str
    why: str


def _row(group: Group) -> Row:
    return Row(
        names=group.names,
        usable=usable_of(group),
        model=group.common(models_of),
        driver=group.common(lambda machine: machine.standing.driver),
        why=group.reason,
    )


def usable_of(group: Group) -> str:
    """`8 of 8`, of each machine; `318 of 320` of all where they differ, and how many gave no answer."""
    answered = [machine.standing for machine in group.machines if machine.standing.answered]
    if not answered:
        return "no answer"
    counts = {(standing.usable, standing.cards) for standing in answered}
    usable, cards = counts.pop() if len(counts) == 1 else (None, 0)
    if usable is None:
        usable, cards = sum(each.usable for each in answered), sum(each.cards for each in answered)
    silent = len(group.machines) - len(answered)
    return f"{usable} of {cards}" + (f", {silent} silent" if silent else "")


def _block(group: Group, row: Row) -> Iterator[RenderableType]:
    """`n[01-40]: 8 of 8 NVIDIA H100, driver 595.45`, and under it why not."""
    what = " ".join(part for part in (row.usable, row.model) if part)
    driver = f", driver {row.driver}" if row.driver else ""
    yield Text.assemble((row.names, "bold"), ": ", (what, _style(group)), driver)
    if row.why:
        yield indented(row.why)


def _odd_ones(outcome: Outcome) -> Iterator[RenderableType]:
    for each in outcome.differs[:_LONGEST_LIST]:
        yield Text.assemble(("odd:", "bold yellow"), f" {each.sentence}")
    left = outcome.differs[_LONGEST_LIST:]
    if left:
        names = folded(name for each in left for name in each.machines)
        yield Text.assemble(("odd:", "bold yellow"), f" {names}: differ as well; `--json` says in what")


def _failing(outcome: Outcome) -> Iterator[RenderableType]:
    """Names alone, for the next command: `scontrol update nodename=…` takes them as they are."""
    if outcome.required is None:
        return
    yield from _listed("not met", outcome.with_verdict(False))
    yield from _listed("cannot be decided", outcome.with_verdict(None))
    if outcome.silent:
        yield Text.assemble(("no answer:", "bold red"), f" {folded(machine.name for machine in outcome.silent)}")


def _listed(what: str, machines: Iterable[Machine]) -> Iterator[RenderableType]:
    alike: dict[str, list[str]] = {}
    for machine in machines:
        verdict = machine.standing.verdict
        alike.setdefault(verdict.because if verdict else "", []).append(machine.name)
    for because, names in alike.items():
        yield Text.assemble((f"{what}:", "bold red"), f" {folded(names)}: {because}")
