"""Running servers as the last resort: asked when the libraries have had their say, or shortly before time is up.

A driver that hangs uses up all the time there is, and it is then that a server which uses the card may still tell.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Thread

    from gpuprobe.judging.figures import ServerAnswer

LAST_SECONDS = 1.0  # of the time for everything, or a third of it where that is less


class ServerFallback:
    """Asked beside the children of a refresh from `moment` on (monotonic seconds; None: never), or by `answers`; after `cancel`
    nobody is asked."""

    def __init__(self, in_all: float | None, seconds: float) -> None:
        self._deadline = None if in_all is None else time.monotonic() + in_all
        self._seconds = seconds if in_all is None else min(LAST_SECONDS, in_all / 3)
        self.moment = None if self._deadline is None else self._deadline - self._seconds
        self._cancelled = False
        self._answers: tuple[ServerAnswer, ...] = ()
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Asks them beside what else is done."""
        from gpuprobe.probing.side_work import started  # threads: an answer that comes in time needs none

        self._thread = started(self._ask)

    def answers(self) -> tuple[ServerAnswer, ...]:
        """What the servers say, by the deadline."""
        if self._thread is None:
            self._ask()
        else:
            self._thread.join()
        return self._answers

    def cancel(self) -> None:
        self._cancelled = True

    def _ask(self) -> None:
        if self._cancelled:
            return
        from gpuprobe.survey import running_servers

        found = running_servers.servers()
        if found:
            from gpuprobe.probing.server_info import ask_servers

            left = self._seconds if self._deadline is None else self._deadline - time.monotonic()
            self._answers = ask_servers(found, max(0.0, left))
