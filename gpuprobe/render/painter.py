"""A picture on a terminal that is drawn again and again in its place, and the terminal as it was at the end.

It is drawn on the terminal's second screen, as by `top`: home, line over line, and what is left below is cleared. Each
picture is one write between the marks of a synchronized update: where a terminal knows them, nothing half-drawn is seen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from gpuprobe import signals as signal
from gpuprobe.render.keys import Keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from rich.console import RenderableType

    from gpuprobe.render.screen import Screen

# Without wrapping at the margin: a line that is too long for a very narrow terminal must not scroll the picture.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_ROWS = 24  # where the terminal does not say

_RESIZED, _STOPPED, _ENDING = ("SIGWINCH",), ("SIGTSTP",), ("SIGTERM", "SIGHUP")


_QUIT = ("q", "Q")
# Lines; a half of 1: a page.
_SCROLL = {
    "\x1b[A": -1.0,
    "\x1bOA": -1.0,
    "k": -1.0,
    "\x1b[B": 1.0,
    "\x1bOB": 1.0,
    "j": 1.0,
    "\x1b[5~": -0.5,
    "\x1b[6~": 0.5,
    " ": 0.5,
    "\x1b[H": -1e6,
    "g": -1e6,
    "\x1b[F": 1e6,
    "G": 1e6,
}


class Ended(BaseException):
    """A signal that ends programs came; the terminal is restored on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._number = number

    def end(self) -> None:
        """By the signal itself, so that whoever waits for the process sees it."""
        signal.signal(self._number, signal.SIG_DFL)
        os.kill(os.getpid(), self._number)


class Quit(Exception):
    """The key that ends the view was pressed."""


class Painter:
    """Used as a context. `paint` takes a function that gives what to draw, because a new size is drawn at once.

    At once also means in the middle of a reading, which a driver that hangs can keep going for seconds: the handler of the
    signal draws by itself, wherever the program is, except in a drawing, at whose end it is made up for.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._parts: Callable[[], Iterable[RenderableType]] = tuple
        self._before: dict[int, Any] = {}
        self._came: set[str] = set()
        self._is_drawing = True  # until there is something to draw
        self._keys = Keys()
        self._top, self._lines = 0, 0  # the first line that is shown, and how many there are

    def __enter__(self) -> Painter:
        try:
            for name in (*_RESIZED, *_STOPPED, *_ENDING):
                number = getattr(signal, name, None)
                # Who has it ignored, as `nohup` does, means it.
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._end if name in _ENDING else self._note)
            self._screen.write(_ENTER)
            self._keys.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *problem: object) -> None:
        self._is_drawing = True
        self._keys.end()
        try:
            self._screen.write(_LEAVE)
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def paint(self, parts: Callable[[], Iterable[RenderableType]]) -> None:
        self._parts = parts
        self._drawing(self._draw)
        while self._came:
            self._drawing(self._attend)

    def _drawing(self, draw: Callable[[], None]) -> None:
        self._is_drawing = True
        draw()
        self._is_drawing = False

    def wait(self, until: float) -> None:
        """Up to this moment (monotonic seconds); signals and keys are attended to meanwhile. Quit where one ends it."""
        while (left := until - time.monotonic()) > 0:
            for key in self._keys.pressed(left):
                if key in _QUIT:
                    raise Quit
                self._scroll(_SCROLL.get(key, 0))

    def _scroll(self, by: float) -> None:
        if by:
            rows = self._rows()
            self._top += round(by) if abs(by) >= 1 else round(by * 2 * (rows - 2))
            self.paint(self._parts)

    def _draw(self) -> None:
        lines = self._screen.drawn(self._parts()).splitlines()
        rows = self._rows()
        self._top = max(0, min(self._top, len(lines) - rows + 1)) if len(lines) > rows else 0
        if len(lines) > rows:
            shown = lines[self._top : self._top + rows - 1]
            how = " (arrows, PgDn)" if self._keys.are_read else ""
            lines = [*shown, f"… lines {self._top + 1} to {self._top + len(shown)} of {len(lines)}{how}"]
        *above, last = lines or [""]
        drawn = "".join([f"{_CLEAR_LINE}{line}\n" for line in above])
        # Cleared before the last line: behind one that is as wide as the terminal the cursor is still on its last character.
        self._screen.write(f"{_BEGIN}{_HOME}{drawn}{_CLEAR_BELOW}{last}{_END}")

    def _attend(self) -> None:
        came, self._came = self._came, set()
        if came & set(_STOPPED):
            self._keys.end()
            self._screen.write(_LEAVE)
            os.kill(os.getpid(), signal.SIGSTOP)
            self._screen.write(_ENTER)
            self._keys.begin()
        self._draw()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.add(signal.Signals(number).name)
        if not self._is_drawing:
            self.paint(self._parts)

    def _end(self, number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    @property
    def height(self) -> int:
        """The lines of the terminal, as they are now."""
        return self._rows()

    def _rows(self) -> int:
        try:
            return os.get_terminal_size(self._screen.out.fileno()).lines or _ROWS
        except (OSError, ValueError):
            return _ROWS
