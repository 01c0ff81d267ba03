"""Running a program under the map in the place of this process, so that its streams, signals and code are its own."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpuprobe.command.reply import Launch

# What a shell answers for a program that is not there, and for one that cannot be run (POSIX, Exit Status for Commands).
NOT_FOUND, NOT_RUNNABLE = 127, 126


class NotLaunched(Exception):
    """There is no such program, or it cannot be run; `code` is what a shell would leave with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def launch(order: Launch) -> int:
    """Never returns on POSIX systems; elsewhere it waits for the program and gives its code. NotLaunched if it cannot be."""
    environ = _environment(order)
    try:
        return _and_wait(order.command, environ) if sys.platform == "win32" else _become(order.command, environ)
    except OSError as problem:
        found = problem.errno not in (errno.ENOENT, errno.ENOTDIR)
        said = f"`{order.command[0]}` cannot be run: {problem.strerror or problem}" if found else _missing(order.command[0])
        raise NotLaunched(said, NOT_RUNNABLE if found else NOT_FOUND) from problem


def _missing(name: str) -> str:
    return f"`{name}` was not found" if "/" in name else f"`{name}` was not found in any directory of `PATH`"


def _environment(order: Launch) -> dict[str, str]:
    changed = dict(order.variables)
    kept = {name: value for name, value in os.environ.items() if name not in changed}
    return kept | {name: value for name, value in changed.items() if value is not None}


def _become(command: tuple[str, ...], environ: dict[str, str]) -> int:
    import signal

    # Python ignores these two, and what is ignored stays so in the new program: `yes | head` would never end.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execvpe(command[0], list(command), environ)  # noqa: S606 - no shell is meant to be between


def _and_wait(command: tuple[str, ...], environ: dict[str, str]) -> int:
    """Windows has no exec that keeps the process's number and code (CPython's `os.exec*` starts a second one there)."""
    import shutil
    import subprocess

    found = shutil.which(command[0], path=environ.get("PATH"))
    with subprocess.Popen([found or command[0], *command[1:]], env=environ) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # Ctrl-C goes to both; what it means is the program's business
                continue
