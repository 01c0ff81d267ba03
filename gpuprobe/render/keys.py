"""The keys that are pressed while a picture stands on the terminal: read one by one, and never where there is no terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from gpuprobe import patterns as re
from gpuprobe.contexts import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KEY = r"(?s)\x1b[\[O][0-9;]{0,8}[A-Za-z~]|."
_AT_ONCE = 64  # bytes


class Keys:
    """Between `begin` and `end` the terminal gives each key as it is pressed, unechoed; Ctrl-C and Ctrl-Z stay."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._before: Any = None

    @property
    def are_read(self) -> bool:
        return self._number is not None

    def begin(self) -> None:
        """Does nothing where standard input is no terminal, or is another job's: who changes that is stopped."""
        try:
            import termios
            import tty

            number = sys.stdin.fileno()
            if not os.isatty(number) or os.tcgetpgrp(number) != os.getpgrp():
                return
            self._before = termios.tcgetattr(number)
            tty.setcbreak(number, termios.TCSANOW)
            self._number = number
        except (ImportError, AttributeError, OSError, ValueError, _terminal_error()):
            self._number = None

    def end(self) -> None:
        """The terminal as it was."""
        if self._number is None:
            return
        import termios

        with suppress(OSError, termios.error):  # the terminal may have gone
            termios.tcsetattr(self._number, termios.TCSANOW, self._before)
        self._number = None

    def pressed(self, seconds: float) -> Sequence[str]:
        """The keys of this many seconds at most, as the terminal spells them; it returns with the first."""
        if self._number is None:
            time.sleep(seconds)
            return ()
        from select import select

        readable, _, _ = select([self._number], [], [], seconds)
        raw = os.read(self._number, _AT_ONCE) if readable else b""
        if readable and not raw:  # nobody will press anything there any more
            self.end()
        return re.findall(_KEY, raw.decode("utf-8", errors="replace")) if raw else ()


def _terminal_error() -> type[Exception]:
    try:
        import termios
    except ImportError:
        return OSError
    return termios.error
