"""A file's bytes for the readers, a few at a time by offset, and a walk that may end before its end.

A file is read with `pread` and not mapped: who may write it can also shorten it while it is read. A map of what is no longer
there ends the process (SIGBUS); a read comes back short. Memory stays the same for a file of any size either way.
"""

# A Path object per file would cost more than reading its table.
# ruff: noqa: PTH116

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

# Without O_NONBLOCK the opening of a pipe that lies in the place of a file would wait for a writer.
_READING = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_WINDOW = 4096  # bytes read at once: small entries that lie together cost one call, and a page is read from disk anyway
_MOST_PADDING = 64 * 1024  # bytes: the largest page of a machine that has GPUs
_SOMETHING = re.compile(rb"[^\0]")


class Unread(Exception):
    """There is more than was read; the text is a clause that says why."""


class Content(NamedTuple):
    """`size` bytes, read by offset from 0. What is damaged asks for bytes far outside, and gets fewer or none."""

    size: int
    read: Callable[[int, int], bytes]

    def at(self, offset: int, size: int) -> bytes:
        """Fewer bytes than `size` where the content ends."""
        if not 0 <= offset < self.size:
            return b""
        return self.read(offset, max(0, min(size, self.size - offset)))

    def part(self, offset: int, size: int) -> Content:
        """The same bytes from `offset` on, at most `size` of them."""
        offset = min(offset, self.size)
        return Content(max(0, min(size, self.size - offset)), lambda start, count: self.read(offset + start, count))


def bounded(content: Content, most: int) -> Content:
    """The same, and Unread from the moment that more than `most` pages were read, a page that is read twice counting twice."""
    left = most

    def read(offset: int, size: int) -> bytes:
        nonlocal left
        left -= 1 + size // _WINDOW
        if left < 0:
            raise Unread("it takes longer to read than any library")
        return content.read(offset, size)

    return Content(content.size, read)


def of_bytes(content: bytes) -> Content:
    return Content(len(content), lambda offset, size: content[offset : offset + size])


@contextmanager
def opened(path: str) -> Iterator[Content]:
    """The regular file at `path`, links followed. OSError as from the system; Unread where it is no regular file."""
    _size_of(os.stat(path))  # opening a device can do something: a watchdog starts
    descriptor = os.open(path, _READING)
    try:
        yield Content(_size_of(os.fstat(descriptor)), _reader(descriptor))
    finally:
        os.close(descriptor)


def _size_of(status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise Unread("it is not a regular file")
    return status.st_size


def _reader(descriptor: int) -> Callable[[int, int], bytes]:
    """Keeps the bytes that were read last."""
    start, window = 0, b""

    def read(offset: int, size: int) -> bytes:
        nonlocal start, window
        if not start <= offset <= offset + size <= start + len(window):
            start, window = offset, _all_of(descriptor, offset, max(size, _WINDOW))
        return window[offset - start : offset - start + size]

    return read


def _all_of(descriptor: int, offset: int, size: int) -> bytes:
    """`pread` gives less than was asked for where a signal comes, and above 2 GiB."""
    chunks: list[bytes] = []
    while size > 0 and (chunk := _once(descriptor, offset, size)):
        chunks.append(chunk)
        offset, size = offset + len(chunk), size - len(chunk)
    return b"".join(chunks)


def _once(descriptor: int, offset: int, size: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)  # Windows
    return os.read(descriptor, size)


def without_padding(content: Content, offset: int) -> int:
    """Where the next byte is that is not 0; the content's size where none follows. Unread where more zeros follow than a
    linker leaves."""
    start = offset
    while offset < content.size:
        some = content.at(offset, _WINDOW)
        found = _SOMETHING.search(some)
        if found:
            return offset + found.start()
        offset += len(some)
        if not some or offset - start > _MOST_PADDING:
            raise Unread("its code ends in a hole")
    return content.size
