"""Pipes of a child: what one selector can wait for, and the bounded memory of what came through."""

from __future__ import annotations

import os
import sys

from gpuprobe import contexts as contextlib
from gpuprobe.probing.spawning import STANDARD_ERROR

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import IO


class Tail:
    """The last `limit` bytes of a stream, and how many came before them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._kept = bytearray()

    def add(self, chunk: bytes) -> None:
        self.total += len(chunk)
        self._kept += chunk
        # Cutting only when twice the limit has come keeps a gigabyte of noise linear.
        if len(self._kept) > 2 * self.limit:
            del self._kept[: -self.limit]

    def forget(self) -> None:
        """From here on as if nothing had come."""
        self.total = 0
        self._kept.clear()

    @property
    def dropped(self) -> int:
        return max(0, self.total - self.limit)

    def text(self) -> str:
        """At most as many characters; bytes that are not UTF-8 take four."""
        return bytes(self._kept[-self.limit :]).decode(errors="backslashreplace")[-self.limit :]


def selectable(pipe: IO[bytes]) -> int | socket.socket:
    """What a selector can wait for in the pipe's place: its descriptor, or on Windows a socket that a thread feeds."""
    if sys.platform != "win32":
        return pipe.fileno()
    return _fed_socket(pipe)


def receive(source: int | socket.socket, size: int = 1 << 20) -> bytes:
    """What has come, `b""` at the end; BlockingIOError where nothing has come and the source does not wait."""
    return os.read(source, size) if isinstance(source, int) else source.recv(size)


def quiet_pipe() -> tuple[int, int] | None:
    """A pipe from a child that nobody waits for: the end to read, which never waits, and the child's. None: none could be had,
    or not here; without it the child says everything aloud.

    On Linux alone a pipe takes 4096 bytes at once or not at all. Where a stream was closed, the pipe would have its number, and
    the child has a stream there.
    """
    if sys.platform != "linux":
        return None
    try:
        near, far = os.pipe()
    except OSError:
        return None
    if min(near, far) <= STANDARD_ERROR:
        os.close(near)
        os.close(far)
        return None
    os.set_blocking(near, False)
    return near, far


def read_waiting(descriptor: int, size: int = 1 << 16) -> bytes:
    """What has come; `b""` where nothing has."""
    try:
        return os.read(descriptor, size)
    except OSError:
        return b""


def stop_waiting(source: int | socket.socket) -> None:
    """From here on `receive` raises BlockingIOError instead of waiting."""
    if isinstance(source, int):
        os.set_blocking(source, False)
    else:
        source.setblocking(False)


def exit_descriptor(process_id: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where the system has none (not Linux, gVisor)."""
    try:
        return os.pidfd_open(process_id)
    except (AttributeError, OSError):
        return None


def _fed_socket(pipe: IO[bytes]) -> socket.socket:
    import socket
    import threading

    near, far = socket.socketpair()

    def feed() -> None:
        with contextlib.suppress(OSError), far:
            while chunk := os.read(pipe.fileno(), 1 << 16):
                far.sendall(chunk)

    threading.Thread(target=feed, daemon=True).start()
    return near
