"""The lines of devices in the live view of `refresh --watch`. Of one at rest only the history is another one each time."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.once import remembered
from gpuprobe.record_classes import NamedTuple
from gpuprobe.render.ink import Drawn, Piece, Text, fitted, is_narrow, joined, plain
from gpuprobe.render.live_cells import DIM, Cells, Row
from gpuprobe.render.tables import GAP

History = str  # a cell for each reading, as `live.level` gives it, the latest last

HEADINGS = Row("DEVICE", "NAME", "USED", "", "UTIL", "TEMP", "POWER", "POWER", "CLOCK", "HISTORY")
_BETWEEN = (" " * GAP, "")


class Layout(NamedTuple):
    """Which cells stand in the first line of a device and which in its second, and how wide their columns are."""

    upper: tuple[str, ...]
    lower: tuple[str, ...]
    widths: tuple[int, ...]


class Line:
    """One line of a device; `room`: the cells for its history, between what stands before it and after it; None: not here."""

    def __init__(self, before: list[Piece], room: int | None, after: list[Piece]) -> None:
        self._before, self._room, self._after = before, room, after
        self._whole = drawn_line([*before, *after]) if room is None else None
        rest = Text.line(list(after)).pieces  # blanks at the end of a line go, whatever they belong to
        is_simple = room is not None and is_narrow(plain(before) + plain(rest))
        self._around = (Drawn.of(before), Drawn.of(rest)) if is_simple else None

    def with_history(self, history: History) -> Text | Drawn:
        if self._room is None:
            return self._whole or Text.line([*self._before, *self._after])
        shown = latest(history, self._room).ljust(self._room)
        if self._around is None or not shown.strip():
            return Text.line([*self._before, (shown, ""), *self._after])
        before, after = self._around
        return Drawn(f"{before.coloured}{shown}{after.coloured}", f"{before.plain}{shown}{after.plain}")


def drawn_line(pieces: list[Piece]) -> Drawn | None:
    """The same each time it is shown; None where Rich is to draw it."""
    line = Text.line(pieces)
    return Drawn.of(line.pieces) if is_narrow(line.plain) else None


def latest(history: History, cells: int) -> str:
    return history[-cells:] if cells > 0 else ""


def heads_of(layout: Layout) -> Text | Drawn:
    columns = zip(layout.upper, layout.widths, strict=True)
    pieces = [piece for name, width in columns for piece in ((_cell(HEADINGS, name, width), "bold"), _BETWEEN)]
    return drawn_line(pieces) or Text.line(pieces)


def lines_of(cells: Cells, layout: Layout) -> list[Line]:
    both = (layout.upper, layout.lower) if any(layout.lower) else (layout.upper,)
    return [_line_of(cells, list(zip(names, layout.widths, strict=True))) for names in both]


def _line_of(cells: Cells, places: Sequence[tuple[str, int]]) -> Line:
    unstyled = cells.styles[""]
    room: int | None = None
    before: list[Piece] = []
    pieces: list[Piece] = []
    for name, width in places:
        if name == "history":
            label = f"{cells.row.history} "
            before, pieces, room = [*pieces, (label, DIM)], [], width - len(label)
        else:
            pieces.append((_cell(cells.row, name, width), cells.styles.get(name, unstyled) if name else ""))
        pieces.append(_BETWEEN)
    return Line(joined(before), room, joined(pieces))


def _cell(row: Row, name: str, width: int) -> str:
    return _in_width((getattr(row, name), width)) if name else " " * width


@remembered
def _in_width(text_and_width: tuple[str, int]) -> str:
    text, width = text_and_width
    return fitted((text,), width)[0]
