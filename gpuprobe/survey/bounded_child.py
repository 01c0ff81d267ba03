"""A program of the system's that is asked one thing: for so long, and for so many bytes, and no longer."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_GRACE_SECONDS = 1.0
_JOURNALCTL = ("/usr/bin/journalctl", "/bin/journalctl", "/run/current-system/sw/bin/journalctl")
JOURNALCTLS_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0"}


class Said(NamedTuple):
    output: str
    errors: str
    was_cut: bool  # there was more, or the time was over


def journalctl() -> str | None:
    return next((path for path in _JOURNALCTL if os.access(path, os.X_OK)), None)


def said_by(command: Sequence[str], environ: Mapping[str, str], seconds: float, most: int) -> Said | str:
    """What it wrote; a clause where it could not be started. It is ended when its time is over or it has said enough."""
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=dict(environ), cwd="/")
    except OSError as error:
        return f"error: {error.strerror or error}"
    try:
        return _gathered(child, time.monotonic() + seconds, most)
    finally:
        end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    """Ends it. One that the kernel does not let go is left behind: waiting for it would hold us as well."""
    child.kill()
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_SECONDS)


def _gathered(child: subprocess.Popen[bytes], deadline: float, most: int) -> Said:
    said: dict[int, list[bytes]] = {stream.fileno(): [] for stream in (child.stdout, child.stderr) if stream is not None}
    waiting, size, cut = set(said), 0, False
    while waiting and not cut:
        ready = select.select(list(waiting), [], [], max(0.0, deadline - time.monotonic()))[0]
        cut = not ready
        for descriptor in ready:
            piece = os.read(descriptor, 1 << 16)
            size += len(piece)
            cut = cut or size > most
            if piece:
                said[descriptor].append(piece)
            else:
                waiting.discard(descriptor)
    output, errors = (b"".join(pieces).decode("utf-8", "backslashreplace") for pieces in said.values())
    return Said(output, errors[:4096], cut)
