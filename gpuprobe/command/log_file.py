"""A server's log, from a file or from standard input: bounded, and never waited for longer than its writer lives."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from gpuprobe.exits import WrongUsage

_MOST = 64 * 1024 * 1024  # bytes; the last ones count, since a log grows at its end


def lines_of(file: str) -> Iterator[str]:
    """WrongUsage where it cannot be read. Of a longer file the last 64 MiB."""
    return iter(_text(file).splitlines())


def _text(file: str) -> str:
    if file == "-":
        if sys.stdin is None:
            raise WrongUsage("standard input is closed", "as in `journalctl -u ollama | gpuprobe doctor --log -`")
        return _tail(sys.stdin.buffer.read(_MOST * 4))
    from gpuprobe.survey.tree import Tree

    try:
        if Tree().status(file) is not None and not Tree().is_file(file):
            raise WrongUsage(f"`--log {file}`: it is no ordinary file", "`--log -` reads standard input")
        with open(file, "rb") as stream:  # noqa: PTH123 - an ordinary file by now
            stream.seek(max(0, stream.seek(0, 2) - _MOST))
            return _tail(stream.read(_MOST))
    except OSError as problem:
        hint = "for example `--log /var/log/ollama.log`"
        raise WrongUsage(f"`--log {file}`: {problem.strerror or problem}", hint) from problem


def _tail(content: bytes) -> str:
    return content[-_MOST:].decode("utf-8", "backslashreplace")
