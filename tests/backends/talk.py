"""Starts the runner by hand, as the parent does, and keeps everything that it answers."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

CHILD = Path(__file__).parents[2] / "gpuprobe" / "child.py"
LIMIT = 30.0  # seconds; only a child that should end and does not ever takes them


class Talk(NamedTuple):
    """What one child said on its own descriptor and on stderr, and how it ended (negative: by that signal)."""

    said: str
    exit_code: int
    stderr: bytes

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.said.splitlines()]

    def all(self, kind: str) -> list[Any]:
        return [line[kind] for line in self.lines if kind in line]

    @property
    def devices(self) -> list[dict[str, Any]]:
        return self.all("device")

    @property
    def calls(self) -> list[str]:
        return self.all("call")

    @property
    def facts(self) -> dict[str, Any]:
        return {key: value for facts in self.all("facts") for key, value in facts.items()}

    @property
    def failed(self) -> dict[str, Any] | None:
        return next(iter(self.all("failed")), None)

    @property
    def is_done(self) -> bool:
        return self.lines[-1].get("done") is True


class Child:
    """A child that runs. It stands in a session of its own, carries a mark, and its stdin stays open until `leave`."""

    def __init__(self, process: subprocess.Popen[bytes], mark: str, output: IO[bytes]) -> None:
        self.process, self.mark, self.output = process, mark, output

    def leave(self) -> None:
        """What happens when the parent is gone: stdin comes to its end."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def said(self) -> str:
        return os.pread(self.output.fileno(), 1 << 26, 0).decode()

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.said(), f"the child says {text!r}")

    def family(self) -> list[int]:
        """The living processes that carry this child's mark, itself included."""
        return processes_with(f"GPUPROBE_CHILD={self.mark}".encode())


def wait_until(condition: Any, what: str) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"still waiting: {what}"
        time.sleep(0.01)


def processes_with(entry: bytes) -> list[int]:
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if entry in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
    return found


def request(library: object, backend: str = "cuda", **changed: Any) -> dict[str, Any]:
    asked = {"backend": backend, "purpose": "list", "candidates": [str(library)], "paths": [], "device": None}
    return {**asked, **changed}


@contextlib.contextmanager
def started(
    asked: object,
    environ: Mapping[str, str] = {},
    *,
    options: tuple[str, ...] = (),
    cwd: Path | None = None,
    mark: bool = True,
    descriptors: tuple[int, ...] = (),
) -> Iterator[tuple[Child, IO[bytes]]]:
    """A child with its request already given; whatever carries its mark is ended afterwards."""
    own = {"GPUPROBE_CHILD": secrets.token_hex(8)} if mark else {}
    command = [sys.executable, *options, "-I", "-S", str(CHILD)]
    line = asked if isinstance(asked, bytes) else json.dumps(asked).encode() + b"\n"
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            env={"PATH": os.defpath, **own, **environ},
            cwd=cwd,
            start_new_session=True,
            pass_fds=descriptors,
        )
        child = Child(process, own.get("GPUPROBE_CHILD", ""), output)
        try:
            assert process.stdin is not None
            process.stdin.write(line)
            process.stdin.flush()
            if not mark:
                child.leave()
            yield child, errors
        finally:
            child.leave()
            process.kill()
            process.wait()
            for number in child.family() if mark else []:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, 9)


def talk(asked: object, environ: Mapping[str, str] = {}, **how: Any) -> Talk:
    """One whole conversation: the child is waited for, with its stdin open. Without a mark stdin ends after the request."""
    with started(asked, environ, **how) as (child, errors):
        exit_code = child.process.wait(LIMIT)
        return Talk(child.said(), exit_code, os.pread(errors.fileno(), 1 << 26, 0))
