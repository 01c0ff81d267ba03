"""Runs the installed command in a fork of the tests' own process, where it has the functions that this process has.

For `tests.mutate` alone: what a test says of the command then holds of a mutant, and costs no start. Caches are emptied. What
is started in another way, or looks at this machine, starts as ever.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from typing import IO, Any

from tests.cli.terminal import COMMAND
from tests.executed import caches

_run = subprocess.run
_KNOWN = {"cwd", "env", "stdin", "input", "capture_output", "timeout", "check", "text"}


def take_over(ends: Callable[[], None] = lambda: None) -> None:
    """`ends` is called in each fork, after the command."""

    def run(command: Any, *more: Any, **how: Any) -> Any:
        words = [str(word) for word in command] if isinstance(command, list | tuple) else []
        ours = words[: len(COMMAND)] == COMMAND and ("--from" in words or words[len(COMMAND) :][:1] == ["fleet"])
        if more or not ours or not set(how) <= _KNOWN or not how.get("capture_output") or how.get("check"):
            return _run(command, *more, **how)
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            text = how.get("input") or b""
            given.write(text.encode() if isinstance(text, str) else text)
            given.seek(0)
            number = os.fork()
            if number == 0:
                _command(words[len(COMMAND) :], how, (given, out, err), ends)
            status = _waited(number, how.get("timeout") or 600)
            said = [_all(file, bool(how.get("text"))) for file in (out, err)]
        return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(status), *said)

    subprocess.run = run  # type: ignore[assignment]


def _waited(number: int, seconds: float) -> int:
    end = time.monotonic() + 10 * seconds  # of a core, on a machine that has other work too
    while time.monotonic() < end:
        ended, status = os.waitpid(number, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.005)
    os.kill(number, signal.SIGKILL)
    return os.waitpid(number, 0)[1]


def _all(file: IO[bytes], is_text: bool) -> str | bytes:
    file.seek(0)
    return file.read().decode() if is_text else file.read()


def _command(words: list[str], how: dict[str, Any], files: tuple[IO[bytes], ...], ends: Callable[[], None]) -> None:
    code = 1
    try:
        _become(words, how, files)
        from gpuprobe.__main__ import main

        main()
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        ends()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _become(words: list[str], how: dict[str, Any], files: tuple[IO[bytes], ...]) -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.resetwarnings()
    for place, file in enumerate(files):
        os.dup2(file.fileno(), place)
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, mode, closefd=False), encoding="utf-8", errors=errors)
        if number == 0
        else io.TextIOWrapper(io.BufferedWriter(io.FileIO(number, mode, closefd=False)), encoding="utf-8", errors=errors)
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    os.environ.clear()
    os.environ.update(how.get("env") or {})
    os.chdir(how.get("cwd") or ".")
    sys.argv = [COMMAND[0], *words]
    for forget in caches():
        forget()
