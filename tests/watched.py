"""`gpuprobe refresh --watch` while it runs: its lines as they come, or its picture on a pseudo-terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyte

from tests.cli.documents import checked
from tests.cli.terminal import COMMAND, environment

SECONDS = 60
WATCH = ("refresh", "--watch", "0.1")


def children_of(process: int) -> list[int]:
    """The processes that it has started and that live."""
    found = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


class Lines:
    """The documents of `--watch --json`, each checked against its schema."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def next(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        assert ready, "no line came"
        return checked("refresh", self.process.stdout.readline())

    def until(self, true_of: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first document of which it is true."""
        end = time.monotonic() + SECONDS
        while not true_of(document := self.next()):
            assert time.monotonic() < end, json.dumps(document)
        return document

    def children(self) -> list[int]:
        return children_of(self.process.pid)


@contextmanager
def lines(*arguments: str, **variables: str) -> Iterator[Lines]:
    command = [*COMMAND, *WATCH, "--json", *arguments]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd="/", env=environment(**variables), text=True, bufsize=1, **streams)  # type: ignore[call-overload]
    try:
        yield Lines(process)
    finally:
        process.kill()
        process.communicate()


class Picture:
    """What stands on a terminal of that many columns. `raw` is everything that was written to it."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int, columns: int) -> None:
        self.process, self._descriptor, self._columns = process, descriptor, columns
        self.raw = b""

    @property
    def lines(self) -> list[str]:
        """Of the last whole picture."""
        whole = self.raw.rpartition(b"\x1b[?2026l")[0].rpartition(b"\x1b[?2026h")[2]
        screen = pyte.Screen(self._columns, 60)
        pyte.ByteStream(screen).feed(whole)
        return [line.rstrip() for line in screen.display if line.strip()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait(self, until: Callable[[str], bool]) -> str:
        end = time.monotonic() + SECONDS
        while not until(self.text):
            assert self._read(end), f"nothing more came; on the screen is:\n{self.text}"
        return self.text

    def resize(self, columns: int, rows: int = 50) -> None:
        self._columns = columns
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def hang_up(self) -> None:
        """The terminal's window is closed."""
        self.close()
        self.process.send_signal(signal.SIGHUP)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def press_ctrl_c(self) -> int:
        """Its exit code, after all that it had to say."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        end = time.monotonic() + SECONDS
        while self._read(end):
            pass
        return self.process.wait(SECONDS)

    def more(self) -> bool:
        return self._read(time.monotonic() + SECONDS)

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, end - time.monotonic()))
        try:
            piece = os.read(self._descriptor, 65536) if ready else b""
        except OSError:  # Linux says so when the last process has closed the other end
            piece = b""
        self.raw += piece
        return bool(piece)


@contextmanager
def picture(
    *arguments: str,
    watch: tuple[str, ...] = WATCH,
    columns: int = 80,
    rows: int = 50,
    keys: bool = False,
    **variables: str,
) -> Iterator[Picture]:
    """`keys`: the terminal is the program's own, as where a shell started it, and gives it keys."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    streams: Mapping[str, int] = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    alone = ("setsid", "--ctty") if keys else ()
    command = [*alone, *COMMAND, *watch, *arguments]
    process = subprocess.Popen(command, cwd="/", env=environment(**variables), **streams)  # type: ignore[call-overload]
    os.close(theirs)
    seen = Picture(process, ours, columns)
    try:
        yield seen
    finally:
        process.kill()
        process.wait()
        seen.close()
