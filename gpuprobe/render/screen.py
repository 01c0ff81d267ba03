"""Where the answer goes: the two streams, how wide they are, and whether colours and a progress line are welcome."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import StringIO

from gpuprobe.strings import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

PLAIN_WIDTH = 80
WIDEST = 1000  # nobody reads a longer line, and drawing one of a million columns takes seconds
PROGRESS_AFTER_SECONDS = 1.0
_HEEDED = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM")

# What the tables draw with, for a terminal whose encoding has none of it. One character for one: the columns stay.
_ASCII = str.maketrans("█░…—▁▂▃▄▅▆▇·°≤", "#.~-_.-=+*%  <")


class Screen:
    """Standard output and standard error as a command sees them; a test replaces the whole object."""

    def __init__(self, out: TextIO, err: TextIO, environ: Mapping[str, str]) -> None:
        self.out, self.err = out, err
        # Each look into `os.environ` encodes a name and decodes a value, and a picture of a watch takes five.
        self._environ = {name: environ.get(name, "") for name in _HEEDED}
        self.colour_allowed = True
        for stream in (out, err):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    @property
    def width(self) -> int:
        """Columns: `COLUMNS` where it is a number above 0, else the terminal's, else 80."""
        told = self._environ["COLUMNS"]
        if told.isascii() and told.isdigit() and told.strip("0"):
            return min(int(told.lstrip("0")[:9]), WIDEST)
        try:
            return os.get_terminal_size(self.out.fileno()).columns or PLAIN_WIDTH
        except (OSError, ValueError):
            return PLAIN_WIDTH

    @property
    def colour(self) -> bool:
        if not self.colour_allowed or self._environ["NO_COLOR"]:
            return False
        if self._environ["FORCE_COLOR"]:
            return True
        return self.out.isatty() and self._environ["TERM"] != "dumb"

    @property
    def can_be_drawn_on(self) -> bool:
        """Whether a picture can be drawn in the place of another one."""
        return self.out.isatty() and self._environ["TERM"] != "dumb"

    def show(self, parts: Iterable[RenderableType]) -> None:
        """Writes Rich renderables, as plain text where colours are not welcome; what is a plain text is a line as it is,
        whatever the width: it is there to be copied."""
        self.write(self.drawn(parts))

    def drawn(self, parts: Iterable[RenderableType]) -> str:
        from gpuprobe.render.ink import Drawn, Indented, NotSimple, Table, Text, coloured, plain

        colour, width, by_rich = self.colour, self.width, None
        drawn: list[str] = []
        for part in parts:
            try:
                if isinstance(part, Drawn):
                    drawn.append(part.coloured if colour else part.plain)
                elif isinstance(part, str):
                    drawn += harmless(part).split("\n")
                elif isinstance(part, Text | Table | Indented):
                    drawn += [coloured(line) if colour else plain(line) for line in part.lines(width)]
                else:
                    raise NotSimple
            except NotSimple:
                by_rich = by_rich or ByRich(colour, width)
                drawn += by_rich.lines(part)
        return "".join(f"{line.rstrip()}\n" for line in drawn)

    def write(self, text: str) -> None:
        self.out.write(self._drawable(text))
        self.out.flush()

    def write_document(self, document: dict[str, Any]) -> None:
        """One JSON document: indented for a reader at a terminal, one line for a program.

        A value that is an iterator is written as the list of what it gives, one after the other.
        """
        indent = 2 if self.out.isatty() else None
        if any(isinstance(value, Iterator) for value in document.values()):
            for piece in _pieces(document, indent):
                self.out.write(piece)
            self.out.write("\n")
            self.out.flush()
            return
        self._write_json(document, indent)

    def write_line(self, document: dict[str, Any]) -> None:
        """One document of several: a line of its own, for a reader and for a program."""
        self._write_json(document, indent=None)

    def _write_json(self, document: dict[str, Any], indent: int | None) -> None:
        self.out.write(_json_text(document, indent) + "\n")
        self.out.flush()

    def write_exactly(self, text: str) -> None:
        """Text whose bytes matter: a path in it that is not UTF-8 must come out as it came in.

        A terminal evaluates no line, and obeys what controls it: there the text is only to be read.
        """
        self.out.flush()
        if self.out.isatty():
            self.out.write(harmless(text))
            self.out.flush()
            return
        self.out.buffer.write(os.fsencode(text))
        self.out.buffer.flush()

    def complain(self, line: str) -> None:
        """One line on standard error; what a driver or a file said in it is made harmless."""
        self.err.write(self._drawable(printable(line)) + "\n")
        self.err.flush()

    def _unicode(self) -> bool:
        return (getattr(self.out, "encoding", None) or "ascii").lower().replace("-", "").startswith("utf")

    def _drawable(self, text: str) -> str:
        return text if self._unicode() else text.translate(_ASCII)

    def progress(self, quiet: bool) -> Progress:
        """Gives a function that takes what is being asked: shown after a second, on a terminal, erased at the end."""
        if quiet or not self.err.isatty() or self._environ["TERM"] == "dumb":
            return Progress(None)
        return Progress(_ProgressLine(self.err, self.width))

    @classmethod
    def of_process(cls) -> Screen:
        return cls(sys.stdout, sys.stderr or StringIO(), os.environ)  # closed by `2>&-`: nobody is listening


