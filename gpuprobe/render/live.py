"""The live view of `refresh --watch`: what each device holds and does now, its history, and who uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gpuprobe.judging.figures import Activity, Figure, User
from gpuprobe.record_classes import NamedTuple
from gpuprobe.render import wording
from gpuprobe.render.ink import Text, cell_len
from gpuprobe.render.tables import BLOCKS_BELOW, GAP, indented
from gpuprobe.strings import age_between, age_text, printable, size_text

if TYPE_CHECKING:
    from rich.console import RenderableType

LEVELS = "▁▂▃▄▅▆▇█"
UNTOLD = "·"
MOST_USERS = 8
_DIM, _FULL, _NEARLY_FULL = "dim", 0.9, 0.7
_HOT, _WARM = 85, 75  # °C: cards slow themselves down from about 83 to 95 on
_SHORTEST_NAME, _SHORTEST_HISTORY = 14, 16  # cells

History = Sequence[float | None]  # shares from 0 to 1, the latest last; None: nobody told


class Row(NamedTuple):
    """The cells of one device. Figures have fixed widths, so that nothing moves when they change."""

    device: str
    name: str
    memory: str
    bar: str
    load: str
    temperature: str
    power: str
    watts: str  # the same without the limit
    clock: str
    history: str  # its label; the line behind it takes what room there is


_HEADINGS = Row("DEVICE", "NAME", "USED", "", "UTIL", "TEMP", "POWER", "POWER", "CLOCK", "HISTORY")

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


def sparkline(history: History, cells: int) -> str:
    """The latest readings, one cell each; a gap is a dot."""
    return "".join(UNTOLD if each is None else _level(each) for each in history[-cells:]) if cells > 0 else ""


def _level(share: float) -> str:
    return LEVELS[min(len(LEVELS) - 1, max(0, int(share * len(LEVELS))))]


def live_table(
    figures: Sequence[Figure], histories: Mapping[int, History], now: str, width: int, height: int | None = None
) -> Iterator[RenderableType]:
    """One line per device where that fits, two where it does not, a block below 60 columns or where neither fits.

    `height`: the lines of the terminal; where two for each device are too many, each has a short one. What is left of them
    shows who uses the devices.
    """
    rows = [_row(figure) for figure in figures]
    is_short = height is not None and 2 * len(rows) + _BESIDE > height
    layout = _layout(rows, width, is_short) if rows else None
    drawn: list[RenderableType] = []
    if layout is not None:
        drawn.append(_line([Text(getattr(_HEADINGS, name), style="bold") for name in layout.upper], layout))
    for place, (figure, row) in enumerate(zip(figures, rows, strict=True)):
        history = histories.get(place, ())
        drawn += _block(row, history, width) if layout is None else _lines(figure, row, history, layout)
        drawn += _under(figure, now)
    yield from drawn
    yield from _users(figures, max(MOST_USERS, (height or 0) - len(drawn) - _BESIDE_USERS))


_BESIDE_USERS = 8  # lines: title, time, heads, how many more, and room for notes
_BESIDE = 12  # lines above and below the devices: title, heads, who uses them, a note


class _Layout(NamedTuple):
    upper: tuple[str, ...]
    lower: tuple[str, ...]
    widths: tuple[int, ...]


def _layout(rows: Sequence[Row], width: int, is_short: bool = False) -> _Layout | None:
    """The first that fits; None: a block for each device."""
    told = {name for name in Row._fields if any(getattr(row, name).strip(" -") for row in rows)}
    layouts = (_ONE_LINE, *((_SHORT,) if is_short else ()), _TWO_LINES)
    for columns in layouts if width >= BLOCKS_BELOW else ():
        shown = [column for column in columns if told & set(column)]
        widths = {upper: max(_width(rows, upper), _width(rows, lower)) for upper, lower in shown}
        shortest = {"name": _SHORTEST_NAME, "history": _SHORTEST_HISTORY}
        flexible = [upper for upper in widths if upper in shortest]
        room = width - GAP * (len(shown) - 1) - sum(cells for upper, cells in widths.items() if upper not in shortest)
        if room >= sum(shortest[upper] for upper in flexible):
            widths["name"] = min(widths["name"], room - shortest["history"]) if "history" in flexible else room
            widths["history"] = room - widths["name"]
            upper, lower = zip(*shown, strict=True)
            return _Layout(upper, lower, tuple(widths[name] for name in upper))
    return None


def _width(rows: Sequence[Row], name: str) -> int:
    return max(cell_len(getattr(row, name)) for row in (_HEADINGS, *rows)) if name else 0


def _lines(figure: Figure, row: Row, history: History, layout: _Layout) -> Iterator[RenderableType]:
    at = next((names.index("history") for names in (layout.upper, layout.lower) if "history" in names), None)
    cells = _cells(figure, row, history, 0 if at is None else layout.widths[at])
    for names in (layout.upper, layout.lower):
        if any(names):
            yield _line([cells.get(name, Text()) for name in names], layout)


def _line(cells: Sequence[Text], layout: _Layout) -> Text:
    line = Text(no_wrap=True)
    for cell, width in zip(cells, layout.widths, strict=True):
        shown = cell.copy()
        shown.truncate(width, overflow="ellipsis", pad=True)
        line.append(shown).append(" " * GAP)
    line.rstrip()
    return line


def _cells(figure: Figure, row: Row, history: History, room: int) -> dict[str, Text]:
    plain = _DIM if figure.stale else ""
    cells = {name: Text(text, style=plain) for name, text in row._asdict().items()}
    cells["device"].style = "bold green"
    activity = figure.activity or Activity()
    cells["bar"].style = plain or _bar_style(figure)
    cells["load"].style = plain or _limit_style(activity.utilization, 100 * _NEARLY_FULL, 100 * _FULL)
    cells["temperature"].style = plain or _limit_style(activity.temperature, _WARM, _HOT)
    cells["history"] = Text.assemble((f"{row.history} ", _DIM), sparkline(history, room - cell_len(row.history) - 1))
    return cells


def _bar_style(figure: Figure) -> str:
    used, total = figure.device.used_memory, figure.device.total_memory
    share = used / total if used is not None and total else 0.0
    return "red" if share >= _FULL else "yellow" if share >= _NEARLY_FULL else "green"


def _limit_style(value: int | None, much: float, most: float) -> str:
    return "" if value is None or value < much else "bold red" if value >= most else "yellow"


def _row(figure: Figure) -> Row:
    device, activity = figure.device, figure.activity or Activity()
    total = "" if device.total_memory is None else size_text(device.total_memory)
    memory = wording.memory_of(device)
    return Row(
        device=wording.numbered(device),
        name=wording.name_of(device),
        memory=memory.rjust(2 * len(total) - len(total.partition(" ")[2]) + 3),
        bar=wording.bar_of(device),
        load=_figure(activity.utilization, 3, "%"),
        temperature=_figure(activity.temperature, 3, "°C"),
        power=_power(activity),
        watts=_figure(None if activity.power is None else round(activity.power), 4, "W"),
        clock=_figure(activity.clock, 4, "MHz"),
        history="memory" if activity.utilization is None else "load",
    )


def _figure(value: int | None, digits: int, unit: str) -> str:
    return "-".rjust(digits) if value is None else f"{value:>{digits}} {unit}"


def _power(activity: Activity) -> str:
    draw, limit = activity.power, activity.power_limit
    if draw is None or limit is None:
        return _figure(None if draw is None else round(draw), 4, "W")
    return f"{round(draw):>{len(str(round(limit)))}} of {round(limit)} W"


def _block(row: Row, history: History, width: int) -> Iterator[RenderableType]:
    yield Text.assemble((row.device, "bold green"), "  ", row.name)
    yield indented(f"{row.memory.strip()} {row.bar}".rstrip())
    load = f"{row.load} load" if row.load.strip(" -") else ""
    figures = _listed(load, row.temperature, row.power, row.clock)
    if cell_len(figures) + 2 > width:
        figures = _listed(load, row.temperature, row.watts, row.clock)
    if figures:
        yield indented(figures)
    yield indented(f"{row.history} {sparkline(history, width - len(row.history) - 3)}")


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
    rows = [_user(*pair) for pair in found[:most]]
    more = len(found) - len(rows)
    widths = [max(map(cell_len, column)) for column in zip(_USER_HEADS, *rows, strict=True)]
    yield Text(_padded(_USER_HEADS, widths), style="bold", no_wrap=True, overflow="ellipsis")
    for row in rows:
        yield Text(_padded(row, widths), style=_DIM, no_wrap=True, overflow="ellipsis")
    if more > 0:
        yield indented(f"and {more} more processes", style=_DIM)


_USER_HEADS = ("DEVICE", "MEMORY", "USER", "PROCESS")


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    device, memory, account, process = (
        cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)
    )
    return f"{device}  {memory.strip():>{widths[1]}}  {account}  {process}".rstrip()


def _user(figure: Figure, user: User) -> tuple[str, str, str, str]:
    name = f"{printable(user.name)} ({user.process})" if user.name else f"({user.process})"
    memory = wording.UNKNOWN if user.used_memory is None else size_text(user.used_memory)
    return wording.numbered(figure.device), memory, printable(user.account) if user.account else wording.UNKNOWN, name
