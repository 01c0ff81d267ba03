"""A picture on a terminal that is drawn again and again in its place, and the terminal as it was at the end.

It is drawn on the terminal's second screen, as by `top`: home, line over line, and what is left below is cleared. Each
picture is one write between the marks of a synchronized update: where a terminal knows them, nothing half-drawn is seen.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.render.screen import Screen

# Without wrapping at the margin: a line that is too long for a very narrow terminal must not scroll the picture.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_ROWS = 24  # where the terminal does not say

_RESIZED, _STOPPED, _ENDING = ("SIGWINCH",), ("SIGTSTP",), ("SIGTERM", "SIGHUP")


class Ended(BaseException):
    """A signal that ends programs came; the terminal is restored on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._number = number

    def end(self) -> None:
        """By the signal itself, so that whoever waits for the process sees it."""
        signal.signal(self._number, signal.SIG_DFL)
        os.kill(os.getpid(), self._number)


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

    def __enter__(self) -> Painter:
        try:
            for name in (*_RESIZED, *_STOPPED, *_ENDING):
                number = getattr(signal, name, None)
                # Who has it ignored, as `nohup` does, means it.
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._end if name in _ENDING else self._note)
            self._screen.write(_ENTER)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *problem: object) -> None:
        self._is_drawing = True
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
        """Up to this moment (monotonic seconds); signals are attended to meanwhile."""
        while (left := until - time.monotonic()) > 0:
            time.sleep(left)

    def _draw(self) -> None:
        lines = self._screen.drawn(self._parts()).splitlines()
        rows = self._rows()
        if len(lines) > rows:
            lines = [*lines[: rows - 1], f"… {len(lines) - rows + 1} more lines"]
        drawn = "\n".join(_CLEAR_LINE + line for line in lines)
        self._screen.write(f"{_BEGIN}{_HOME}{drawn}{_CLEAR_BELOW}{_END}")

    def _attend(self) -> None:
        came, self._came = self._came, set()
        if came & set(_STOPPED):
            self._screen.write(_LEAVE)
            os.kill(os.getpid(), signal.SIGSTOP)
            self._screen.write(_ENTER)
        self._draw()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.add(signal.Signals(number).name)
        if not self._is_drawing:
            self.paint(self._parts)

    def _end(self, number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    def _rows(self) -> int:
        try:
            return os.get_terminal_size(self._screen.out.fileno()).lines or _ROWS
        except (OSError, ValueError):
            return _ROWS
