"""Running servers as the last resort: asked when the libraries have had their say, or shortly before time is up.

A driver that hangs uses up all the time there is, and it is then that a server which uses the card may still tell.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from gpuprobe.probing.side_work import started
from gpuprobe.survey.running_servers import servers

if TYPE_CHECKING:
    from gpuprobe.judging.figures import ServerAnswer

LAST_SECONDS = 1.0  # of the time for everything, or a third of it where that is less


class ServerFallback:
    """Waits beside the children of a refresh; `answers` sets it off, `cancel` ends it without a question."""

    def __init__(self, in_all: float | None, seconds: float) -> None:
        self._deadline = None if in_all is None else time.monotonic() + in_all
        self._seconds = seconds if in_all is None else min(LAST_SECONDS, in_all / 3)
        self._now, self._cancelled = threading.Event(), False
        self._answers: tuple[ServerAnswer, ...] = ()
        self._thread = started(self._wait_and_ask)

    def answers(self) -> tuple[ServerAnswer, ...]:
        """What the servers say, by the deadline."""
        self._now.set()
        if self._thread is None:
            self._wait_and_ask()  # which has nothing to wait for any more
        else:
            self._thread.join()
        return self._answers

    def cancel(self) -> None:
        self._cancelled = True
        self._now.set()

    def _wait_and_ask(self) -> None:
        latest = None if self._deadline is None else self._deadline - self._seconds - time.monotonic()
        self._now.wait(latest)
        found = () if self._cancelled else servers()
        if found:
            from gpuprobe.probing.server_info import ask_servers

            left = self._seconds if self._deadline is None else self._deadline - time.monotonic()
            self._answers = ask_servers(found, max(0.0, left))
