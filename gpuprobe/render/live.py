"""The live view of `refresh --watch`: what each device holds and does now, its history, and who uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from gpuprobe.judging.figures import Activity, Figure, User
from gpuprobe.record_classes import NamedTuple
from gpuprobe.render import wording
from gpuprobe.render.ink import Piece, Text, cell_len, fitted, is_narrow
from gpuprobe.render.tables import BLOCKS_BELOW, GAP, indented
from gpuprobe.strings import age_between, age_text, printable, size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import RenderableType

LEVELS = "▁▂▃▄▅▆▇█"
UNTOLD = "·"
MOST_USERS = 8
_DIM, _FULL, _NEARLY_FULL = "dim", 0.9, 0.7
_HOT, _WARM = 85, 75  # °C: cards slow themselves down from about 83 to 95 on
_SHORTEST_NAME, _SHORTEST_HISTORY = 14, 16  # cells

History = str  # a cell for each reading, as `level` gives it, the latest last


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


def level(share: float | None) -> str:
    """The cell of a history for a share from 0 to 1; a dot where nobody told it."""
    return UNTOLD if share is None else LEVELS[min(len(LEVELS) - 1, max(0, int(share * len(LEVELS))))]


def latest(history: History, cells: int) -> str:
    return history[-cells:] if cells > 0 else ""


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
    if layout is None:
        for place, (figure, row) in enumerate(zip(figures, rows, strict=True)):
            drawn += (*_block(row, histories.get(place, ""), width), *_under(figure, now))
    else:
        drawn += _table(figures, rows, histories, layout, now)
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
    if width < BLOCKS_BELOW:
        return None
    cells = dict(zip(Row._fields, zip(_HEADINGS, *rows, strict=True), strict=True))
    told = {name for name, (_, *said) in cells.items() if "".join(said).strip(" -")}
    widest = {"": 0, **{name: _widest(column) for name, column in cells.items()}}
    for columns in (_ONE_LINE, *((_SHORT,) if is_short else ()), _TWO_LINES):
        shown = [column for column in columns if told & set(column)]
        widths = {upper: max(widest[upper], widest[lower]) for upper, lower in shown}
        shortest = {"name": _SHORTEST_NAME, "history": _SHORTEST_HISTORY}
        flexible = [upper for upper in widths if upper in shortest]
        room = width - GAP * (len(shown) - 1) - sum(cells for upper, cells in widths.items() if upper not in shortest)
        if room >= sum(shortest[upper] for upper in flexible):
            widths["name"] = min(widths["name"], room - shortest["history"]) if "history" in flexible else room
            widths["history"] = room - widths["name"]
            upper, lower = zip(*shown, strict=True)
            return _Layout(upper, lower, tuple(widths[name] for name in upper))
    return None


def _widest(cells: Sequence[str]) -> int:
    return max(map(len if is_narrow("".join(cells)) else cell_len, cells))


def _table(
    figures: Sequence[Figure], rows: Sequence[Row], histories: Mapping[int, History], layout: _Layout, now: str
) -> Iterator[RenderableType]:
    """The heads, and of each device its lines and what is said below them."""
    both = (layout.upper, layout.lower) if any(layout.lower) else (layout.upper,)
    places = [list(zip(names, layout.widths, strict=True)) for names in both]
    cells = dict(zip(Row._fields, zip(_HEADINGS, *rows, strict=True), strict=True))
    columns = {name: fitted(cells[name], width) for name, width in chain(*places) if name}
    yield Text.line([piece for name in layout.upper for piece in ((columns[name][0], "bold"), _BETWEEN)])
    for place, (figure, row) in enumerate(zip(figures, rows, strict=True)):
        styles = _styles(figure)
        plain = styles[""]
        for names in places:
            pieces: list[Piece] = []
            for name, width in names:
                if name == "history":
                    pieces += _history(row.history, histories.get(place, ""), width)
                else:
                    pieces.append((columns[name][place + 1], styles.get(name, plain)) if name else (" " * width, ""))
                pieces.append(_BETWEEN)
            yield Text.line(pieces)
        yield from _under(figure, now)


_BETWEEN = (" " * GAP, "")


def _history(label: str, history: History, width: int) -> tuple[Piece, Piece]:
    room = width - len(label) - 1
    return (f"{label} ", _DIM), (latest(history, room).ljust(room), "")


def _styles(figure: Figure) -> dict[str, str]:
    """Name of a cell → its style; the others have that of none."""
    plain = _DIM if figure.stale else ""
    activity = figure.activity or _UNKNOWN
    return {
        "": plain,
        "device": "bold green",
        "bar": plain or _bar_style(figure),
        "load": plain or _limit_style(activity.utilization, 100 * _NEARLY_FULL, 100 * _FULL),
        "temperature": plain or _limit_style(activity.temperature, _WARM, _HOT),
    }


_UNKNOWN = Activity()


def _bar_style(figure: Figure) -> str:
    used, total = figure.device.used_memory, figure.device.total_memory
    share = used / total if used is not None and total else 0.0
    return "red" if share >= _FULL else "yellow" if share >= _NEARLY_FULL else "green"


def _limit_style(value: int | None, much: float, most: float) -> str:
    return "" if value is None or value < much else "bold red" if value >= most else "yellow"


def _row(figure: Figure) -> Row:
    device, activity = figure.device, figure.activity or _UNKNOWN
    memory = wording.memory_of(device)
    total = "" if device.total_memory is None else memory.rpartition(" of ")[2]
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
    return "-".rjust(digits) if value is None else f"{value} {unit}".rjust(digits + 1 + len(unit))


def _power(activity: Activity) -> str:
    draw, limit = activity.power, activity.power_limit
    if draw is None or limit is None:
        return _figure(None if draw is None else round(draw), 4, "W")
    most = str(round(limit))
    return f"{str(round(draw)).rjust(len(most))} of {most} W"


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
        yield Text("  ".join(cells).rstrip(), style=_DIM if place else "bold", no_wrap=True, overflow="ellipsis")
    if len(found) > most:
        yield indented(f"and {len(found) - most} more processes", style=_DIM)


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
