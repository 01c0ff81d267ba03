"""The live view of `refresh --watch`: what each device holds and does now, its history, and who uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gpuprobe.judging.figures import Figure, User
from gpuprobe.render import wording
from gpuprobe.render.ink import Drawn, Text, cell_len, is_narrow
from gpuprobe.render.live_cells import DIM, Cells, Row, cells_of
from gpuprobe.render.live_lines import HEADINGS, History, Layout, Line, heads_of, latest, lines_of
from gpuprobe.render.tables import BLOCKS_BELOW, GAP, indented
from gpuprobe.strings import age_between, age_text, printable, size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import RenderableType

LEVELS = "▁▂▃▄▅▆▇█"
UNTOLD = "·"
MOST_USERS = 8
_SHORTEST_NAME, _SHORTEST_HISTORY = 14, 16  # cells

# The columns from left to right, each with what stands below it in the second line of a device.
Columns = tuple[tuple[str, str], ...]
_ONE_LINE: Columns = (
    *(("device", ""), ("name", ""), ("bar", ""), ("memory", "")),
    *(("load", ""), ("temperature", ""), ("power", ""), ("clock", ""), ("history", "")),
)
_TWO_LINES: Columns = (
    ("device", ""),
    ("name", "history"),
    ("memory", "bar"),
    ("load", ""),
    ("temperature", ""),
    ("watts", "clock"),
)
# Where the terminal has not two lines for each device.
_SHORT: Columns = (("device", ""), ("name", ""), ("memory", ""), ("bar", ""), ("load", ""), ("temperature", ""), ("watts", ""))


def share_of(figure: Figure) -> float | None:
    """What the history shows of a reading: how busy the device was, else how full its memory."""
    if figure.stale:
        return None
    if figure.activity is not None and figure.activity.utilization is not None:
        return figure.activity.utilization / 100
    used, total = figure.device.used_memory, figure.device.total_memory
    return None if used is None or not total else min(1.0, used / total)


def level(share: float | None) -> str:
    """The cell of a history for a share from 0 to 1; a dot where nobody told it."""
    return UNTOLD if share is None else LEVELS[min(len(LEVELS) - 1, max(0, int(share * len(LEVELS))))]


class Remembered:
    """What was drawn of the devices of one watch. A device at rest has the cells of the reading before in most of them."""

    def __init__(self) -> None:
        self._cells: dict[int, tuple[Figure, Cells]] = {}  # by position
        self._layout: tuple[object, tuple[Layout, Text | Drawn] | None] = (None, None)
        self._lines: dict[int, tuple[object, Sequence[Line]]] = {}

    def cells(self, place: int, figure: Figure) -> Cells:
        then, cells = self._cells.get(place, (None, None))
        if then is None or cells is None or not _is_as_it_was(then, figure):
            cells = cells_of(figure)
            self._cells[place] = figure, cells
        return cells

    def layout(self, rows: Sequence[Row], width: int, is_short: bool) -> tuple[Layout, Text | Drawn] | None:
        """With its headings."""
        drawn_from = (rows, width, is_short)
        if self._layout[0] != drawn_from:
            found, before = _layout(rows, width, is_short), self._layout[1]
            if found is None or before is None or found != before[0]:
                before = None if found is None else (found, heads_of(found))
            self._layout = drawn_from, before
        return self._layout[1]

    def lines(self, place: int, cells: Cells, layout: Layout) -> Sequence[Line]:
        drawn_from = (cells, layout)
        if place not in self._lines or self._lines[place][0] != drawn_from:
            self._lines[place] = drawn_from, lines_of(cells, layout)
        return self._lines[place][1]


def _is_as_it_was(then: Figure, now: Figure) -> bool:
    return then.device is now.device and then.activity is now.activity and then.stale == now.stale


def live_table(
    figures: Sequence[Figure],
    histories: Mapping[int, History],
    now: str,
    width: int,
    height: int | None = None,
    *,
    remembered: Remembered | None = None,
) -> Iterator[RenderableType]:
    """One line per device where that fits, two where it does not, a block below 60 columns or where neither fits.

    `height`: the lines of the terminal; where two for each device are too many, each has a short one. What is left of them
    shows who uses the devices.
    """
    remembered = remembered or Remembered()
    cells = [remembered.cells(*each) for each in enumerate(figures)]
    is_short = height is not None and 2 * len(cells) + _BESIDE > height
    layout = remembered.layout([each.row for each in cells], width, is_short) if cells else None
    drawn: list[RenderableType] = [layout[1]] if layout is not None else []
    for place, (figure, each) in enumerate(zip(figures, cells, strict=True)):
        history = histories.get(place, "")
        if layout is None:
            drawn += _block(each.row, history, width)
        else:
            drawn += [line.with_history(history) for line in remembered.lines(place, each, layout[0])]
        drawn += _under(figure, now)
    yield from drawn
    yield from _users(figures, max(MOST_USERS, (height or 0) - len(drawn) - _BESIDE_USERS))


_BESIDE_USERS = 8  # lines: title, time, heads, how many more, and room for notes
_BESIDE = 12  # lines above and below the devices: title, heads, who uses them, a note


def _layout(rows: Sequence[Row], width: int, is_short: bool = False) -> Layout | None:
    """The first that fits; None: a block for each device."""
    if width < BLOCKS_BELOW:
        return None
    cells = dict(zip(Row._fields, zip(HEADINGS, *rows, strict=True), strict=True))
    told = {name for name, (_, *said) in cells.items() if "".join(said).strip(" -")}
    widest = {"": 0, **{name: _widest(column) for name, column in cells.items()}}
    for columns in (_ONE_LINE, *((_SHORT,) if is_short else ()), _TWO_LINES):
        shown = [column for column in columns if told & set(column)]
        widths = {upper: max(widest[upper], widest[lower]) for upper, lower in shown}
        shortest = {"name": _SHORTEST_NAME, "history": _SHORTEST_HISTORY}
        flexible = [upper for upper in widths if upper in shortest]
        room = width - GAP * (len(shown) - 1) - sum(cells for upper, cells in widths.items() if upper not in shortest)
        if room >= sum(shortest[upper] for upper in flexible):
            if "name" in widths:  # a driver may call its device "-", which tells as little as no name
                widths["name"] = min(widths["name"], room - shortest["history"]) if "history" in flexible else room
            widths["history"] = room - widths.get("name", 0)
            upper, lower = zip(*shown, strict=True)
            return Layout(upper, lower, tuple(widths[name] for name in upper))
    return None


def _widest(cells: Sequence[str]) -> int:
    return max(map(len if is_narrow("".join(cells)) else cell_len, cells))


def _block(row: Row, history: History, width: int) -> Iterator[RenderableType]:
    yield Text.assemble((row.device, "bold green"), "  ", row.name)
    yield indented(f"{row.memory.strip()} {row.bar}".rstrip())
    load = f"{row.load} load" if row.load.strip(" -") else ""
    figures = _listed(load, row.temperature, row.power, row.clock)
    if cell_len(figures) + 2 > width:
        figures = _listed(load, row.temperature, row.watts, row.clock)
    if figures:
        yield indented(figures)
    yield indented(f"{row.history} {latest(history, width - len(row.history) - 3)}")


def _listed(*figures: str) -> str:
    return ", ".join(" ".join(each.split()) for each in figures if each.strip(" -"))


def _under(figure: Figure, now: str) -> Iterator[RenderableType]:
    """What is said of a device in lines of their own: why its figure is old, what holds it back, who uses it."""
    if figure.silence is not None:
        age = age_between(figure.measured_at, now)
        old = f"{age_text(age)} old" if age is not None else "of unknown age"
        known = "unknown" if figure.unknown else f"last reading {old}"
        yield indented(f"{known}: {printable(figure.silence.because)}", style="yellow")
    if figure.activity is not None and figure.activity.throttle_reasons:
        reasons = ", ".join(reason.replace("_", " ") for reason in figure.activity.throttle_reasons)
        yield indented(f"slowed down by: {printable(reasons)}", style="yellow")


def _users(figures: Sequence[Figure], most: int) -> Iterator[RenderableType]:
    """The processes of all devices, who holds most first: `CUDA:0  20.0 GiB  alice  python3 (4711)`."""
    found = [(figure, user) for figure in figures if figure.activity for user in figure.activity.users or ()]
    if not found:
        return
    found.sort(key=lambda pair: (-(pair[1].used_memory or 0), pair[1].process))
    shown = zip(_USER_HEADS, *(_user(*pair) for pair in found[:most]), strict=True)
    columns = [_padded(column, to_the_right=place == 1) for place, column in enumerate(shown)]
    for place, cells in enumerate(zip(*columns, strict=True)):
        yield Text("  ".join(cells).rstrip(), style=DIM if place else "bold", no_wrap=True, overflow="ellipsis")
    if len(found) > most:
        yield indented(f"and {len(found) - most} more processes", style=DIM)


_USER_HEADS = ("DEVICE", "MEMORY", "USER", "PROCESS")


def _padded(column: Sequence[str], *, to_the_right: bool) -> list[str]:
    widest = _widest(column)
    if to_the_right:
        return [cell.rjust(widest) for cell in column]  # sizes, whose characters take a cell each
    return [cell + " " * (widest - cell_len(cell)) for cell in column]


def _user(figure: Figure, user: User) -> tuple[str, str, str, str]:
    name = f"{printable(user.name)} ({user.process})" if user.name else f"({user.process})"
    memory = wording.UNKNOWN if user.used_memory is None else size_text(user.used_memory)
    return wording.numbered(figure.device), memory, printable(user.account) if user.account else wording.UNKNOWN, name
