"""Opening what a user names to be read from its beginning to its end: an ordinary file, or a pipe.

`<(command)` of a shell is a pipe, named `/dev/fd/63`, and is read until its writer ends, however long that takes. A pipe of
the file system waits for a writer in open(), for ever and in silence: here it is refused when none has come in time.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from io import FileIO
from pathlib import Path

WRITER_SECONDS = 10.0  # time enough to start the other side by hand or by a script
_STEP_SECONDS = 0.05
_PIECE = 1 << 16
_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Unfit(OSError):
    """It can be opened, and is not read."""

    def __init__(self, because: str) -> None:
        super().__init__(errno.EINVAL, because)


def opened(path: str, patience: float = WRITER_SECONDS) -> tuple[FileIO, bytes]:
    """The file, and what came of a pipe already, which is to be read first. OSError says why not.

    Nothing else is opened: opening alone moves some devices.
    """
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise Unfit(f"it is {_kind(mode)} and not a file")
    stream = FileIO(os.open(path, _AT_ONCE), "rb")
    try:
        begin = first_of(stream.fileno(), patience)
        if stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            os.set_blocking(stream.fileno(), True)
        return stream, begin
    except BaseException:
        stream.close()
        raise


def first_of(descriptor: int, patience: float = WRITER_SECONDS) -> bytes:
    """What has come of a pipe that was opened without waiting; nothing of any other file. Unfit: nobody writes into it.

    Nothing also where its writer is silent or has ended: the next read tells.
    """
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return b""
    only_once, deadline = _has_no_name(descriptor), time.monotonic() + patience
    while True:
        try:
            piece = os.read(descriptor, _PIECE)
        except BlockingIOError:
            return b""
        if piece or only_once or _polled(descriptor, 0) & select.POLLHUP:
            return piece
        if time.monotonic() >= deadline:
            raise Unfit("nobody writes into this pipe")
        _polled(descriptor, _STEP_SECONDS)


def _polled(descriptor: int, seconds: float) -> int:
    """Before the first writer a pipe is empty and open; only when one has ended the kernel says that it hung up."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return next((events for _, events in poll.poll(seconds * 1000)), 0)


def _has_no_name(descriptor: int) -> bool:
    """A pipe between two processes: a writer that has ended does not come again."""
    ends = os.pipe()
    try:
        return os.fstat(ends[0]).st_dev == os.fstat(descriptor).st_dev
    finally:
        for end in ends:
            os.close(end)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"
