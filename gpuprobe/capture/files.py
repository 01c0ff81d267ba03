"""Reading and writing the file of a capture: bounded, and never waiting for somebody who does not come."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import time
from pathlib import Path

from gpuprobe.survey import named_files
from gpuprobe.survey.named_files import WRITER_SECONDS

MOST_BYTES = 64 * 1024 * 1024
# Another program that makes a capture and hands it over by a pipe asks a whole machine first.
PATIENCE_SECONDS = 120.0
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_BINARY = getattr(os, "O_BINARY", 0)


class Unfit(Exception):
    """What is no file to read from or to write to; a clause says what it is."""


def read(name: str, patience: float = PATIENCE_SECONDS) -> bytes:
    """What the file or the pipe holds, one byte more than the largest capture at most; `-` is standard input.

    Raises Unfit, OSError.
    """
    if name == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise Unfit("standard input is a terminal and not a capture")
        return _content(sys.stdin.fileno(), patience)
    _refuse_odd(Path(name).stat().st_mode)  # opening a device may start something
    descriptor = os.open(name, os.O_RDONLY | _AT_ONCE | _BINARY)
    try:
        _refuse_odd(os.fstat(descriptor).st_mode)
        return _content(descriptor, patience, _first_of(descriptor, min(patience, WRITER_SECONDS)))
    finally:
        os.close(descriptor)


def _refuse_odd(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise Unfit("it is a directory")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        raise Unfit("it is a device and not a file")


def _first_of(descriptor: int, patience: float) -> bytes:
    try:
        return named_files.first_of(descriptor, patience)
    except named_files.Unfit as problem:
        raise Unfit(problem.strerror or str(problem)) from problem


def _content(descriptor: int, patience: float, begin: bytes = b"") -> bytes:
    pieces, size, deadline = [begin], len(begin), time.monotonic() + patience
    while size <= MOST_BYTES and (piece := _piece(descriptor, deadline)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _piece(descriptor: int, deadline: float) -> bytes:
    while True:
        if os.name == "posix" and not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise Unfit("nothing came out of it in time")
        try:
            return os.read(descriptor, 1 << 16)
        except BlockingIOError:  # a file of the kernel's that says it is ready and waits (/proc/kmsg)
            if time.monotonic() >= deadline:
                raise Unfit("nothing came out of it in time") from None
            time.sleep(0.05)


def write(path: Path, text: str) -> None:
    """Writes whole or not at all, readable by its owner only; into what is there already where it is a pipe or a device.

    Raises Unfit, OSError.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        found = None
    if found is None or stat.S_ISREG(found.st_mode):
        _replace(path, text)
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | _AT_ONCE | _BINARY)
    except OSError as problem:
        raise Unfit("nobody reads from that pipe") if problem.errno == errno.ENXIO else problem from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as there:
        opened = os.fstat(descriptor)
        if stat.S_ISFIFO(opened.st_mode) and hasattr(os, "geteuid") and opened.st_uid != os.geteuid():
            raise Unfit("it is another account's pipe")
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        there.write(text)


def _replace(path: Path, text: str) -> None:
    import tempfile

    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)  # noqa: PTH105 - the same call, and the names are texts already
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
