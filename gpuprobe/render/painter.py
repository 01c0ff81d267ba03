"""A picture on a terminal that is drawn again and again in its place, and the terminal as it was at the end.

It is drawn on the terminal's second screen, as by `top`: home, line over line, and what is left below is cleared. Each
picture is one write between the marks of a synchronized update: where a terminal knows them, nothing half-drawn is seen.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.render.screen import Screen

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
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
    """Used as a context. `paint` takes a function that gives what to draw, because a new size is drawn at once."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._parts: Callable[[], Iterable[RenderableType]] = tuple
        self._before: dict[int, Any] = {}
        self._came: set[str] = set()
        self._woken, self._waking = os.pipe()
        self._old_descriptor: int | None = None

    def __enter__(self) -> Painter:
        for name in (*_RESIZED, *_STOPPED, *_ENDING):
            number = getattr(signal, name, None)
            if number is not None:
                self._before[number] = signal.signal(number, self._end if name in _ENDING else self._note)
        if os.name == "posix":  # elsewhere nothing can wait for a pipe, and no signal tells of a new size
            os.set_blocking(self._waking, False)
            self._old_descriptor = signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        self._screen.write(_ENTER)
        return self

    def __exit__(self, *problem: object) -> None:
        self._screen.write(_LEAVE)
        if self._old_descriptor is not None:
            signal.set_wakeup_fd(self._old_descriptor)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for descriptor in (self._woken, self._waking):
            os.close(descriptor)

    def paint(self, parts: Callable[[], Iterable[RenderableType]]) -> None:
        self._parts = parts
        lines = self._screen.drawn(parts()).splitlines()
        rows = self._rows()
        if len(lines) > rows:
            lines = [*lines[: rows - 1], f"… {len(lines) - rows + 1} more lines"]
        drawn = "\n".join(_CLEAR_LINE + line for line in lines)
        self._screen.write(f"{_BEGIN}{_HOME}{drawn}{_CLEAR_BELOW}{_END}")

    def wait(self, until: float) -> None:
        """Up to this moment (monotonic seconds); meanwhile a new size is drawn, and Ctrl-Z stops as it should."""
        while (left := until - time.monotonic()) > 0:
            if self._old_descriptor is None:
                time.sleep(left)
            elif select.select([self._woken], [], [], left)[0]:
                os.read(self._woken, 4096)
                self._attend()

    def _attend(self) -> None:
        came, self._came = self._came, set()
        if came & set(_STOPPED):
            self._screen.write(_LEAVE)
            os.kill(os.getpid(), signal.SIGSTOP)
            self._screen.write(_ENTER)
        if came:
            self.paint(self._parts)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.add(signal.Signals(number).name)

    def _end(self, number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    def _rows(self) -> int:
        try:
            return os.get_terminal_size(self._screen.out.fileno()).lines or _ROWS
        except (OSError, ValueError):
            return _ROWS
