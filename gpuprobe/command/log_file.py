"""A server's log, from a file or from standard input: bounded, and never waited for longer than its writer lives."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from io import BytesIO, RawIOBase
from typing import BinaryIO, NamedTuple

from gpuprobe.exits import WrongUsage

_MOST = 64 * 1024 * 1024  # bytes; the last ones count, since a log grows at its end
_PIECE = 1024 * 1024


class Log(NamedTuple):
    """The end of a log; `left_out` bytes stood before it."""

    content: bytes
    left_out: int = 0

    def lines(self) -> Iterator[str]:
        for line in BytesIO(self.content):
            yield from line.decode("utf-8", "backslashreplace").splitlines()

    @property
    def remark(self) -> str | None:
        if not self.left_out:
            return None
        return f"the log is long: its last {_MOST >> 20} MiB were read, and {self.left_out} bytes before them were left out"


def read(file: str) -> Log:
    """WrongUsage where it cannot be read."""
    if file == "-":
        if sys.stdin is None:
            raise WrongUsage("standard input is closed", "as in `journalctl -u ollama | gpuprobe doctor --log -`")
        return _end_of(sys.stdin.buffer)
    from gpuprobe.survey.named_files import opened

    try:
        stream, begin = opened(file)
        with stream:
            if not stream.seekable():
                return _end_of(stream, begin)
            before = max(0, stream.seek(0, 2) - _MOST)
            stream.seek(before)
            return Log(stream.read(_MOST) or b"", before)
    except (OSError, ValueError) as problem:
        hint = "for example `--log /var/log/ollama.log`"
        raise WrongUsage(f"`--log {file}`: {getattr(problem, 'strerror', None) or problem}", hint) from problem


def _end_of(stream: BinaryIO | RawIOBase, begin: bytes = b"") -> Log:
    """Of what has no end that could be looked for: no more is kept than is judged, and one piece."""
    pieces, size, left_out = deque[bytes]([begin]), len(begin), 0
    while piece := stream.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        while size - len(pieces[0]) >= _MOST:
            size -= len(pieces[0])
            left_out += len(pieces.popleft())
    over = max(0, size - _MOST)
    if over:
        pieces[0] = pieces[0][over:]
    return Log(b"".join(pieces), left_out + over)
