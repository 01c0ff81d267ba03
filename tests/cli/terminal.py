"""Runs the installed command, in pipes or in a pseudo-terminal of a given width, as a user would see it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import NamedTuple

import pyte

from tests import temporary

SECONDS = 60
COMPILED = temporary.folder("compiled")  # once per session, and never in the tree
REPOSITORY = Path(__file__).parents[2]

NOWHERE = "/proc/nonexistent"  # a home directory that nobody can make, root and its shells included
INSTALLED = Path(sys.executable).with_name("gpuprobe")
COMMAND = [str(INSTALLED)] if INSTALLED.exists() else [sys.executable, "-m", "gpuprobe"]


class Ran(NamedTuple):
    """What a command left: `out` and `err` as text, and its exit code."""

    out: str
    err: str
    code: int


class Seen(NamedTuple):
    """What a command left on a terminal: the bytes it wrote, the screen a person sees, and its exit code."""

    raw: str
    lines: list[str]
    code: int

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def environment(**more: str) -> dict[str, str]:
    """A user's environment in which nothing speaks of GPUs, colours or widths."""
    plain = {"PATH": os.environ["PATH"], "HOME": NOWHERE, "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    return {**plain, "PYTHONPATH": str(REPOSITORY), "PYTHONPYCACHEPREFIX": str(COMPILED), **more}


def piped(*arguments: str, cwd: Path | str = "/", **variables: str) -> Ran:
    """Runs `gpuprobe` with pipes; `variables` come on top of a plain environment."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    return Ran(done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode)


def on_terminal(*arguments: str, columns: int = 80, rows: int = 200, **variables: str) -> Seen:
    """Runs `gpuprobe` on a pseudo-terminal, so that it sees one on all three streams."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd="/", env=environment(**variables), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = b"".join(iter(lambda: _read(ours), b""))
    code = process.wait(timeout=SECONDS)
    os.close(ours)
    screen = pyte.Screen(columns, rows)
    pyte.ByteStream(screen).feed(written)
    lines = [line.rstrip() for line in screen.display]
    return Seen(
        written.decode(errors="replace"),
        lines[: max((i for i, line in enumerate(lines) if line), default=-1) + 1],
        code,
    )


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so when the last process has closed the other end
        return b""
