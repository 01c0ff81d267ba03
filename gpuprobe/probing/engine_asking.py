"""Asking an installed llama.cpp how much memory a model takes: in a child under limits, with nothing loaded and no port opened.

`llama-server` speaks through a socket in a directory of our own, and is ended at the line before it would load weights.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, NamedTuple

from gpuprobe.model import SYSTEM, Probe, Purpose
from gpuprobe.planning.engine_log import END, Choice, Row, choice_of, is_whole, rows_of
from gpuprobe.probing import termination
from gpuprobe.probing.asking import child_environment
from gpuprobe.strings import of_signal
from gpuprobe.survey.engine_programs import FIT_PARAMS, EngineProgram

LIMIT_SECONDS = 20.0
_MOST_LINES, _MOST_BYTES, _LONGEST_LINE = 20_000, 8 * 1024 * 1024, 4096
_GRACE_SECONDS = 1.0
_OURS = "LLAMA_ARG_"  # variables that would change the question


Enough = Callable[[Sequence[str]], bool]  # of all lines so far, with the newest at the end


class Heard(NamedTuple):
    """The lines that were said, and why there are no more where something went wrong. `signal`: which ended the program."""

    lines: tuple[str, ...]
    problem: str | None = None
    signal: int | None = None


class Asked(NamedTuple):
    """`rows` of the layout that the program was started with; `choice` of its fit."""

    rows: tuple[Row, ...] = ()
    choice: Choice = Choice()
    problem: str | None = None


def measured(program: EngineProgram, arguments: Sequence[str], seconds: float = LIMIT_SECONDS) -> Asked:
    """The rows of just this layout."""
    if program.name == FIT_PARAMS:
        heard = _heard(program, (*arguments, "--fit-print", "on"), seconds, lambda lines: False)
    else:
        heard = _heard(program, (*arguments, *_OF_A_SERVER), seconds, is_whole)
    rows = rows_of(heard.lines)
    return Asked(rows, problem=None if rows else heard.problem or _why(heard))


def chosen(program: EngineProgram, arguments: Sequence[str], seconds: float = LIMIT_SECONDS) -> Asked:
    """What its fit makes of the arguments: only `llama-server` says that in a form that tells how."""
    heard = _heard(program, (*arguments, *_OF_A_SERVER), seconds, lambda lines: END in lines[-1])
    if not any(END in line for line in heard.lines):
        return Asked(problem=heard.problem or _why(heard))
    return Asked(rows_of(heard.lines), choice_of(heard.lines))


_OF_A_SERVER = ("--no-warmup", "--log-verbosity", "4", "--offline")


def _why(heard: Heard) -> str:
    """How it ended, where that was no end of its own; with the last complaint, else the last line."""
    errors = [line for line in heard.lines if " E " in line or "error" in line.lower() or "invalid" in line.lower()]
    said = (errors or [line for line in heard.lines if line.strip()] or ["it said nothing"])[-1].strip()[:200]
    if heard.signal is None:
        return f"it does not say what the model takes: {said}"
    return f"it was ended by {of_signal(heard.signal)}, before it said what the model takes: {said}"


def _heard(program: EngineProgram, arguments: Sequence[str], seconds: float, is_enough: Enough) -> Heard:
    mark = f"{os.urandom(8).hex()}.engine."
    with tempfile.TemporaryDirectory(prefix="gpuprobe-") as folder:
        words = [program.path, *arguments]
        if program.name != FIT_PARAMS:
            words += ["--host", f"{folder}/socket.sock"]
        environ = _environment(os.environ, program, mark)
        try:
            process = subprocess.Popen(
                words,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as problem:
            return Heard((), f"it cannot be started: {problem.strerror or problem}")
        try:
            return _listened(process, time.monotonic() + seconds, seconds, is_enough)
        except OSError as problem:
            return Heard((), f"what it says cannot be heard: {problem.strerror or problem}")
        finally:
            _end(process, mark)


def _environment(environ: Mapping[str, str], program: EngineProgram, mark: str) -> dict[str, str]:
    plain = {name: value for name, value in environ.items() if not name.startswith(_OURS)}
    probe = Probe(program.library, Purpose.LIST, SYSTEM)
    return child_environment(plain, probe, mark, program.directories)


def _listened(process: subprocess.Popen[bytes], deadline: float, seconds: float, is_enough: Enough) -> Heard:
    lines: list[str] = []
    pipe = process.stdout
    if pipe is None:
        return Heard((), "it has no output")
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        for line in _Lines(pipe, selector, deadline):
            if line is None:
                return Heard(tuple(lines), f"no answer within {seconds:g} s")
            lines.append(line)
            if is_enough(lines):
                return Heard(tuple(lines))
            if len(lines) >= _MOST_LINES:
                return Heard(tuple(lines), "it says more than can be an answer")
    return Heard(tuple(lines), signal=_signal_that_ended(process))


def _signal_that_ended(process: subprocess.Popen[bytes]) -> int | None:
    """None also where it closed its output and is still there."""
    try:
        code = process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return -code if code < 0 else None


class _Lines:
    """Line by line as they come; None where the time is over. The end is the end of the pipe, or of what is bearable."""

    def __init__(self, pipe: IO[bytes], selector: selectors.BaseSelector, deadline: float) -> None:
        self._pipe, self._selector, self._deadline = pipe, selector, deadline
        self._buffer, self._heard, self._over = b"", 0, False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str | None:
        while b"\n" not in self._buffer:
            if self._over:
                raise StopIteration
            left = self._deadline - time.monotonic()
            if left <= 0 or not self._selector.select(left):
                self._over = True
                return None
            chunk = os.read(self._pipe.fileno(), 65536)
            self._heard += len(chunk)
            self._over = not chunk or self._heard > _MOST_BYTES
            self._buffer += chunk or b"\n"
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line[:_LONGEST_LINE].decode(errors="backslashreplace")


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    termination.kill(process.pid, mark)
    # Once more: what was being started in that moment is found now.
    termination.wait_until_gone(termination.kill_marked(mark), _GRACE_SECONDS)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    if process.stdout is not None:
        process.stdout.close()
