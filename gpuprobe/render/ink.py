"""Texts and tables as Rich draws them, drawn without it where that is simple: to load Rich took a fifth of `list`.

Simple are characters of one cell, and tables that fit. Everything else is handed to Rich, so what is drawn is the same to
the byte (tests/unit/test_ink.py compares both). Styles are words: "bold", "dim", a colour.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe import patterns as re
from gpuprobe.once import remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import rich.padding
    import rich.table
    import rich.text

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36"}
_ATTRIBUTES = ("bold", "dim")
# One cell each, whatever the release of Unicode: what `rich.cells` takes for it without a table, and what we draw with.
_NARROW_RANGES = ((0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x2FF), (0x370, 0x482), (0x2500, 0x25FC), (0x2800, 0x28FF))
_NARROW = frozenset((*"…→←—≤≥", *(each for first, last in _NARROW_RANGES for each in map(chr, range(first, last + 1)))))
_WORD = r"\s*\S+\s*"

Piece = tuple[str, str]  # a text and its style


class NotSimple(Exception):
    """Rich is to draw it."""


def is_narrow(text: str) -> bool:
    """Whether each character takes one cell."""
    return text.isprintable() if text.isascii() else _NARROW.issuperset(text)


def cell_len(text: str) -> int:
    """The cells that a text takes on a terminal."""
    if is_narrow(text):
        return len(text)
    from rich.cells import cell_len as measured

    return measured(text)


class Text:
    """A text with a style of its own, and pieces in it with others. As `rich.text.Text`, as far as it is used."""

    def __init__(self, text: str = "", style: str = "", *, no_wrap: bool | None = None, overflow: Any = None) -> None:
        self.style, self.no_wrap, self.overflow = style, no_wrap, overflow
        self.pieces: list[Piece] = [(text, "")] if text else []

    @classmethod
    def assemble(cls, *parts: str | tuple[str, str] | Text, no_wrap: bool | None = None, overflow: Any = None) -> Text:
        made = cls(no_wrap=no_wrap, overflow=overflow)
        for part in parts:
            made.append(*part) if isinstance(part, tuple) else made.append(part)
        return made

    @classmethod
    def line(cls, pieces: list[Piece]) -> Text:
        """One line as it is, but for the blanks at its end."""
        made = cls(no_wrap=True)
        made.pieces = pieces
        made.rstrip()
        return made

    @property
    def plain(self) -> str:
        return "".join([text for text, _ in self.pieces])

    def append(self, text: str | Text, style: str = "") -> Text:
        for piece, its in text.styled() if isinstance(text, Text) else [(text, style)]:
            if not its and self.pieces and not self.pieces[-1][1]:
                self.pieces[-1] = (self.pieces[-1][0] + piece, "")
            elif piece:
                self.pieces.append((piece, its))
        return self

    def copy(self) -> Text:
        made = Text(style=self.style, no_wrap=self.no_wrap, overflow=self.overflow)
        made.pieces = list(self.pieces)
        return made

    def styled(self) -> list[Piece]:
        """Each piece with its whole style."""
        if not self.style:
            return self.pieces
        return [(text, f"{self.style} {style}".strip()) for text, style in self.pieces]

    def truncate(self, width: int, *, overflow: str, pad: bool = False) -> None:
        if overflow != "ellipsis" or width < 1 or not is_narrow(self.plain):
            drawn = self.__rich__()
            drawn.truncate(width, overflow=overflow, pad=pad)  # type: ignore[arg-type]
            self._take(drawn)
            return
        length = len(self.plain)
        if length > width:
            *before, (last, style) = _between(self.pieces, 0, width)
            self.pieces = [*before, (f"{last[:-1]}…", style)]
        elif pad and length < width:
            self.append(" " * (width - length))

    def rstrip(self) -> None:
        while self.pieces:
            text, style = self.pieces.pop()
            if kept := text.rstrip():
                self.pieces.append((kept, style))
                return

    def lines(self, width: int) -> list[list[Piece]]:
        """The lines that it takes in so many cells; NotSimple where Rich is to say."""
        overflow, plain = self.overflow or "fold", self.plain
        if 0 < width >= len(plain) and (self.no_wrap or overflow == "fold") and is_narrow(plain):
            return [self.styled()]
        found = []
        for line in _split(self.styled()):
            plain = "".join(text for text, _ in line)
            if not is_narrow(plain) or width < 1 or (overflow != "fold" and not self.no_wrap):
                raise NotSimple
            if not self.no_wrap:
                found += [_cropped(each, width) for each in _divided(line, _breaks(plain, width))]
            elif len(plain) <= width:
                found.append(line)
            elif overflow == "ellipsis":
                cut = Text()
                cut.pieces = line
                cut.truncate(width, overflow="ellipsis")
                found.append(cut.pieces)
            else:
                found.append(_between(line, 0, width))
        return found

    def _take(self, drawn: rich.text.Text) -> None:
        """What Rich has made of it: its pieces did not change places, so each keeps its style."""
        made, plain, start = [], drawn.plain, 0
        for text, style in self.pieces:
            made.append((plain[start : start + len(text)], style))
            start += len(text)
        self.pieces = [piece for piece in made if piece[0]]
        if plain[start:]:
            self.append(plain[start:])

    def __rich__(self) -> rich.text.Text:
        from rich.text import Text as Drawn

        drawn = Drawn(style=self.style, no_wrap=self.no_wrap, overflow=self.overflow)
        for text, style in self.pieces:
            drawn.append(text, style or None)
        return drawn


def _split(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """At the ends of lines."""
    lines: list[list[Piece]] = [[]]
    for text, style in pieces:
        first, *others = text.split("\n")
        lines[-1] += [(first, style)] if first else []
        lines += [[(each, style)] if each else [] for each in others]
    return lines


def _between(pieces: Sequence[Piece], start: int, end: int) -> list[Piece]:
    """The characters from `start` to before `end`."""
    found, at = [], 0
    for text, style in pieces:
        part = text[max(0, start - at) : max(0, end - at)]
        found += [(part, style)] if part else []
        at += len(text)
    return found


def _divided(line: Sequence[Piece], breaks: Sequence[int]) -> list[list[Piece]]:
    ends = (*breaks, sum(len(text) for text, _ in line))
    return [_between(line, start, end) for start, end in zip((0, *breaks), ends, strict=True)]


def _cropped(line: list[Piece], width: int) -> list[Piece]:
    """Without the blanks at its end that do not fit."""
    plain = "".join(text for text, _ in line)
    blanks = len(plain) - len(plain.rstrip())
    return _between(line, 0, len(plain) - min(blanks, max(0, len(plain) - width)))


def _breaks(text: str, width: int) -> list[int]:
    """Where a line is broken: before the word that does not fit, and in one that fits no line (rich/_wrap.py)."""
    found: list[int] = []
    if len(text) <= width:
        return found
    taken, match = 0, re.compile(_WORD).match
    word = match(text)
    while word is not None:  # never searched for: that would try every blank of many
        start, length = word.start(), len(word[0].rstrip())
        if length <= width - taken:
            taken += len(word[0])
        elif length > width:
            folded = range(start, word.end(), width)
            found += [place for place in folded if place]
            taken = word.end() - folded[-1]
        elif taken and start:
            found.append(start)
            taken = len(word[0])
        word = match(text, word.end())
    return found


class Table:
    """Columns beside each other, without lines. As `rich.table.Table` with `box=None`, as far as it is used."""

    def __init__(self, gap: int, *, header: bool = True) -> None:
        self._gap, self._header = gap, header
        self._columns: list[tuple[Text, dict[str, Any]]] = []
        self._rows: list[tuple[Text, ...]] = []

    def add_column(self, name: str | Text = "", **how: Any) -> None:
        """`how`: `no_wrap`, `overflow` and `justify`, which count where the table does not fit, and `justify` always."""
        self._columns.append((_text(name), how))

    def add_row(self, *cells: str | Text) -> None:
        self._rows.append(tuple(map(_text, cells)))

    def lines(self, width: int) -> list[list[Piece]]:
        """NotSimple where Rich is to draw it."""
        heads = [name for name, _ in self._columns]
        if not heads or any(how.get("justify", "left") != "left" for _, how in self._columns):
            raise NotSimple
        rows = [*([heads] if self._header else []), *self._rows]
        cells = [[_split(cell.styled()) for cell in row] for row in rows]
        widths = [max((_width(row[place]) for row in cells), default=0) for place in range(len(heads))]
        room = sum(widths) + self._gap * (len(widths) - 1)
        if room > width or widths[-1] == 0 or any(len(row) != len(heads) for row in rows):
            raise NotSimple
        found = []
        for number, row in enumerate(cells):
            is_head = self._header and number == 0
            if is_head and max(map(len, row)) > 1:
                raise NotSimple
            found += [self._line(row, rows[number], at, widths, is_head) for at in range(max(map(len, row)))]
        return found

    def _line(
        self, row: Sequence[list[list[Piece]]], cells: Sequence[Text], at: int, widths: Sequence[int], is_head: bool
    ) -> list[Piece]:
        pieces: list[Piece] = []
        style = "bold" if is_head else ""
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            gap = self._gap if place < len(widths) - 1 else 0
            if at >= len(cell):
                pieces.append((" " * (width + gap), ""))
                continue
            line = [(text, f"{style} {own}".strip()) for text, own in cell[at]]
            blanks, own = " " * (width - sum(len(text) for text, _ in line)), f"{style} {cells[place].style}".strip()
            if line and line[-1][1] == own:  # they belong to the text, and are styled along
                line[-1] = (line[-1][0] + blanks, own)
            elif blanks:
                line.append((blanks, own))
            pieces += [*line, *([(" " * gap, style)] if gap else [])]
        return pieces

    def __rich__(self) -> rich.table.Table:
        from rich.table import Table as Drawn

        padding = (0, self._gap, 0, 0)
        drawn = Drawn(box=None, show_header=self._header, header_style="bold", pad_edge=False, padding=padding, expand=False)
        for name, how in self._columns:
            drawn.add_column(name.__rich__(), **how)
        for row in self._rows:
            drawn.add_row(*(cell.__rich__() for cell in row))
        return drawn


class Drawn:
    """A line of characters of one cell that is drawn already: with the codes of its styles, and without."""

    def __init__(self, coloured: str, plain: str) -> None:
        self.coloured, self.plain = coloured, plain

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> Drawn:
        return cls(coloured(pieces), plain(pieces))

    def __rich__(self) -> rich.text.Text:
        from rich.text import Text

        return Text.from_ansi(self.coloured)


def _text(of: str | Text) -> Text:
    return Text(of) if isinstance(of, str) else of


def _width(lines: Sequence[Sequence[Piece]]) -> int:
    plain = ["".join(text for text, _ in line) for line in lines]
    if not all(map(is_narrow, plain)):
        raise NotSimple
    return max(map(len, plain))


class Indented:
    """A text behind so many blanks, in all its lines."""

    def __init__(self, text: Text, by: int) -> None:
        self._text, self._by = text, by

    def lines(self, width: int) -> list[list[Piece]]:
        return [[(" " * self._by, ""), *line] for line in self._text.lines(width - self._by)]

    def __rich__(self) -> rich.padding.Padding:
        from rich.padding import Padding

        return Padding(self._text.__rich__(), (0, 0, 0, self._by))


def fitted(column: Sequence[str], width: int) -> list[str]:
    """The texts of a column so many cells wide: each is cut, or has blanks behind it."""
    if width < 1 or not is_narrow("".join(column)):
        return [_fitted(text, width) for text in column]
    return [text.ljust(width) if len(text) <= width else f"{text[: width - 1]}…" for text in column]


def _fitted(text: str, width: int) -> str:
    cell = Text(text)
    cell.truncate(width, overflow="ellipsis", pad=True)
    return cell.plain


def joined(pieces: Sequence[Piece]) -> list[Piece]:
    """The same with one piece where several beside each other have no style."""
    found: list[Piece] = []
    for text, style in pieces:
        if not style and found and not found[-1][1]:
            found[-1] = found[-1][0] + text, ""
        else:
            found.append((text, style))
    return found


def plain(line: Sequence[Piece]) -> str:
    return "".join([text for text, _ in line])


def coloured(line: Sequence[Piece]) -> str:
    """The pieces of a line with the codes of their styles; NotSimple where a style is not known here."""
    return "".join([f"\x1b[{_code(style)}m{text}\x1b[0m" if text and style else text for text, style in line])


@remembered
def _code(style: str) -> str:
    words = style.split()
    if not all(word in _CODES for word in words):
        raise NotSimple
    colours = [word for word in words if word not in _ATTRIBUTES]
    return ";".join(_CODES[word] for word in (*(each for each in _ATTRIBUTES if each in words), *colours[-1:]))
