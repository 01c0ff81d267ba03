"""Interactive shells on a pseudo-terminal: what stands on the line after keys were pressed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

ROWS, COLUMNS = 60, 200
SECONDS = 30
PROMPT = "READY>"
MARK = "@"  # typed behind the keys of a test: when it is on the screen, the shell has dealt with what came before


class Shell:
    """A running shell whose screen is kept as a person would see it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def wait(self, until: Callable[[str], bool]) -> str:
        """The screen as soon as `until` is true of it; what is on it when the time is up makes the test's message."""
        end = time.monotonic() + SECONDS
        while not until(screen := "\n".join(self.lines)):
            ready, _, _ = select.select([self._descriptor], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"nothing more came, and on the screen is:\n{screen.strip()}"
            self._stream.feed(os.read(self._descriptor, 65536))
        return screen

    def completed(self, typed: str) -> str:
        """The command line after one TAB behind `typed`, without the prompt and with every blank."""
        self.press(typed)
        self.wait(lambda screen: typed.replace("\t", "") in screen)
        self.press("\t" + MARK)
        self.wait(lambda screen: MARK in screen)
        (line,) = [line for line in self.lines if MARK in line]
        return line.removeprefix(PROMPT).strip().partition(MARK)[0]


@contextmanager
def running(command: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Iterator[Shell]:
    """Starts the shell and waits for its prompt; it is gone behind the block, with what it started."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(  # as the leader of a session whose terminal this is: else there is no job control
        ["setsid", "--ctty", *command], stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=dict(environ)
    )
    os.close(theirs)
    try:
        shell = Shell(ours)
        shell.wait(lambda screen: PROMPT in screen)
        yield shell
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)