def _json_text(value: object, indent: int | None) -> str:
    from gpuprobe import json_texts as json

    # ASCII, and JSON leaves DEL alone: no control character of a driver's name reaches a terminal.
    text = json.dumps(value, indent=indent).replace("\x7f", "\\u007f")
    if "\\ud" in text:
        # A lone surrogate (a file name that is not UTF-8) is no Unicode text: strict parsers reject the document.
        clean = "".join(map(_in_unicode, json.dumps(value, ensure_ascii=False)))
        text = json.dumps(json.loads(clean), indent=indent).replace("\x7f", "\\u007f")
    return text


def _pieces(document: dict[str, Any], indent: int | None) -> Iterator[str]:
    """The text of a document, of which no list that an iterator gives is ever whole in memory."""
    margin = "" if indent is None else "\n" + " " * indent
    between = f",{margin or ' '}"
    yield f"{{{margin}"
    for place, (key, value) in enumerate(document.items()):
        yield (between if place else "") + f"{_json_text(key, None)}: "
        if not isinstance(value, Iterator):
            yield _json_text(value, indent).replace("\n", margin)
            continue
        inner = margin and margin + " " * (indent or 0)
        many = False
        for member in value:
            yield (f",{inner or ' '}" if many else f"[{inner}") + _json_text(member, indent).replace("\n", inner)
            many = True
        yield f"{margin}]" if many else "[]"
    yield "\n}" if margin else "}"


def harmless(text: str) -> str:
    r"""Lines whose characters no terminal obeys; control characters are shown, a line break ends a line."""
    return "\n".join(map(printable, text.split("\n")))


def _in_unicode(character: str) -> str:
    r"""Inside JSON: a byte that is not UTF-8 as `\xff`, as the survey spells it, any other lone surrogate by its number."""
    code = ord(character)
    if not 0xD800 <= code < 0xE000:
        return character
    return f"\\\\x{code - 0xDC00:02x}" if 0xDC80 <= code < 0xDD00 else f"\\\\u{code:04x}"


class ByRich:
    """Draws what `gpuprobe.render.ink` leaves to Rich."""

    def __init__(self, colour: bool, width: int) -> None:
        from rich.console import Console

        self._console = Console(
            file=StringIO(),
            width=width,
            force_terminal=colour,
            color_system="standard" if colour else None,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            _environ={},
        )

    def lines(self, part: RenderableType) -> list[str]:
        drawn = self._console.file = StringIO()
        self._console.print(_Harmless(part))
        return drawn.getvalue().splitlines()


class _Harmless:
    """Draws what it holds, and makes its characters harmless where they leave: every code is then Rich's own."""

    def __init__(self, part: RenderableType) -> None:
        self._part = part

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._part, options):
            yield segment if segment.text.isprintable() else segment._replace(text=harmless(segment.text))


class Progress:
    """What a block tells of itself while it runs, where somebody sees it."""

    def __init__(self, line: _ProgressLine | None) -> None:
        self._line = line

    def __enter__(self) -> Callable[[str], None] | None:
        return None if self._line is None else self._line.tell

    def __exit__(self, *problem: object) -> None:
        if self._line is not None:
            self._line.erase()


class _ProgressLine:
    """A thread's timer draws the first line: the library that hangs is the one that tells nothing more."""

    def __init__(self, stream: TextIO, width: int) -> None:
        from threading import Lock, Timer

        self._stream, self._width = stream, width
        self._text, self._drawn, self._due, self._over = "", False, False, False
        self._lock = Lock()
        self._timer = Timer(PROGRESS_AFTER_SECONDS, self._begin)
        self._timer.daemon = True
        self._timer.start()

    def tell(self, text: str) -> None:
        with self._lock:
            self._text = text
            self._draw()

    def erase(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._drawn:
                self._put("")

    def _begin(self) -> None:
        with self._lock:
            self._due = True
            self._draw()

    def _draw(self) -> None:
        if self._due and not self._over and self._text:
            self._drawn = True
            self._put(printable(self._text)[: self._width - 1])

    def _put(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()
